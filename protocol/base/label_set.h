#pragma once

#include <compare>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/base/result.h"

namespace dunlin {

/// Names and values, unique names in byte order: what makes a stream one stream, and the metadata
/// of an entry. A value type; two sets are the same stream exactly when they compare equal.
class LabelSet {
 public:
  using Label = std::pair<std::string, std::string>;

  LabelSet() = default;
  /// Sorts; the last of equal names wins; an empty value is the same as no label (as in
  /// Prometheus).
  LabelSet(std::initializer_list<Label> labels);
  explicit LabelSet(std::vector<Label> labels);

  /// Sets, replaces or, with an empty value, removes one label.
  void Set(std::string_view name, std::string_view value);
  void Remove(std::string_view name) { Set(name, {}); }

  /// The value, or an empty view when there is no such label.
  std::string_view Get(std::string_view name) const;
  bool Has(std::string_view name) const;

  bool empty() const { return labels_.empty(); }
  std::size_t size() const { return labels_.size(); }
  auto begin() const { return labels_.begin(); }
  auto end() const { return labels_.end(); }

  /// A hash of the encoding: equal sets have equal hashes, in every process.
  std::uint64_t Hash() const;

  /// {a="b", c="d"} with values escaped as in a LogQL string.
  std::string ToString() const;

  friend bool operator==(const LabelSet&, const LabelSet&) = default;
  friend auto operator<=>(const LabelSet&, const LabelSet&) = default;

 private:
  std::vector<Label> labels_;
};

/// The form on disk: varint count, then name and value of each label, both length-prefixed, in
/// order.
void AppendLabelSet(std::string& out, const LabelSet& labels);

class ByteReader;
/// Reads what AppendLabelSet wrote. Errors: kCorruption.
Result<LabelSet> ReadLabelSet(ByteReader& reader);

/// [a-zA-Z_][a-zA-Z0-9_]*, as Prometheus and Loki ask of label names.
bool IsValidLabelName(std::string_view name);

}  // namespace dunlin

template <>
struct std::hash<dunlin::LabelSet> {
  std::size_t operator()(const dunlin::LabelSet& labels) const noexcept { return labels.Hash(); }
};
