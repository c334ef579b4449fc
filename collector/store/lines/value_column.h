#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "collector/store/lines/byte_classes.h"
#include "protocol/base/coding.h"

namespace dunlin::store {

class LiteralSearch;
struct SlotCondition;

/// How the values of a column lie in its bytes (docs/segment-format.md, "Lines").
enum class ValueKind : std::uint8_t {
  kConstant = 0,    // no bytes: the directory has the value
  kNumber = 1,      // value - least, as byte planes, the highest first
  kDelta = 2,       // difference to the value before - least difference, as byte planes
  kDictionary = 3,  // distinct values, then a number of one for each row
  kHex = 4,         // two digits a byte
  kBytes = 5,       // lengths unless all are equal, then the values one after the other
};

/// What the directory says of a column; enough to skip it, or to find its values in its bytes.
struct ValueColumnInfo {
  ValueKind kind = ValueKind::kConstant;
  std::string_view constant;      // kConstant; a view into the directory
  std::uint32_t least_bytes = 0;  // of a value's text
  std::uint32_t most_bytes = 0;
  std::uint8_t classes = 0;
  bool zero_padded = false;  // numbers are written with least_bytes digits
  std::uint64_t least = 0;   // of numbers
  std::uint64_t most = 0;
  std::uint64_t first = 0;        // kDelta: the first value
  std::uint64_t least_delta = 0;  // zigzag
  std::uint8_t width = 0;         // bytes of a number, a code or a length
  std::uint32_t entries = 0;      // kDictionary: distinct values
  std::uint64_t area_bytes = 0;   // of the column

  std::uint8_t code_width() const { return entries > 256 ? 2 : 1; }  // kDictionary
};

/// What is known of the values of several columns together.
struct ValueSummary {
  std::uint8_t classes = 0;  // ByteClass
  std::uint64_t longest = 0;
};

/// Of a column of `rows` values. Nothing when the bytes are malformed.
std::optional<ValueColumnInfo> ReadValueColumnInfo(ByteReader& directory, std::uint32_t rows);

/// Reads the values of one column. The bytes given outlive it. Any thread once it is made.
class ValueColumn {
 public:
  /// `parts` are those of PartsOf. Nothing when they do not hold `rows` values as `info` says.
  static std::optional<ValueColumn> Make(const ValueColumnInfo& info,
                                         std::span<const std::string_view> parts,
                                         std::uint32_t rows);

  const ValueColumnInfo& info() const { return info_; }
  /// Writes a value at `out` and returns its end; there is room for info().most_bytes.
  char* Write(std::uint32_t row, char* out) const;
  /// Clears the marks (one for each row) of values for which the condition does not hold.
  void Keep(const LiteralSearch& search, const SlotCondition& condition,
            std::vector<std::uint8_t>& marks) const;
  /// Without the bytes it was made of.
  std::uint64_t memory_bytes() const { return numbers_.size() * 8 + ends_.size() * 4; }

 private:
  friend class RowBuilder;

  void KeepEntries(const LiteralSearch& search, const SlotCondition& condition,
                   std::vector<std::uint8_t>& marks) const;
  void KeepContaining(const LiteralSearch& search, std::string_view part, std::uint32_t count,
                      std::vector<std::uint8_t>& marks) const;
  using Parts = std::span<const std::string_view>;

  bool SetPlanes(Parts& parts, std::uint32_t count, std::uint8_t width);
  bool SetNumbers(Parts parts);
  bool SetDeltas(Parts parts);
  bool SetDictionary(Parts parts);
  bool SetBytes(Parts parts);
  bool SetTexts(Parts& parts, std::uint32_t count);
  std::string_view Text(std::uint32_t index) const {
    if (ends_.empty()) return {bytes_ + std::size_t{index} * info_.least_bytes, info_.least_bytes};
    const std::size_t begin = BeginOf(index);
    return {bytes_ + begin, ends_[index] - begin};
  }
  /// Where in bytes_ a value or an entry begins.
  std::size_t BeginOf(std::uint32_t index) const {
    if (ends_.empty()) return std::size_t{index} * info_.least_bytes;
    return index == 0 ? 0 : ends_[index - 1];
  }
  std::uint64_t NumberAt(std::uint32_t row) const {
    return info_.kind == ValueKind::kDelta ? numbers_[row] : info_.least + Plane(row);
  }
  std::uint64_t Plane(std::uint32_t row) const {
    if (plane_count_ == 1) return high_[row];
    if (plane_count_ == 2) return std::uint64_t{high_[row]} << 8 | low_[row];
    std::uint64_t number = high_[row];
    const unsigned char* low = low_ + row;
    for (std::uint8_t plane = 1; plane < plane_count_; ++plane, low += plane_rows_) {
      number = number << 8 | *low;
    }
    return number;
  }
  char* WriteNumber(std::uint64_t number, char* out) const;

  ValueColumnInfo info_;
  std::uint32_t rows_ = 0;
  const unsigned char* high_ = nullptr;  // the highest bytes of numbers or codes
  const unsigned char* low_ = nullptr;   // the planes of all others
  std::uint32_t plane_rows_ = 0;
  std::uint8_t plane_count_ = 0;
  const char* bytes_ = nullptr;         // of values, or of entries
  std::vector<std::uint64_t> numbers_;  // kDelta
  std::vector<std::uint32_t> ends_;     // of values, or entries, of several lengths
};

}  // namespace dunlin::store
