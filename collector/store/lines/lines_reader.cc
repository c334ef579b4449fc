#include "collector/store/lines/lines_reader.h"

#include <algorithm>
#include <utility>

#include "collector/store/lines/line_builder.h"
#include "collector/store/lines/line_cutter.h"
#include "collector/store/lines/template_dictionary.h"
#include "collector/store/lines/text_copy.h"
#include "protocol/base/check.h"
#include "protocol/base/text.h"

namespace dunlin::store {
namespace {

Error Damaged(std::string_view what) {
  return Error(ErrorCode::kCorruption, Join("damaged lines: ", what));
}

}  // namespace

Result<LinesReader> LinesReader::Open(std::string_view layout,
                                      std::span<const std::uint32_t> numbers,
                                      std::string_view groups, std::uint32_t rows,
                                      std::span<const std::string> dictionary, ValueBytes& values) {
  LinesReader lines;
  lines.dictionary_ = dictionary;
  lines.numbers_ = numbers;
  lines.group_of_rows_ = groups;
  lines.values_ = &values;
  lines.rows_ = rows;
  ByteReader reader(layout);
  if (!lines.ReadPrefixes(reader)) return Damaged("shared columns");
  const std::uint64_t count = reader.ReadVarint().value_or(0);
  if (count == 0 || count > rows || count != numbers.size()) return Damaged("number of groups");
  lines.groups_.reserve(count);
  for (std::uint32_t number : numbers) {
    if (!lines.ReadGroup(reader, number)) return Damaged("group");
  }
  if (!lines.PlaceInfos(reader.rest())) return Damaged("columns");
  return lines;
}

/// What the layout says of all columns of a prefix or a group.
bool LinesReader::ReadColumns(ByteReader& layout, Columns& columns) {
  columns.infos_size = layout.ReadVarint().value_or(UINT64_MAX);
  columns.summary.classes = layout.ReadFixed<std::uint8_t>().value_or(0);
  columns.summary.longest = layout.ReadVarint().value_or(0);
  return !layout.failed();
}

bool LinesReader::ReadPrefixes(ByteReader& layout) {
  const std::uint64_t count = layout.ReadVarint().value_or(UINT64_MAX);
  if (count > rows_) return false;
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t rows = layout.ReadVarint().value_or(0);
    const std::uint64_t slots = layout.ReadVarint().value_or(0);
    if (rows == 0 || rows > rows_ || slots == 0 || slots > kMaxValues) return false;
    Columns& columns = prefixes_.emplace_back();
    columns.rows = static_cast<std::uint32_t>(rows);
    prefix_slots_.push_back(static_cast<std::uint32_t>(slots));
    if (!ReadColumns(layout, columns)) return false;
  }
  return true;
}

bool LinesReader::ReadGroup(ByteReader& layout, std::uint32_t number) {
  const std::uint64_t prefix = layout.ReadVarint().value_or(UINT64_MAX);
  const std::uint64_t rows = layout.ReadVarint().value_or(0);
  if (number >= dictionary_.size() || prefix > prefixes_.size() || rows == 0 || rows > rows_) {
    return false;
  }
  Group& group = groups_.emplace_back();
  group.text = dictionary_[number];
  group.prefix = static_cast<std::uint32_t>(prefix);
  group.own.rows = static_cast<std::uint32_t>(rows);
  return ReadColumns(layout, group.own);
}

/// Gives prefixes and groups their parts of what is known of columns.
bool LinesReader::PlaceInfos(std::string_view infos) {
  auto place = [&](Columns& columns) {
    if (columns.infos_size > infos.size()) return false;
    columns.infos_bytes = infos.substr(0, columns.infos_size);
    infos.remove_prefix(columns.infos_size);
    return true;
  };
  return std::all_of(prefixes_.begin(), prefixes_.end(), place) &&
         std::all_of(groups_.begin(), groups_.end(),
                     [&](Group& group) { return place(group.own); }) &&
         infos.empty();
}

