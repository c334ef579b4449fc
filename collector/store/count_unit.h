#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "collector/store/count_intervals.h"
#include "collector/store/count_tally.h"
#include "collector/store/scan_unit.h"

namespace dunlin::store {

/// One count, made ready. Immutable while units are counted, but for the parts that any thread may
/// change.
struct CountPlan {
  explicit CountPlan(const CountRequest& counted)
      : request(counted),
        intervals(counted.edges),
        groups(counted),
        memory(counted.max_memory_bytes) {}

  const CountRequest& request;
  CountIntervals intervals;
  ScanPlan scan;  // of the streams and lines asked for
  GroupTable groups;
  CountMemory memory;
};

/// What is counted of one stream of a block.
enum class CountedRows : std::uint8_t {
  kNone,
  kAll,
  kInSplitBuckets,  // all others are known from the segment's counters
};

/// A block whose rows are looked at one by one.
struct CountBlock {
  std::shared_ptr<const SegmentReader> segment;  // shared: the view may be replaced meanwhile
  std::size_t block = 0;
  std::vector<CountedRows> streams;  // for each stream of the block
  /// Whether a row's metadata can hold a label that `group_of` is shown; nothing: not known.
  std::optional<bool> metadata_shown;
};

/// Adds the rows of a block to the tally; of one that is damaged none. Errors: kCorruption, kIo.
Result<void> CountRowsOf(CountPlan& plan, const CountBlock& block, Tally& tally, ScanStats& stats);

/// Adds the rows of a slice of a head.
void CountRowsOf(CountPlan& plan, const HeadSlice& slice, Tally& tally, ScanStats& stats);

}  // namespace dunlin::store
