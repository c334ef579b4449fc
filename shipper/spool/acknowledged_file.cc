#include "shipper/spool/acknowledged_file.h"

#include <string_view>
#include <utility>

namespace dunlin::shipper {

Result<AcknowledgedFile> AcknowledgedFile::Create(FileSystem& fs, const std::string& path) {
  auto file = fs.Open(path, FileSystem::Mode::kCreate);
  if (!file) return std::move(file).error();
  AcknowledgedFile made(std::move(*file));
  // Both slots: what is acknowledged later then always has its room.
  for (int i = 0; i < 2; ++i) {
    if (auto written = made.Write({}); !written) return std::move(written).error();
  }
  return made;
}

Result<AcknowledgedFile> AcknowledgedFile::Open(FileSystem& fs, const std::string& path) {
  auto file = fs.Open(path, FileSystem::Mode::kWrite);
  if (!file) {
    if (file.error().code() == ErrorCode::kNotFound) return Create(fs, path);
    return std::move(file).error();
  }
  AcknowledgedFile made(std::move(*file));
  char bytes[2 * kSlotBytes];
  auto got = made.file_->ReadAt(0, bytes, sizeof bytes);
  if (!got) return std::move(got).error();
  for (std::uint64_t position : {std::uint64_t{0}, std::uint64_t{kSlotBytes}}) {
    if (position + kSlotBytes > *got) break;
    auto slot = DecodeSlot(std::string_view(bytes + position, kSlotBytes));
    if (!slot || slot->sequence < made.slot_.sequence) continue;
    made.slot_ = *slot;
    made.next_position_ = kSlotBytes - position;
  }
  return made;
}

Result<void> AcknowledgedFile::Write(const AcknowledgedSlot& slot) {
  if (auto written = file_->WriteAt(next_position_, EncodeSlot(slot)); !written) return written;
  slot_ = slot;
  next_position_ = kSlotBytes - next_position_;
  return {};
}

}  // namespace dunlin::shipper
