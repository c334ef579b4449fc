#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "collector/store/lines/value_column.h"

namespace dunlin::store {

/// Writes the values of one row after the other, with fixed text in front of each: what it takes is
/// brought together from columns, whose lines of cache are many. Columns and texts outlive it. Any
/// thread.
class RowBuilder {
 public:
  /// kLooseBytes behind `fixed` can be read.
  void Add(std::string_view fixed, const ValueColumn& column);
  void Reserve(std::size_t slots) { steps_.reserve(slots); }

  /// Writes the values of row `nth` at `out`, where there is room for the longest and kLooseBytes;
  /// returns their end.
  char* Write(std::uint32_t nth, char* out) const;

 private:
  enum class How : std::uint8_t { kByte, kTwoBytes, kEntryOfByte, kEntryOfTwoBytes, kText, kOther };

  /// A line of cache.
  struct alignas(64) Step {
    const char* fixed = nullptr;
    std::uint32_t fixed_bytes = 0;
    std::uint32_t text_bytes = 0;  // of entries, without ends
    const unsigned char* high = nullptr;
    const unsigned char* low = nullptr;
    std::uint64_t least = 0;
    const std::uint32_t* ends = nullptr;
    union {
      const char* texts;                    // of entries
      const ValueColumn* column = nullptr;  // kOther
    };
    How how = How::kOther;
    std::uint8_t digits = 0;  // of numbers, when all have as many
  };
  static_assert(sizeof(Step) == 64);
  static char* WriteNumber(const Step& step, std::uint64_t number, char* out);
  static char* WriteEntry(const Step& step, std::uint32_t code, char* out);

  std::vector<Step> steps_;
};

}  // namespace dunlin::store
