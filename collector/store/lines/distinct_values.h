#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "collector/store/lines/line_cutter.h"

namespace dunlin::store {

/// The distinct ones of values, and for each value which one it is. One thread.
class DistinctValues {
 public:
  /// Values are of `text`; `numbers` tell values of one form and length apart, except texts, of
  /// which they are hashes. False as soon as entries and codes are sure to take `below` bytes or
  /// more; nothing holds then.
  bool Find(std::string_view text, std::span<const CutValue> values,
            std::span<const std::uint64_t> numbers, bool one_length, std::size_t below);

  const std::vector<CutValue>& entries() const { return entries_; }
  const std::vector<std::uint16_t>& codes() const { return codes_; }

 private:
  void Grow();

  struct Entry {
    std::uint64_t hash = 0;
    std::uint32_t code = 0;  // + 1
  };
  std::vector<Entry> table_;  // open addressing
  std::vector<CutValue> entries_;
  std::vector<std::uint64_t> entry_numbers_;
  std::vector<std::uint16_t> codes_;
};

}  // namespace dunlin::store