/// Finds where in the streams the columns of each prefix and group begin, which takes going
/// through what is known of all columns once.
Result<void> LinesReader::PlaceValues() {
  if (placed_) return {};
  bool good = true;
  std::uint64_t bytes = 0;
  StreamPlaces ends{};
  auto place = [&](Columns& columns) {
    columns.begins = ends;
    for (ByteReader reader(columns.infos_bytes); good && !reader.empty();) {
      const auto info = ReadValueColumnInfo(reader, columns.rows);
      const auto parts = info ? PartsOf(*info, columns.rows) : std::nullopt;
      good = parts && info->area_bytes <= UINT64_MAX - bytes;
      if (!good) return;
      bytes += info->area_bytes;
      for (std::size_t i = 0; i < parts->count; ++i) {
        ends[parts->parts[i].stream] += parts->parts[i].bytes;
      }
    }
  };
  for (Columns& prefix : prefixes_) place(prefix);
  for (Group& group : groups_) place(group.own);
  if (!good) return Damaged("bytes of columns");
  std::uint64_t begin = 0;
  for (std::size_t stream = 0; stream < kValueStreams; ++stream) {
    stream_begins_[stream] = begin;
    begin += ends[stream];
  }
  value_bytes_ = bytes;
  placed_ = true;
  return {};
}

/// Where the parts of each column are; of open columns, once values are placed.
void LinesReader::PlaceColumns(Columns& columns) {
  columns.offsets.resize(columns.infos.size());
  StreamPlaces at = columns.begins;
  for (std::size_t slot = 0; slot < columns.infos.size(); ++slot) {
    const auto parts = PartsOf(columns.infos[slot], columns.rows);
    for (std::size_t i = 0; i < parts->count; ++i) {
      const ValuePart& part = parts->parts[i];
      columns.offsets[slot][i] = stream_begins_[part.stream] + at[part.stream];
      at[part.stream] += part.bytes;
    }
  }
}

Result<void> LinesReader::OpenColumns(Columns& columns, std::uint32_t slots) {
  if (columns.opened) return {};
  ByteReader reader(columns.infos_bytes);
  ValueSummary summary;
  columns.infos.clear();
  columns.infos.reserve(slots);
  for (std::uint32_t slot = 0; slot < slots; ++slot) {
    auto info = ReadValueColumnInfo(reader, columns.rows);
    if (!info) return Damaged("column");
    columns.infos.push_back(*info);
    summary.classes |= info->classes;
    summary.longest = std::max<std::uint64_t>(summary.longest, info->most_bytes);
  }
  if (!reader.empty() || summary.classes != columns.summary.classes ||
      summary.longest != columns.summary.longest) {
    return Damaged("columns of a group");
  }
  columns.columns.resize(slots);
  columns.opened = true;
  return {};
}

Result<void> LinesReader::OpenGroup(std::uint32_t number) {
  Group& group = groups_[number];
  if (!group.fixed.empty()) return {};
  const std::optional<std::uint32_t> slots = SlotsOf(group.text);
  const std::uint32_t shared = SharedSlots(group);
  if (!slots || *slots < shared) return Damaged("template");
  if (auto opened = OpenColumns(group.own, *slots - shared); !opened) return opened;
  group.most_bytes = group.text.size();
  if (group.prefix > 0) {
    Columns& prefix = prefixes_[group.prefix - 1];
    if (auto opened = OpenColumns(prefix, shared); !opened) return opened;
    for (const ValueColumnInfo& info : prefix.infos) group.most_bytes += info.most_bytes;
  }
  for (const ValueColumnInfo& info : group.own.infos) group.most_bytes += info.most_bytes;
  group.fixed.reserve(*slots + 1);
  std::size_t begin = 0;
  for (std::size_t i = 0; i < group.text.size(); ++i) {
    if (group.text[i] != kValueSlot && group.text[i] != kTextSlot) continue;
    group.fixed.push_back(group.text.substr(begin, i - begin));
    begin = i + 1;
  }
  group.fixed.push_back(group.text.substr(begin));
  if (group.prefix == 0) return {};
  std::size_t bytes = shared;
  for (std::size_t i = 0; i < shared; ++i) bytes += group.fixed[i].size();
  std::string_view& text = prefixes_[group.prefix - 1].text;
  if (text.empty()) text = group.text.substr(0, bytes);
  if (text != group.text.substr(0, bytes)) return Damaged("template of a prefix");
  return {};
}

