#include "collector/store/lines/lines_writer.h"

#include <algorithm>
#include <numeric>

#include "protocol/base/check.h"
#include "protocol/base/checksum.h"
#include "protocol/base/coding.h"

namespace dunlin::store {
namespace {

/// A group of fewer lines costs more than it saves.
constexpr std::uint32_t kFewestRowsOfGroup = 4;
constexpr std::size_t kMostGroups = 65536;
constexpr std::size_t kFirstTableSize = 1024;

}  // namespace

void LinesWriter::Encode(std::string_view text, std::span<const TextRange> lines,
                         EncodedLines& out) {
  Check(!lines.empty(), "lines to encode");
  text_ = text;
  out.layout.clear();
  out.groups.clear();
  out.values.clear();
  out.column_ends.clear();
  CutLines(lines);
  FormGroups();
  AppendGroupsOfRows(out);
  AppendPrefixes(out);
  std::vector<std::uint32_t> begins;
  const std::vector<std::uint32_t> rows = RowsByGroup(begins);
  AppendVarint(out.layout, groups_.size());
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    AppendGroup(groups_[i], std::span(rows).subspan(begins[i], groups_[i].rows), lines, out);
  }
}

void LinesWriter::CutLines(std::span<const TextRange> lines) {
  templates_.clear();
  table_.assign(kFirstTableSize, 0);
  values_.clear();
  template_of_.clear();
  first_value_of_.clear();
  for (TextRange line : lines) {
    const std::size_t first = values_.size();
    std::string_view text = cutter_.Cut(text_, line, values_);
    const std::uint32_t number = Find(text, static_cast<std::uint32_t>(values_.size() - first));
    ++templates_[number].rows;
    template_of_.push_back(number);
    first_value_of_.push_back(static_cast<std::uint32_t>(first));
  }
}

std::uint32_t LinesWriter::Find(std::string_view text, std::uint32_t slots) {
  const std::uint64_t hash = Checksum(text, 0);
  for (std::size_t at = hash % table_.size();; at = (at + 1) % table_.size()) {
    if (table_[at] == 0) {
      templates_.push_back({std::string(text), hash, slots, 0, 0});
      table_[at] = static_cast<std::uint32_t>(templates_.size());
      if (templates_.size() * 2 > table_.size()) GrowTable();
      return static_cast<std::uint32_t>(templates_.size() - 1);
    }
    const Template& known = templates_[table_[at] - 1];
    if (known.hash == hash && known.text == text) return table_[at] - 1;
  }
}

void LinesWriter::GrowTable() {
  table_.assign(table_.size() * 4, 0);
  for (std::uint32_t number = 0; number < templates_.size(); ++number) {
    std::size_t at = templates_[number].hash % table_.size();
    while (table_[at] != 0) at = (at + 1) % table_.size();
    table_[at] = number + 1;
  }
}

void LinesWriter::FormGroups() {
  std::vector<TemplateUse> uses;
  uses.reserve(templates_.size());
  for (const Template& known : templates_) {
    const bool has_text_slot = !known.text.empty() && known.text.back() == kTextSlot;
    uses.push_back({known.text, known.slots - has_text_slot, known.rows});
  }
  prefixes_ = FindSharedPrefixes(uses);

  std::vector<std::uint32_t> frequent;
  for (std::uint32_t i = 0; i < templates_.size(); ++i) {
    if (templates_[i].rows >= kFewestRowsOfGroup) frequent.push_back(i);
  }
  std::stable_sort(frequent.begin(), frequent.end(), [this](std::uint32_t a, std::uint32_t b) {
    return templates_[a].rows > templates_[b].rows;
  });
  // One more for each prefix, and for none, in which lines are whole.
  const std::size_t most = kMostGroups - prefixes_.prefixes.size() - 1;
  if (frequent.size() > most) frequent.resize(most);

  constexpr std::uint32_t kNoGroup = UINT32_MAX;
  groups_.clear();
  for (Template& known : templates_) known.group = kNoGroup;
  for (std::uint32_t number : frequent) {
    Template& known = templates_[number];
    known.group = static_cast<std::uint32_t>(groups_.size());
    const std::uint32_t prefix = prefixes_.of_template[number];
    const std::uint32_t shared = prefix == 0 ? 0 : prefixes_.prefixes[prefix - 1].slots;
    groups_.push_back({known.text, prefix, known.slots - shared, known.rows, false});
  }
  whole_texts_.assign(prefixes_.prefixes.size() + 1, std::string());
  std::vector<std::uint32_t> whole(prefixes_.prefixes.size() + 1, kNoGroup);
  for (std::uint32_t number = 0; number < templates_.size(); ++number) {
    Template& known = templates_[number];
    if (known.group != kNoGroup) continue;
    const std::uint32_t prefix = prefixes_.of_template[number];
    if (whole[prefix] == kNoGroup) {
      whole[prefix] = static_cast<std::uint32_t>(groups_.size());
      std::string& text = whole_texts_[prefix];
      if (prefix > 0) text = prefixes_.prefixes[prefix - 1].text;
      text.push_back(kTextSlot);
      groups_.push_back({text, prefix, 1, 0, true});
    }
    known.group = whole[prefix];
    groups_[known.group].rows += known.rows;
  }
}

