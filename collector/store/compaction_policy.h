#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "protocol/base/units.h"

namespace dunlin::store {

/// When segments of one day are merged (docs/segment-format.md, "Merging").
struct CompactionRules {
  /// Text of segments from heads that is worth a merge, and about what one merge takes.
  std::uint64_t merge_bytes = 512_MiB;
  /// Segments of one level that are too many, however small.
  std::size_t fan_in = 16;
  /// Text of a block of what is merged, at most; a longer line is a block of its own.
  std::uint64_t block_bytes = 24_MiB;
  /// A day to which nothing was added for so long is tidied up with what it has.
  std::chrono::nanoseconds quiet{std::chrono::hours(1)};
};

/// What the policy looks at in a segment.
struct MergeCandidate {
  std::int64_t day = 0;
  std::uint32_t level = 0;  // 0: written from a head; merged: one more than what it was made of
  std::uint64_t line_bytes = 0;
  std::int64_t created_ns = 0;
};

/// The candidates to merge into one segment next, as indexes, oldest first; empty when there is
/// nothing to do. They are of one day, and several, or one of level 0, whose blocks are rewritten.
/// Applying the answer again and again comes to an end.
std::vector<std::size_t> SelectMerge(const std::vector<MergeCandidate>& candidates,
                                     std::int64_t now_ns, const CompactionRules& rules);

/// The same for whoever wants all of each day merged now: what is not large already, into one.
std::vector<std::size_t> SelectFullMerge(const std::vector<MergeCandidate>& candidates,
                                         const CompactionRules& rules);

}  // namespace dunlin::store
