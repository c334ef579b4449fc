#include "shipper/spool/boot_file.h"

#include <utility>

namespace dunlin::shipper {

Result<BootFile> BootFile::Create(FileSystem& fs, const std::string& path,
                                  std::string_view identity) {
  auto file = fs.Open(path, FileSystem::Mode::kCreate);
  if (!file) return std::move(file).error();
  BootFile made(std::move(*file));
  made.identity_ = identity;
  std::string slots = EncodeSlot({}) + EncodeSlot({});
  if (auto written = made.file_->WriteAt(0, slots + EncodeHead({}, identity)); !written) {
    return std::move(written).error();
  }
  if (auto synced = made.Sync(); !synced) return std::move(synced).error();
  return made;
}

Result<BootFile> BootFile::Open(FileSystem& fs, const std::string& path) {
  auto file = fs.Open(path, FileSystem::Mode::kWrite);
  if (!file) {
    if (file.error().code() == ErrorCode::kNotFound) return Create(fs, path, "");
    return std::move(file).error();
  }
  BootFile opened(std::move(*file));
  std::string bytes(kSlotsBytes + kHeadBytes + kMaxIdentityBytes + kSpoolAlignment, '\0');
  auto got = opened.file_->ReadAt(0, bytes.data(), bytes.size());
  if (!got) return std::move(got).error();
  bytes.resize(*got);
  for (std::size_t position = 0; position < kSlotsBytes && position < bytes.size();
       position += kSlotBytes) {
    auto slot = DecodeSlot(std::string_view(bytes).substr(position, kSlotBytes));
    if (!slot || slot->sequence < opened.slot_.sequence) continue;
    opened.slot_ = *slot;
    opened.synced_sequence_ = slot->sequence;
    opened.next_position_ = kSlotBytes - position;
  }
  if (bytes.size() > kSlotsBytes) {
    std::string_view rest = std::string_view(bytes).substr(kSlotsBytes);
    auto head = DecodeHead(rest.substr(0, HeadSize(rest).value_or(0)));
    if (head) {
      opened.identity_ = head->identity;
    } else if (head.error().code() == ErrorCode::kUnsupported) {
      return std::move(head).error().Wrap("cannot read " + path);
    }
  }
  return opened;
}

Result<void> BootFile::Write(const AcknowledgedSlot& slot) {
  if (auto written = file_->WriteAt(next_position_, EncodeSlot(slot)); !written) return written;
  slot_ = slot;
  return {};
}

Result<void> BootFile::Sync() {
  if (auto synced = file_->Sync(); !synced) return synced;
  if (slot_.sequence > synced_sequence_) {
    synced_sequence_ = slot_.sequence;
    next_position_ = kSlotBytes - next_position_;
  }
  return {};
}

}  // namespace dunlin::shipper
