#include "collector/logql/series_table.h"

#include <algorithm>

#include "protocol/base/coding.h"

namespace dunlin::logql {
namespace {

bool Lists(const Grouping& grouping, std::string_view name) {
  return std::find(grouping.labels.begin(), grouping.labels.end(), name) != grouping.labels.end();
}

}  // namespace

LabelSet GroupLabels(const Grouping& grouping, const LabelSet& labels) {
  bool keep_listed = grouping.kind == Grouping::Kind::kBy;
  std::vector<LabelSet::Label> left;
  for (const LabelSet::Label& label : labels) {
    if (Lists(grouping, label.first) == keep_listed) left.push_back(label);
  }
  return LabelSet(std::move(left));
}

SeriesTable::SeriesTable(std::optional<Grouping> grouping) : grouping_(std::move(grouping)) {
  if (!grouping_) return;
  std::vector<std::string>& names = grouping_->labels;
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
}

void SeriesTable::AppendKey(const EntryLabels& labels) {
  key_.clear();
  if (grouping_ && grouping_->kind == Grouping::Kind::kBy) {
    // The names are always the same: the values alone tell series apart.
    for (const std::string& name : grouping_->labels) AppendLengthPrefixed(key_, labels.Get(name));
    return;
  }
  labels.ForEach([this](std::string_view name, std::string_view value) {
    if (grouping_ && Lists(*grouping_, name)) return;
    AppendLengthPrefixed(key_, name);
    AppendLengthPrefixed(key_, value);
  });
}

std::size_t SeriesTable::IndexOf(const EntryLabels& labels) {
  AppendKey(labels);
  if (!labels_.empty() && key_ == last_key_) return last_index_;
  auto found = index_.find(std::string_view(key_));
  if (found == index_.end()) {
    LabelSet all = labels.Folded();
    labels_.push_back(grouping_ ? GroupLabels(*grouping_, all) : std::move(all));
    found = index_.emplace(key_, labels_.size() - 1).first;
    // The key twice, in the index and as labels, and what the containers add.
    bytes_ += 2 * key_.size() + labels_.back().size() * sizeof(LabelSet::Label) + 128;
  }
  last_index_ = found->second;
  last_key_ = key_;
  return last_index_;
}

}  // namespace dunlin::logql
