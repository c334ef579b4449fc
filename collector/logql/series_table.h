#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "collector/logql/ast.h"
#include "collector/logql/entry_labels.h"
#include "protocol/base/label_set.h"

namespace dunlin::logql {

/// The labels that a grouping leaves of `labels`: those listed, or all but those.
LabelSet GroupLabels(const Grouping& grouping, const LabelSet& labels);

/// Numbers the series that entries belong to, 0, 1, 2, ..., by their labels or by what a grouping
/// leaves of them. Knows a series again without building its label set.
class SeriesTable {
 public:
  /// Without a grouping a series is one complete set of labels.
  explicit SeriesTable(std::optional<Grouping> grouping);

  std::size_t IndexOf(const EntryLabels& labels);

  std::size_t size() const { return labels_.size(); }
  const LabelSet& labels(std::size_t index) const { return labels_[index]; }
  /// About what the table occupies.
  std::uint64_t bytes() const { return bytes_; }

 private:
  struct KeyHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view key) const noexcept {
      return std::hash<std::string_view>()(key);
    }
  };

  void AppendKey(const EntryLabels& labels);

  std::optional<Grouping> grouping_;  // its labels sorted and unique
  std::string key_;                   // of the entry at hand
  std::string last_key_;              // neighbours in time are often neighbours in series
  std::size_t last_index_ = 0;
  std::unordered_map<std::string, std::size_t, KeyHash, std::equal_to<>> index_;
  std::vector<LabelSet> labels_;
  std::uint64_t bytes_ = 0;
};

}  // namespace dunlin::logql
