#include "collector/store/lines/lines_writer.h"

#include <algorithm>
#include <numeric>

#include "protocol/base/check.h"
#include "protocol/base/coding.h"

namespace dunlin::store {
namespace {

/// A group of fewer lines costs more than it saves.
constexpr std::uint32_t kFewestRowsOfGroup = 4;
constexpr std::size_t kMostGroups = 65536;
constexpr std::size_t kFirstTableSize = 1024;
/// So many templates, and one for every second line, are not too many yet.
constexpr std::size_t kFewTemplates = 512;
constexpr std::size_t kMostTemplates = 65536;
/// Of text, for each value; with fewer the values take more memory than they are worth.
constexpr std::size_t kFewestBytesOfValue = 3;
constexpr std::size_t kFewValues = 16384;

}  // namespace

void LinesWriter::Encode(std::string_view text, std::span<const TextRange> lines,
                         EncodedLines& out) {
  Check(!lines.empty(), "lines to encode");
  text_ = text;
  out.layout.clear();
  out.templates.clear();
  out.groups.clear();
  streams_.Clear();
  CutLines(lines);
  FormGroups();
  AppendGroupsOfRows(out);
  infos_.clear();
  AppendPrefixes(out);
  std::vector<std::uint32_t> begins;
  const std::vector<std::uint32_t> rows = RowsByGroup(begins);
  AppendVarint(out.layout, groups_.size());
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    AppendGroup(groups_[i], std::span(rows).subspan(begins[i], groups_[i].rows), lines, out);
  }
  out.layout += infos_;
  streams_.Finish(out.values, out.frame_ends);
}

void LinesWriter::BeginColumns() {
  infos_begin_ = infos_.size();
  summary_ = {};
}

void LinesWriter::EndColumns(EncodedLines& out) {
  AppendVarint(out.layout, infos_.size() - infos_begin_);
  out.layout.push_back(static_cast<char>(summary_.classes));
  AppendVarint(out.layout, summary_.longest);
}

/// Lines that have hardly a template in common are cut as far as the prefix goes that most of them
/// share; when there is none, they are whole.
void LinesWriter::CutLines(std::span<const TextRange> lines) {
  if (CutLines(lines, kMaxValues)) return;
  std::size_t most_values = 0;
  std::size_t most_rows = 0;
  const SharedPrefixes found = FindSharedPrefixes(Uses());
  std::vector<std::size_t> rows(found.prefixes.size());
  for (std::size_t i = 0; i < templates_.size(); ++i) {
    const std::uint32_t prefix = found.of_template[i];
    if (prefix == 0) continue;
    rows[prefix - 1] += templates_[i].rows;
    if (rows[prefix - 1] <= most_rows) continue;
    most_rows = rows[prefix - 1];
    most_values = found.prefixes[prefix - 1].slots;
  }
  if (most_values > 0 && CutLines(lines, most_values)) return;
  CutLines(lines, 0);
}

/// False as soon as there are too many templates, or values.
bool LinesWriter::CutLines(std::span<const TextRange> lines, std::size_t most_values) {
  templates_.clear();
  table_.assign(kFirstTableSize, {});
  template_of_.clear();
  first_value_of_.clear();
  std::size_t used = 0;
  const std::size_t room =
      kMaxValues + std::max(lines.size(), kFewValues + text_.size() / kFewestBytesOfValue);
  if (values_room_ < room) {
    values_room_ = room;
    values_ = std::make_unique_for_overwrite<CutValue[]>(room);
  }
  for (TextRange line : lines) {
    const LineCut cut = cutter_.Cut(text_, line, values_.get() + used, most_values);
    const std::uint32_t number = Find(line, cut, {values_.get() + used, cut.values});
    ++templates_[number].rows;
    template_of_.push_back(number);
    first_value_of_.push_back(static_cast<std::uint32_t>(used));
    used += cut.values;
    const std::size_t most = std::min(kMostTemplates, kFewTemplates + template_of_.size() / 2);
    const std::size_t bytes = line.offset + line.bytes - lines.front().offset;
    if (templates_.size() > most) return false;
    if (most_values > 0 && used > kFewValues + bytes / kFewestBytesOfValue) return false;
  }
  return true;
}

