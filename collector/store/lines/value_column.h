#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "protocol/base/coding.h"

namespace dunlin::store {

/// How the values of a column lie in its bytes (docs/segment-format.md, "Lines").
enum class ValueKind : std::uint8_t {
  kConstant = 0,    // no bytes: the directory has the value
  kNumber = 1,      // value - least, as byte planes, the highest first
  kDelta = 2,       // difference to the value before - least difference, as byte planes
  kDictionary = 3,  // distinct values, then a number of one for each row
  kHex = 4,         // two digits a byte
  kBytes = 5,       // lengths unless all are equal, then the values one after the other
};

/// The bytes that occur in a column, by kind: what none of the values holds need not be looked for.
enum ByteClass : std::uint8_t {
  kDecimalDigits = 1,
  kLowerHexLetters = 2,
  kOtherLowerLetters = 4,
  kUpperLetters = 8,
  kOtherBytes = 16,
};
std::uint8_t ByteClassesOf(std::string_view bytes);

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
};

/// Of a column of `rows` values. Nothing when the bytes are malformed.
std::optional<ValueColumnInfo> ReadValueColumnInfo(ByteReader& directory, std::uint32_t rows);

/// Writes columns: what is known of one to `directory`, its bytes to `area`. One thread.
class ValueColumnWriter {
 public:
  /// `values` are not empty.
  void Append(std::span<const std::string_view> values, std::string& directory, std::string& area);

 private:
  bool ReadNumbers(std::span<const std::string_view> values);
  bool ReadDictionary(std::span<const std::string_view> values, std::size_t below);
  std::uint8_t ReadDeltas();
  std::size_t ChooseKind(std::span<const std::string_view> values, std::size_t text_bytes);
  void AppendDictionary(std::string& area);
  void AppendTexts(std::span<const std::string_view> texts, std::string& area);

  ValueColumnInfo info_;
  std::vector<std::uint64_t> numbers_;
  std::vector<std::uint64_t> deltas_;
  std::unordered_map<std::string_view, std::uint32_t> index_;
  std::vector<std::string_view> distinct_;
  std::vector<std::uint32_t> codes_;
};

/// Reads the values of one column. The bytes given outlive it. Any thread once it is made.
class ValueColumn {
 public:
  /// Nothing when `area` does not hold `rows` values as `info` says.
  static std::optional<ValueColumn> Make(const ValueColumnInfo& info, std::string_view area,
                                         std::uint32_t rows);

  const ValueColumnInfo& info() const { return info_; }
  /// Writes a value at `out` and returns its end; there is room for info().most_bytes.
  char* Write(std::uint32_t row, char* out) const;

 private:
  bool SetNumbers(std::string_view area);
  bool SetDeltas(std::string_view area);
  bool SetDictionary(std::string_view area);
  bool SetBytes(std::string_view area);
  std::optional<std::size_t> SetTexts(std::string_view area, std::uint32_t count);
  std::string_view Text(std::uint32_t index) const;
  std::uint64_t Plane(std::uint32_t row) const;
  char* WriteNumber(std::uint64_t number, char* out) const;

  ValueColumnInfo info_;
  std::uint32_t rows_ = 0;
  const unsigned char* planes_ = nullptr;  // of numbers or codes
  std::uint8_t plane_count_ = 0;
  const char* bytes_ = nullptr;         // of values, or of entries
  std::vector<std::uint64_t> numbers_;  // kDelta
  std::vector<std::uint32_t> ends_;     // of values, or entries, of several lengths
};

}  // namespace dunlin::store
