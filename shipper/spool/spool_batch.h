#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/clock.h"
#include "protocol/wire/batch.h"
#include "shipper/batcher.h"

namespace dunlin::shipper {

/// What the spool is told of a batch beside its frame.
struct SpoolBatchInfo {
  /// A gap batch stands for all sequences from the first to its own; any other for its own, and
  /// both are the same.
  std::uint64_t first_sequence = 0;
  std::uint64_t sequence = 0;
  Totals totals{};              // of its entries
  std::vector<wire::Gap> gaps;  // the markers it carries
  LogTime oldest_entry{};       // when its first entry was read, by the wall clock
  /// Everything that batches of this boot below first_sequence accounted for: per output the sum of
  /// lines and bytes in their totals and in their gaps, and the time of the latest entry. From the
  /// difference between two batches the spool knows, to the line, what damage between them took. A
  /// batch that takes the place of others has gaps that account for as much as they did, so the sum
  /// at a sequence never changes.
  Totals before{};
};

/// What the spool answers for a sequence: a batch as it was appended, or what is left of batches
/// that were dropped or damaged.
struct SpoolBatch {
  std::uint64_t first_sequence = 0;
  std::uint64_t sequence = 0;
  Totals totals{};
  std::vector<wire::Gap> gaps;  // that the frame carries, or all that a batch without frame says
  /// The wire frame that was appended, whole; empty when there is none any more. The batch to send
  /// then has no entries, these sequences and these gaps; reading it again gives the same ones,
  /// unless more of its neighbours were damaged or dropped in between.
  std::string frame;
  /// What everything up to `sequence` accounted for, as SpoolBatchInfo::before of the next one.
  Totals after{};
  /// The part of `gaps` that damage took, where the lines should be; the rest was dropped, and
  /// counted, by the agent that wrote here.
  Totals lost{};
};

/// Batches that were dropped to make room, and what takes their place.
struct SpoolDrop {
  std::uint64_t first_sequence = 0;
  std::uint64_t sequence = 0;
  std::uint64_t batches = 0;
  Totals totals{};  // entries dropped by this call; what to count under the reason
  Totals before{};  // as SpoolBatchInfo's, of first_sequence
  Totals after{};   // and of the one behind `sequence`
  /// Everything the place first_sequence..sequence now says: the dropped entries under the reason,
  /// markers that dropped batches carried, and those of an unsent gap in front that this one took
  /// in (then first_sequence is that one's).
  std::vector<wire::Gap> gaps;
};

/// Reason of the gaps that stand for lines lost to damage on disk.
inline constexpr std::string_view kSpoolDamageReason = "spool_io";

}  // namespace dunlin::shipper