/// Whether every line has a group, and groups and prefixes have as many lines as they say.
Result<void> LinesReader::CheckRows() {
  if (rows_checked_) return {};
  if (group_of_rows_.size() != std::uint64_t{rows_} * (groups_.size() <= 256 ? 1 : 2)) {
    return Damaged("groups of lines");
  }
  std::vector<std::uint32_t> of_group(groups_.size());
  for (std::uint32_t row = 0; row < rows_; ++row) {
    const std::uint32_t group = GroupOf(row);
    if (group >= groups_.size()) return Damaged("group of a line");
    ++of_group[group];
  }
  std::vector<std::uint64_t> of_prefix(prefixes_.size());
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    if (of_group[i] != groups_[i].own.rows) return Damaged("lines of a group");
    if (groups_[i].prefix > 0) of_prefix[groups_[i].prefix - 1] += of_group[i];
  }
  for (std::size_t i = 0; i < prefixes_.size(); ++i) {
    if (of_prefix[i] != prefixes_[i].rows) return Damaged("lines of shared columns");
  }
  rows_checked_ = true;
  return {};
}

Result<const ValueColumn*> LinesReader::Column(Columns& columns, std::size_t slot) {
  std::optional<ValueColumn>& column = columns.columns[slot];
  if (!column) {
    if (auto placed = PlaceValues(); !placed) return std::move(placed).error();
    if (columns.offsets.empty()) PlaceColumns(columns);
    const ValueColumnInfo& info = columns.infos[slot];
    const auto parts = PartsOf(info, columns.rows);
    Check(parts.has_value(), "a column that was looked at has its parts");
    std::array<std::string_view, kMostValueParts> bytes;
    for (std::size_t i = 0; i < parts->count; ++i) {
      const ValuePart& part = parts->parts[i];
      auto read = values_->Read(columns.offsets[slot][i], part.bytes);
      if (!read) return std::move(read).error();
      bytes[i] = *read;
    }
    column = ValueColumn::Make(info, std::span(bytes).first(parts->count), columns.rows);
    if (!column) return Damaged("column");
  }
  return &*column;
}

Result<const ValueColumn*> LinesReader::ColumnOf(std::uint32_t group, std::uint32_t slot) {
  const std::size_t shared = SharedSlots(groups_[group]);
  if (slot < shared) return Column(prefixes_[groups_[group].prefix - 1], slot);
  return Column(groups_[group].own, slot - shared);
}

Result<void> LinesReader::Load(Columns& columns) {
  for (std::size_t slot = 0; slot < columns.infos.size(); ++slot) {
    if (auto column = Column(columns, slot); !column) return std::move(column).error();
  }
  return {};
}

Result<void> LinesReader::LoadGroup(std::uint32_t group) {
  if (auto opened = OpenGroup(group); !opened) return opened;
  if (auto done = Load(groups_[group].own); !done) return done;
  const std::uint32_t prefix = groups_[group].prefix;
  return prefix == 0 ? Result<void>() : Load(prefixes_[prefix - 1]);
}

Result<void> LinesReader::LoadAll() {
  if (auto checked = CheckRows(); !checked) return checked;
  for (std::uint32_t group = 0; group < groups_.size(); ++group) {
    if (auto done = LoadGroup(group); !done) return done;
  }
  return {};
}

std::uint64_t LinesReader::memory_bytes() const {
  std::uint64_t bytes = 0;
  auto add = [&bytes](const Columns& columns) {
    bytes += columns.infos.size() * (sizeof(ValueColumnInfo) + sizeof(ValueColumn) + 16);
    for (const auto& column : columns.columns) bytes += column ? column->memory_bytes() : 0;
  };
  for (const Columns& prefix : prefixes_) add(prefix);
  for (const Group& group : groups_) add(group.own);
  return bytes;
}

/// Writes a line, whose columns are read, and a newline; there is room for the longest.
char* LinesReader::WriteLine(std::uint32_t number, std::uint32_t nth, std::uint32_t nth_of_prefix,
                             char* at) const {
  const Group& group = groups_[number];
  const std::string_view* fixed = group.fixed.data();
  if (group.prefix > 0) {
    for (const auto& column : prefixes_[group.prefix - 1].columns) {
      at = column->Write(nth_of_prefix, CopyText(at, *fixed++));
    }
  }
  for (const auto& column : group.own.columns) at = column->Write(nth, CopyText(at, *fixed++));
  at = CopyText(at, *fixed);
  *at++ = '\n';
  return at;
}

