#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "collector/store/lines/lines_reader.h"

namespace dunlin::testing {

/// The bytes of columns that are all in one string, which outlives this, as do the ends of the
/// frames that it would be cut into.
class StringValues final : public store::ValueBytes {
 public:
  explicit StringValues(std::string_view bytes, std::span<const std::size_t> frame_ends = {})
      : bytes_(bytes), frame_ends_(frame_ends) {}

  Result<std::string_view> Read(std::uint64_t offset, std::uint64_t size) override {
    if (offset > bytes_.size() || size > bytes_.size() - offset) {
      return Error(ErrorCode::kCorruption, "values are missing");
    }
    for (std::size_t end : frame_ends_) {
      if (end > offset && end < offset + size) {
        return Error(ErrorCode::kCorruption, "values are in two frames");
      }
    }
    return bytes_.substr(offset, size);
  }

 private:
  std::string_view bytes_;
  std::span<const std::size_t> frame_ends_;
};

}  // namespace dunlin::testing
