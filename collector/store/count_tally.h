#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

#include "collector/store/store.h"

namespace dunlin::store {

/// Which group is meant by a stream and what is shown of a row's metadata. Any thread.
class GroupTable {
 public:
  explicit GroupTable(const CountRequest& request) : request_(request) {}

  /// Equal streams are one object. Nothing: such rows are not counted.
  std::optional<std::size_t> Of(const LabelSet* stream, const LabelSet& shown);
  /// The same for a row's whole metadata.
  std::optional<std::size_t> OfWhole(const LabelSet* stream, const LabelSet& metadata);

 private:
  using ByMetadata = std::unordered_map<LabelSet, std::optional<std::size_t>>;
  const CountRequest& request_;
  std::mutex mutex_;
  std::unordered_map<const LabelSet*, ByMetadata> known_;
};

/// How much memory the counts of a request take, and whether that is too much. Any thread.
class CountMemory {
 public:
  explicit CountMemory(std::uint64_t max_bytes) : max_bytes_(max_bytes) {}
  /// False when there is no room for so much more.
  bool Take(std::uint64_t bytes);
  void Return(std::uint64_t bytes) { bytes_ -= bytes; }
  bool exceeded() const { return exceeded_; }

 private:
  const std::uint64_t max_bytes_;
  std::atomic<std::uint64_t> bytes_{0};
  std::atomic<bool> exceeded_{false};
};

/// Counts of one thread, by group and interval. Past the memory's limit they are incomplete.
class Tally {
 public:
  explicit Tally(CountMemory& memory) : memory_(memory) {}
  ~Tally() { memory_.Return(taken_); }
  Tally(const Tally&) = delete;
  Tally& operator=(const Tally&) = delete;

  /// Stays where it is.
  CountedGroup& Group(std::size_t number) { return groups_[number]; }

  void Add(CountedGroup& group, std::size_t interval, const RowCount& more) {
    std::size_t at = interval - group.first;
    if (interval < group.first || at >= group.intervals.size()) {
      if (!Cover(group, interval)) return;
      at = interval - group.first;
    }
    group.intervals[at].rows += more.rows;
    group.intervals[at].line_bytes += more.line_bytes;
  }

  /// Adds all of `other`.
  void Merge(const Tally& other);
  /// Of rows counted so far.
  std::uint64_t rows() const;
  std::vector<CountedGroup> Take() &&;

 private:
  /// Makes room for one more interval.
  bool Cover(CountedGroup& group, std::size_t interval);

  CountMemory& memory_;
  std::uint64_t taken_ = 0;
  std::unordered_map<std::size_t, CountedGroup> groups_;
};

}  // namespace dunlin::store