/// Makes one for each prefix and group, of every column; `texts` are the templates that they use.
void LinesReader::MakeBuilders(std::span<RowBuilder> of_prefixes, std::span<RowBuilder> of_groups,
                               std::string& texts) const {
  std::size_t bytes = kLooseBytes;
  for (const Group& group : groups_) bytes += group.text.size();
  texts.resize(bytes);
  char* text = texts.data();
  auto add = [&text](RowBuilder& builder, const Columns& columns, const std::string_view* fixed) {
    builder.Reserve(columns.columns.size());
    for (const auto& column : columns.columns) {
      builder.Add({text, fixed->size()}, *column);
      text = CopyText(text, *fixed++);
    }
  };
  std::vector<bool> made(prefixes_.size());
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    const Group& group = groups_[i];
    const std::string_view* fixed = group.fixed.data();
    if (group.prefix > 0) {
      const std::size_t prefix = group.prefix - 1;
      if (!made[prefix]) add(of_prefixes[prefix], prefixes_[prefix], fixed);
      made[prefix] = true;
      fixed += prefixes_[prefix].columns.size();
    }
    add(of_groups[i], group.own, fixed);
  }
}

Result<void> LinesReader::AppendLines(std::uint64_t bytes, std::string& out,
                                      std::vector<std::uint32_t>& ends) {
  if (auto loaded = LoadAll(); !loaded) return loaded;
  std::uint64_t most = 0;
  for (const Group& group : groups_) most = std::max(most, group.most_bytes);
  const std::size_t begin = out.size();
  out.resize(begin + bytes + most + 1 + kLooseBytes);
  ends.reserve(ends.size() + rows_);
  char* at = out.data() + begin;
  char* const end = at + bytes;
  std::vector<RowBuilder> of_prefixes(prefixes_.size());
  std::vector<RowBuilder> of_groups(groups_.size());
  std::string texts;
  MakeBuilders(of_prefixes, of_groups, texts);
  std::vector<std::uint32_t> next_of_group(groups_.size());
  std::vector<std::uint32_t> next_of_prefix(prefixes_.size());
  for (std::uint32_t row = 0; row < rows_; ++row) {
    const std::uint32_t number = GroupOf(row);
    const Group& group = groups_[number];
    if (group.prefix > 0) {
      at = of_prefixes[group.prefix - 1].Write(next_of_prefix[group.prefix - 1]++, at);
    }
    at = of_groups[number].Write(next_of_group[number]++, at);
    at = CopyText(at, group.fixed.back());
    *at++ = '\n';
    if (at > end) return Damaged("more text than there was");
    ends.push_back(static_cast<std::uint32_t>(at - out.data() - 1));
  }
  if (at != end) return Damaged("less text than there was");
  out.resize(begin + bytes);
  return {};
}

Result<void> LinesReader::AppendRows(std::span<const std::uint32_t> rows, std::string& out,
                                     std::vector<std::uint32_t>& ends) {
  if (rows.empty()) return {};
  if (auto checked = CheckRows(); !checked) return checked;
  std::vector<std::uint32_t> next_of_group(groups_.size());
  std::vector<std::uint32_t> next_of_prefix(prefixes_.size());
  std::vector<std::uint8_t> loaded(groups_.size());
  std::size_t next = 0;
  for (std::uint32_t row = 0; row <= rows.back(); ++row) {
    const std::uint32_t number = GroupOf(row);
    const Group& group = groups_[number];
    const std::uint32_t nth = next_of_group[number]++;
    const std::uint32_t nth_of_prefix = group.prefix > 0 ? next_of_prefix[group.prefix - 1]++ : 0;
    if (row != rows[next]) continue;
    ++next;
    if (!loaded[number]) {
      if (auto done = LoadGroup(number); !done) return done;
      loaded[number] = 1;
    }
    const std::size_t begin = out.size();
    out.resize(begin + group.most_bytes + 1);
    const char* end = WriteLine(number, nth, nth_of_prefix, out.data() + begin);
    out.resize(static_cast<std::size_t>(end - out.data()));
    ends.push_back(static_cast<std::uint32_t>(out.size() - 1));
  }
  return {};
}

}  // namespace dunlin::store
