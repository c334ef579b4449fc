#pragma once

#include <cstdint>
#include <vector>

#include "collector/store/block_reader.h"
#include "collector/store/column_search.h"
#include "collector/store/line_matcher.h"

/// What is found out about the lines of a block without making lines of it where that can be
/// avoided. Errors: kCorruption, kIo.
namespace dunlin::store {

/// Appends the rows in `range` whose lines match.
Result<void> SelectMatching(BlockReader& block, const LineMatcher& matcher, RowRange range,
                            std::vector<std::uint32_t>& rows);

/// Leaves of `rows`, which are few of the block, those whose lines match.
Result<void> KeepMatching(BlockReader& block, const LineMatcher& matcher,
                          std::vector<std::uint32_t>& rows);

/// The bytes of the lines of some rows: `lengths[i]` of rows[i].
Result<void> LoadLengths(BlockReader& block, const std::vector<std::uint32_t>& rows,
                         std::vector<std::uint32_t>& lengths);

}  // namespace dunlin::store
