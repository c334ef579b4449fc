#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/base/label_set.h"

namespace dunlin::logql {

/// The labels of one entry while a query works on it: those of its stream, its metadata, and those
/// the query made, without copying the first two. Lookups see the strongest: parsed over metadata
/// over stream. Reset() points it at another entry and keeps its memory.
class EntryLabels {
 public:
  /// Both sets must outlive the use of the labels.
  void Reset(const LabelSet& stream, const LabelSet& metadata);

  /// Empty when there is no such label.
  std::string_view Get(std::string_view name) const;
  /// Sets a label made by the query; an empty value is the same as Remove().
  void SetParsed(std::string_view name, std::string_view value);
  /// Removes the label, whichever its kind.
  void Remove(std::string_view name);

  /// Calls visit(name, value) for every label the entry has, in name order.
  template <typename Visit>
  void ForEach(Visit visit) const;

  /// The three kinds, as they are left.
  LabelSet Stream() const;
  LabelSet Metadata() const;
  const LabelSet& Parsed() const { return parsed_; }
  /// All of them as one set.
  LabelSet Folded() const;

 private:
  bool IsRemoved(std::string_view name) const;
  LabelSet Without(const LabelSet& labels) const;

  const LabelSet* stream_ = nullptr;
  const LabelSet* metadata_ = nullptr;
  LabelSet parsed_;
  std::vector<std::string> removed_;  // from stream and metadata
};

template <typename Visit>
void EntryLabels::ForEach(Visit visit) const {
  // A merge of three sorted lists; of equal names the strongest kind's label counts.
  auto parsed = parsed_.begin();
  auto metadata = metadata_->begin();
  auto stream = stream_->begin();
  for (;;) {
    const LabelSet::Label* next = parsed != parsed_.end() ? &*parsed : nullptr;
    bool stored = next == nullptr;
    if (metadata != metadata_->end() && (next == nullptr || metadata->first < next->first)) {
      next = &*metadata;
      stored = true;
    }
    if (stream != stream_->end() && (next == nullptr || stream->first < next->first)) {
      next = &*stream;
      stored = true;
    }
    if (next == nullptr) return;
    const std::string& name = next->first;
    if (!stored || !IsRemoved(name)) visit(std::string_view(name), std::string_view(next->second));
    // `name` lives in one of the lists, which passing it leaves in place.
    if (parsed != parsed_.end() && parsed->first == name) ++parsed;
    if (metadata != metadata_->end() && metadata->first == name) ++metadata;
    if (stream != stream_->end() && stream->first == name) ++stream;
  }
}

}  // namespace dunlin::logql
