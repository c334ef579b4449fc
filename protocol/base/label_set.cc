#include "protocol/base/label_set.h"

#include <algorithm>

#include "protocol/base/checksum.h"
#include "protocol/base/coding.h"

namespace dunlin {
namespace {

auto FindLabel(auto& labels, std::string_view name) {
  return std::lower_bound(
      labels.begin(), labels.end(), name,
      [](const LabelSet::Label& label, std::string_view n) { return label.first < n; });
}

}  // namespace

LabelSet::LabelSet(std::initializer_list<Label> labels) : LabelSet(std::vector<Label>(labels)) {}

LabelSet::LabelSet(std::vector<Label> labels) {
  labels_.reserve(labels.size());
  for (const auto& [name, value] : labels) Set(name, value);
}

void LabelSet::Set(std::string_view name, std::string_view value) {
  auto at = FindLabel(labels_, name);
  bool found = at != labels_.end() && at->first == name;
  if (value.empty()) {
    if (found) labels_.erase(at);
  } else if (found) {
    at->second = value;
  } else {
    labels_.emplace(at, name, value);
  }
}

std::string_view LabelSet::Get(std::string_view name) const {
  auto at = FindLabel(labels_, name);
  if (at == labels_.end() || at->first != name) return {};
  return at->second;
}

bool LabelSet::Has(std::string_view name) const { return !Get(name).empty(); }

std::uint64_t LabelSet::Hash() const {
  std::string bytes;
  AppendLabelSet(bytes, *this);
  return Checksum(bytes);
}

std::string LabelSet::ToString() const {
  std::string out = "{";
  for (const auto& [name, value] : labels_) {
    if (out.size() > 1) out += ", ";
    out += name;
    out += "=\"";
    for (char c : value) {
      if (c == '"' || c == '\\') out.push_back('\\');
      if (c == '\n') {
        out += "\\n";
      } else {
        out.push_back(c);
      }
    }
    out.push_back('"');
  }
  out.push_back('}');
  return out;
}

void AppendLabelSet(std::string& out, const LabelSet& labels) {
  AppendVarint(out, labels.size());
  for (const auto& [name, value] : labels) {
    AppendLengthPrefixed(out, name);
    AppendLengthPrefixed(out, value);
  }
}

Result<LabelSet> ReadLabelSet(ByteReader& reader) {
  auto count = reader.ReadVarint();
  LabelSet labels;
  std::string_view previous;
  for (std::uint64_t i = 0; count && i < *count; ++i) {
    auto name = reader.ReadLengthPrefixed();
    auto value = reader.ReadLengthPrefixed();
    bool ordered = i == 0 || (name && previous < *name);
    if (!name || !value || value->empty() || !ordered) {
      return Error(ErrorCode::kCorruption, "malformed label set");
    }
    labels.Set(*name, *value);
    previous = *name;
  }
  if (reader.failed()) return Error(ErrorCode::kCorruption, "label set ends early");
  return labels;
}

bool IsValidLabelName(std::string_view name) {
  auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  if (name.empty() || !letter(name[0])) return false;
  return std::all_of(name.begin(), name.end(),
                     [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

}  // namespace dunlin
