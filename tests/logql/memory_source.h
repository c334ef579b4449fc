#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "collector/logql/entry_counter.h"
#include "collector/logql/entry_source.h"

namespace dunlin::logql {

struct StoredEntry {
  std::int64_t time_ns = 0;
  LabelSet stream;
  LabelSet metadata;
  std::string line;
};

/// A source over a vector, which counts if asked to. Matches with code of its own, so that it can
/// be the judge of what evaluation pushes down. Unordered reads come in an order that is neither
/// ascending nor descending.
class MemorySource : public EntrySource, public EntryCounter {
 public:
  void Add(StoredEntry entry) { entries_.push_back(std::move(entry)); }

  Result<SourceStats> Read(const Selection& selection,
                           const std::function<bool(const Entry&)>& visit) override;
  EntryCounter* counter() override { return counting_ ? this : nullptr; }
  Result<EntryCounts> Count(const CountSelection& selection) override;

  void set_counting(bool counting) { counting_ = counting; }
  std::size_t counts() const { return counts_; }

  /// The last selection asked for, without the pointer to the flag.
  const Selection& last_selection() const { return last_selection_; }
  std::size_t reads() const { return reads_; }

  const std::vector<StoredEntry>& entries() const { return entries_; }

 private:
  std::vector<StoredEntry> entries_;
  Selection last_selection_;
  std::size_t reads_ = 0;
  bool counting_ = false;
  std::size_t counts_ = 0;
};

}  // namespace dunlin::logql
