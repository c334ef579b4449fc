#include "collector/logql/entry_labels.h"

#include <algorithm>

namespace dunlin::logql {

void EntryLabels::Reset(const LabelSet& stream, const LabelSet& metadata) {
  stream_ = &stream;
  metadata_ = &metadata;
  if (!parsed_.empty()) parsed_ = LabelSet();
  removed_.clear();
}

std::string_view EntryLabels::Get(std::string_view name) const {
  if (!parsed_.empty()) {
    std::string_view value = parsed_.Get(name);
    if (!value.empty()) return value;
  }
  if (IsRemoved(name)) return {};
  std::string_view value = metadata_->Get(name);
  return value.empty() ? stream_->Get(name) : value;
}

void EntryLabels::SetParsed(std::string_view name, std::string_view value) {
  if (value.empty()) return Remove(name);
  parsed_.Set(name, value);
}

void EntryLabels::Remove(std::string_view name) {
  if (!parsed_.empty()) parsed_.Remove(name);
  bool stored = stream_->Has(name) || metadata_->Has(name);
  if (stored && !IsRemoved(name)) removed_.emplace_back(name);
}

bool EntryLabels::IsRemoved(std::string_view name) const {
  return std::find(removed_.begin(), removed_.end(), name) != removed_.end();
}

LabelSet EntryLabels::Without(const LabelSet& labels) const {
  LabelSet left = labels;
  for (const std::string& name : removed_) left.Remove(name);
  return left;
}

LabelSet EntryLabels::Stream() const { return Without(*stream_); }

LabelSet EntryLabels::Metadata() const { return Without(*metadata_); }

LabelSet EntryLabels::Folded() const {
  std::vector<LabelSet::Label> all;
  ForEach([&](std::string_view name, std::string_view value) { all.emplace_back(name, value); });
  return LabelSet(std::move(all));
}

}  // namespace dunlin::logql