std::uint32_t LinesWriter::Find(TextRange line, const LineCut& cut,
                                std::span<const CutValue> values) {
  for (std::size_t at = cut.hash;; ++at) {
    at &= table_.size() - 1;
    const KnownHash known = table_[at];
    if (known.number == 0) {
      const auto number = static_cast<std::uint32_t>(templates_.size());
      Template& added = templates_.emplace_back();
      AppendTemplate(text_, line, cut, values, added.padded);
      added.padded.resize(added.padded.size() + kTemplatePadding);
      added.slots = cut.values;
      added.has_rest = cut.has_rest;
      table_[at] = {cut.hash, number + 1};
      if (templates_.size() * 2 > table_.size()) GrowTable();
      return number;
    }
    if (known.hash == cut.hash &&
        HasTemplate(text_, line, cut, values, templates_[known.number - 1].text())) {
      return known.number - 1;
    }
  }
}

void LinesWriter::GrowTable() {
  std::vector<KnownHash> larger(table_.size() * 4);
  for (const KnownHash& known : table_) {
    if (known.number == 0) continue;
    std::size_t at = known.hash & (larger.size() - 1);
    while (larger[at].number != 0) at = (at + 1) & (larger.size() - 1);
    larger[at] = known;
  }
  table_ = std::move(larger);
}

std::vector<TemplateUse> LinesWriter::Uses() const {
  std::vector<TemplateUse> uses;
  uses.reserve(templates_.size());
  for (const Template& known : templates_) {
    uses.push_back({known.text(), known.slots - known.has_rest, known.rows});
  }
  return uses;
}

void LinesWriter::FormGroups() {
  prefixes_ = FindSharedPrefixes(Uses());

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
    groups_.push_back({known.text(), prefix, known.slots - shared, known.rows, false});
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
    const std::uint32_t slots = prefixes_.prefixes[i].slots;
    GatherColumns(rows[i], 0, slots);
    BeginColumns();
    for (std::uint32_t slot = 0; slot < slots; ++slot) {
      AppendColumn(std::span(columns_values_).subspan(slot * rows[i].size(), rows[i].size()));
    }
    EndColumns(out);
  }
}

/// Turns rows of values into columns.
void LinesWriter::GatherColumns(std::span<const std::uint32_t> rows, std::uint32_t first_slot,
                                std::uint32_t slots) {
  constexpr std::size_t kAhead = 8;
  const std::size_t count = rows.size();
  if (columns_values_.size() < count * slots) columns_values_.resize(count * slots);
  for (std::size_t i = 0; i < count; ++i) {
    if (i + kAhead < count) {
      __builtin_prefetch(&values_[first_value_of_[rows[i + kAhead]] + first_slot]);
    }
    const CutValue* from = &values_[first_value_of_[rows[i]] + first_slot];
    CutValue* to = &columns_values_[i];
    for (std::uint32_t slot = 0; slot < slots; ++slot, to += count) *to = from[slot];
  }
}

/// What comes behind the values of the prefix.
void LinesWriter::GatherRests(std::span<const std::uint32_t> rows, std::span<const TextRange> lines,
                              std::uint32_t shared) {
  if (columns_values_.size() < rows.size()) columns_values_.resize(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const TextRange line = lines[rows[i]];
    std::uint32_t begin = line.offset;
    if (shared > 0) {
      const CutValue& last = values_[first_value_of_[rows[i]] + shared - 1];
      begin = last.offset + last.bytes();
    }
    columns_values_[i] = {{begin, line.offset + line.bytes - begin}, ValueForm::kText, 0};
  }
}

void LinesWriter::AppendGroup(const Group& group, std::span<const std::uint32_t> rows,
                              std::span<const TextRange> lines, EncodedLines& out) {
  out.templates.push_back(dictionary_.Add(group.text));
  AppendVarint(out.layout, group.prefix);
  AppendVarint(out.layout, group.rows);
  const std::uint32_t shared = group.prefix == 0 ? 0 : prefixes_.prefixes[group.prefix - 1].slots;
  BeginColumns();
  if (group.whole) {
    GatherRests(rows, lines, shared);
  } else if (group.own_slots > 0) {
    GatherColumns(rows, shared, group.own_slots);
  }
  for (std::uint32_t slot = 0; slot < group.own_slots; ++slot) {
    AppendColumn(std::span(columns_values_).subspan(slot * rows.size(), rows.size()));
  }
  EndColumns(out);
}

void LinesWriter::AppendColumn(std::span<const CutValue> values) {
  const ValueColumnInfo& info = columns_.Append(text_, values, infos_, streams_);
  summary_.classes |= info.classes;
  summary_.longest = std::max<std::uint64_t>(summary_.longest, info.most_bytes);
}

}  // namespace dunlin::store
