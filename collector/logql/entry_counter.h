#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "collector/logql/entry_source.h"
#include "protocol/base/label_set.h"
#include "protocol/base/result.h"

namespace dunlin::logql {

/// Label names: those listed, or all but those.
struct LabelNames {
  enum class Kind { kListed, kAllBut };
  Kind kind = Kind::kListed;
  std::vector<std::string> names;
  friend bool operator==(const LabelNames&, const LabelNames&) = default;
};

struct CountSelection {
  /// Ascending, at least two, the last below the end of the clock. Entries are counted for each
  /// interval (edges[i], edges[i + 1]].
  std::vector<std::int64_t> edges;
  std::vector<Matcher> matchers;
  std::vector<LineFilter> filters;  // all must hold
  /// The labels of an entry's metadata that `group_of` is shown.
  LabelNames metadata;
  /// The group that entries with these labels are counted in, numbered from 0; nothing: they are
  /// not. One call at a time, from any thread; also for a few combinations without entries.
  std::function<std::optional<std::size_t>(const LabelSet& stream, const LabelSet& metadata)>
      group_of;
  bool bytes = false;           // of the lines, too
  std::uint64_t max_bytes = 0;  // of memory, for counts
  const std::atomic<bool>* cancelled = nullptr;
};

struct IntervalCount {
  std::uint64_t entries = 0;
  std::uint64_t bytes = 0;  // of their lines; zero unless asked for
};

/// The counts of the intervals `first`, `first` + 1, ...; the others have no entries.
struct GroupCounts {
  std::size_t first = 0;
  std::vector<IntervalCount> intervals;
};

struct EntryCounts {
  std::vector<GroupCounts> groups;  // by number; some at the end may be missing
  SourceStats stats;
};

/// Counts entries without visiting them. Any thread.
class EntryCounter {
 public:
  virtual ~EntryCounter() = default;
  /// Errors: kCancelled, kInvalidArgument, kIo, kExhausted past `max_bytes`.
  virtual Result<EntryCounts> Count(const CountSelection& selection) = 0;
};

}  // namespace dunlin::logql
