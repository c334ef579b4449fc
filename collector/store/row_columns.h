#pragma once

#include <cstdint>
#include <string_view>

#include "protocol/base/label_set.h"

namespace dunlin::store {

/// Rows column by column, in memory: a chunk of the head or a decoded block. Views; `text` holds
/// each line followed by one newline, `ends` where each line ends in it. Columns that a scan did
/// not ask for are null.
struct RowColumns {
  std::uint32_t rows = 0;
  const std::int64_t* times = nullptr;
  const std::uint64_t* arrivals = nullptr;  // the store's own count of rows: orders equal times
  const LabelSet* const* streams = nullptr;
  const LabelSet* const* metadata = nullptr;
  const std::uint32_t* ends = nullptr;
  std::string_view text;
  bool newline_inside = false;  // some line holds a newline of its own

  std::uint32_t LineStart(std::uint32_t row) const { return row == 0 ? 0 : ends[row - 1] + 1; }
  std::string_view Line(std::uint32_t row) const {
    std::uint32_t start = LineStart(row);
    return text.substr(start, ends[row] - start);
  }
};

}  // namespace dunlin::store
