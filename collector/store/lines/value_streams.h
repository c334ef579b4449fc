#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "collector/store/lines/value_column.h"

namespace dunlin::store {

/// Bytes of columns are kept by what they are like, so that what is compressed together can share a
/// code: a stream for each (docs/line-columns.md, "Streams").
inline constexpr std::size_t kValueStreams = 19;

/// One part of the bytes of a column.
struct ValuePart {
  std::uint8_t stream = 0;
  std::uint64_t bytes = 0;
};
inline constexpr std::size_t kMostValueParts = 4;
struct ValueParts {
  std::array<ValuePart, kMostValueParts> parts;
  std::size_t count = 0;
};

/// The parts of a column of `rows` values, in the order of its bytes. Nothing when they are more
/// than all of its bytes.
std::optional<ValueParts> PartsOf(const ValueColumnInfo& info, std::uint32_t rows);

/// Collects the bytes of columns, stream by stream. One thread.
class ValueStreams {
 public:
  void Clear();
  /// Adds a column, whose bytes are `area`.
  void Add(const ValueColumnInfo& info, std::uint32_t rows, std::string_view area);
  /// All streams, one after the other, and where to cut them into frames: no part of a column is in
  /// two.
  void Finish(std::string& values, std::vector<std::size_t>& frame_ends) const;

 private:
  std::array<std::string, kValueStreams> bytes_;
  std::array<std::vector<std::size_t>, kValueStreams> part_ends_;
};

}  // namespace dunlin::store
