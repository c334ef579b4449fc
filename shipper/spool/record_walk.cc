#include "shipper/spool/record_walk.h"

#include <algorithm>

namespace dunlin::shipper {
namespace {

/// A page: what the kernel reads at least.
constexpr std::size_t kWindowBytes = 4096;

}  // namespace

Result<std::optional<FoundRecord>> RecordWalk::Next() {
  for (; position_ < end_; position_ += kSpoolAlignment) {
    auto found = Here();
    if (!found || *found) return found;
    damaged_ = true;
  }
  return std::optional<FoundRecord>();
}

Result<std::optional<FoundRecord>> RecordWalk::Here() {
  std::optional<FoundRecord> none;
  if (position_ >= end_) return none;
  auto bytes = Bytes(position_, kRecordBytes);
  if (!bytes) return std::move(bytes).error();
  std::size_t size = RecordSize(*bytes);
  if (size == 0) return none;
  bytes = Bytes(position_, size);
  if (!bytes) return std::move(bytes).error();
  auto record = DecodeRecord(*bytes, salt_);
  if (!record) return none;
  FoundRecord found;
  found.position = position_;
  found.payload_position = position_ + size;
  std::uint64_t record_end = found.payload_position + record->payload_bytes;
  found.next_position = AlignedUp(record_end);
  found.complete = record_end <= end_;
  found.record = std::move(*record);
  damaged_ = false;
  position_ = found.next_position;
  return std::optional(std::move(found));
}

Result<std::string_view> RecordWalk::Bytes(std::uint64_t position, std::size_t size) {
  size = static_cast<std::size_t>(std::min<std::uint64_t>(size, end_ - position));
  if (position < window_position_ || position + size > window_position_ + window_.size()) {
    window_.resize(static_cast<std::size_t>(
        std::min<std::uint64_t>(std::max(size, kWindowBytes), end_ - position)));
    window_position_ = position;
    auto got = file_.ReadAt(position, window_.data(), window_.size());
    if (!got) {
      if (unreadable_ == Spool::Unreadable::kFail) {
        window_.clear();
        return std::move(got).error();
      }
      std::fill(window_.begin(), window_.end(), '\0');  // as if the disk had lost them
    } else {
      // The file was cut behind our back: what is missing reads as damage.
      std::fill(window_.begin() + static_cast<std::ptrdiff_t>(*got), window_.end(), '\0');
    }
  }
  return std::string_view(window_).substr(static_cast<std::size_t>(position - window_position_),
                                          size);
}

}  // namespace dunlin::shipper