void LinesWriter::AppendGroupsOfRows(EncodedLines& out) const {
  const std::size_t rows = template_of_.size();
  const bool two_bytes = groups_.size() > 256;
  out.groups.resize(rows * (two_bytes ? 2 : 1));
  char* at = out.groups.data();
  if (two_bytes) {
    for (std::uint32_t number : template_of_) {
      *at++ = static_cast<char>(templates_[number].group >> 8);
    }
  }
  for (std::uint32_t number : template_of_) *at++ = static_cast<char>(templates_[number].group);
}

std::vector<std::uint32_t> LinesWriter::RowsByGroup(std::vector<std::uint32_t>& begins) const {
  begins.assign(groups_.size() + 1, 0);
  for (std::size_t i = 0; i < groups_.size(); ++i) begins[i + 1] = begins[i] + groups_[i].rows;
  std::vector<std::uint32_t> next(begins.begin(), begins.end() - 1);
  std::vector<std::uint32_t> rows(template_of_.size());
  for (std::uint32_t row = 0; row < rows.size(); ++row) {
    rows[next[templates_[template_of_[row]].group]++] = row;
  }
  return rows;
}

void LinesWriter::AppendPrefixes(EncodedLines& out) {
  std::vector<std::vector<std::uint32_t>> rows(prefixes_.prefixes.size());
  for (std::uint32_t row = 0; row < template_of_.size(); ++row) {
    const std::uint32_t prefix = prefixes_.of_template[template_of_[row]];
    if (prefix > 0) rows[prefix - 1].push_back(row);
  }
  AppendVarint(out.layout, prefixes_.prefixes.size());
  for (std::size_t i = 0; i < prefixes_.prefixes.size(); ++i) {
    AppendVarint(out.layout, rows[i].size());
    AppendVarint(out.layout, prefixes_.prefixes[i].slots);
    for (std::uint32_t slot = 0; slot < prefixes_.prefixes[i].slots; ++slot) {
      column_.clear();
      for (std::uint32_t row : rows[i]) {
        const TextRange value = values_[first_value_of_[row] + slot];
        column_.push_back(text_.substr(value.offset, value.bytes));
      }
      AppendColumn(out);
    }
  }
}

void LinesWriter::AppendGroup(const Group& group, std::span<const std::uint32_t> rows,
                              std::span<const TextRange> lines, EncodedLines& out) {
  AppendVarint(out.layout, dictionary_.Add(group.text));
  AppendVarint(out.layout, group.prefix);
  AppendVarint(out.layout, group.rows);
  const std::uint32_t shared = group.prefix == 0 ? 0 : prefixes_.prefixes[group.prefix - 1].slots;
  for (std::uint32_t slot = 0; slot < group.own_slots; ++slot) {
    column_.clear();
    for (std::uint32_t row : rows) {
      const std::uint32_t first = first_value_of_[row];
      TextRange value;
      if (!group.whole) {
        value = values_[first + shared + slot];
      } else {
        const TextRange line = lines[row];
        value.offset = line.offset;
        if (shared > 0) {
          const TextRange last = values_[first + shared - 1];
          value.offset = last.offset + last.bytes;
        }
        value.bytes = line.offset + line.bytes - value.offset;
      }
      column_.push_back(text_.substr(value.offset, value.bytes));
    }
    AppendColumn(out);
  }
}

void LinesWriter::AppendColumn(EncodedLines& out) {
  columns_.Append(column_, out.layout, out.values);
  if (out.column_ends.empty() || out.column_ends.back() != out.values.size()) {
    out.column_ends.push_back(out.values.size());
  }
}

}  // namespace dunlin::store
