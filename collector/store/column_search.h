#pragma once

#include <cstdint>
#include <vector>

#include "collector/store/line_matcher.h"
#include "collector/store/lines/lines_reader.h"
#include "protocol/base/result.h"

namespace dunlin::store {

/// Rows of a block.
struct RowRange {
  std::uint32_t first = 0;
  std::uint32_t end = 0;
};

/// Appends to `rows` the rows in `range` whose lines match, in order. Templates decide first, then
/// columns; lines are rebuilt only where those cannot tell. `line_bytes` is what the lines of the
/// block take, newlines included. Errors: kCorruption, kIo.
Result<void> SelectInColumns(const LineMatcher& matcher, LinesReader& lines, RowRange range,
                             std::uint64_t line_bytes, std::vector<std::uint32_t>& rows);

}  // namespace dunlin::store
