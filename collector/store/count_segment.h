#pragma once

#include <memory>
#include <span>
#include <vector>

#include "collector/store/count_unit.h"

namespace dunlin::store {

/// Counts what is known of a segment without reading its blocks: from their directory, or from the
/// segment's counters. `blocks` are those that may hold rows asked for; what is left to look at row
/// by row is appended to `left`. Any thread.
void CountSegment(CountPlan& plan, const std::shared_ptr<const SegmentReader>& segment,
                  std::span<const std::size_t> blocks, Tally& tally, ScanStats& stats,
                  std::vector<CountBlock>& left);

}  // namespace dunlin::store
