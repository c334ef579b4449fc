#include "collector/store/lines/lines_reader.h"

#include <algorithm>
#include <cstring>

#include "collector/store/lines/line_cutter.h"
#include "collector/store/lines/template_dictionary.h"
#include "protocol/base/text.h"

namespace dunlin::store {
namespace {

Error Damaged(std::string_view what) {
  return Error(ErrorCode::kCorruption, Join("damaged lines: ", what));
}

char* Append(char* out, std::string_view text) {
  std::memcpy(out, text.data(), text.size());
  return out + text.size();
}

}  // namespace

Result<LinesReader> LinesReader::Open(std::string_view layout, std::string_view groups,
                                      std::span<const std::string> templates, std::uint32_t rows) {
  LinesReader lines;
  lines.rows_ = rows;
  lines.group_of_rows_ = groups;
  ByteReader reader(layout);
  if (!lines.ReadPrefixes(reader)) return Damaged("shared columns");
  const std::uint64_t count = reader.ReadVarint().value_or(0);
  if (count == 0 || count > rows) return Damaged("number of groups");
  for (std::uint64_t i = 0; i < count; ++i) {
    if (!lines.ReadGroup(reader, templates)) return Damaged("group");
  }
  if (!reader.empty()) return Damaged("bytes behind the groups");
  if (!lines.CheckRows()) return Damaged("groups of lines");
  return lines;
}

bool LinesReader::ReadColumns(ByteReader& layout, std::uint64_t slots, Columns& columns) {
  for (std::uint64_t slot = 0; slot < slots; ++slot) {
    auto info = ReadValueColumnInfo(layout, columns.rows);
    if (!info) return false;
    value_bytes_ += info->area_bytes;
    columns.infos.push_back(*info);
  }
  return true;
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
    if (!ReadColumns(layout, slots, columns)) return false;
  }
  return true;
}

bool LinesReader::ReadGroup(ByteReader& layout, std::span<const std::string> templates) {
  const std::uint64_t number = layout.ReadVarint().value_or(UINT64_MAX);
  const std::uint64_t prefix = layout.ReadVarint().value_or(UINT64_MAX);
  const std::uint64_t rows = layout.ReadVarint().value_or(0);
  if (number >= templates.size() || prefix > prefixes_.size() || rows == 0 || rows > rows_) {
    return false;
  }
  Group& group = groups_.emplace_back();
  group.text = templates[number];
  group.prefix = static_cast<std::uint32_t>(prefix);
  group.own.rows = static_cast<std::uint32_t>(rows);
  const std::uint32_t slots = SlotsOf(group.text).value_or(0);
  const std::size_t shared = prefix == 0 ? 0 : prefixes_[prefix - 1].infos.size();
  if (slots < shared || !ReadColumns(layout, slots - shared, group.own)) return false;
  std::size_t begin = 0;
  for (std::size_t i = 0; i < group.text.size(); ++i) {
    if (group.text[i] != kValueSlot && group.text[i] != kTextSlot) continue;
    group.fixed.push_back(group.text.substr(begin, i - begin));
    begin = i + 1;
  }
  group.fixed.push_back(group.text.substr(begin));
  group.most_bytes = group.text.size();
  if (prefix > 0) {
    for (const ValueColumnInfo& info : prefixes_[prefix - 1].infos) {
      group.most_bytes += info.most_bytes;
    }
  }
  for (const ValueColumnInfo& info : group.own.infos) group.most_bytes += info.most_bytes;
  return true;
}

std::uint32_t LinesReader::GroupOf(std::uint32_t row) const {
  const auto* bytes = reinterpret_cast<const unsigned char*>(group_of_rows_.data());
  return groups_.size() <= 256 ? bytes[row] : std::uint32_t{bytes[row]} << 8 | bytes[rows_ + row];
}

/// Whether every line has a group, and groups and prefixes have as many lines as they say.
bool LinesReader::CheckRows() const {
  if (group_of_rows_.size() != std::uint64_t{rows_} * (groups_.size() <= 256 ? 1 : 2)) return false;
  std::vector<std::uint32_t> of_group(groups_.size());
  for (std::uint32_t row = 0; row < rows_; ++row) {
    const std::uint32_t group = GroupOf(row);
    if (group >= groups_.size()) return false;
    ++of_group[group];
  }
  std::vector<std::uint64_t> of_prefix(prefixes_.size());
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    if (of_group[i] != groups_[i].own.rows) return false;
    if (groups_[i].prefix > 0) of_prefix[groups_[i].prefix - 1] += of_group[i];
  }
  for (std::size_t i = 0; i < prefixes_.size(); ++i) {
    if (of_prefix[i] != prefixes_[i].rows) return false;
  }
  return true;
}

Result<void> LinesReader::SetValues(std::string_view values) {
  if (values.size() != value_bytes_) return Damaged("bytes of the columns");
  auto set = [&values](Columns& columns) {
    columns.columns.clear();
    columns.columns.reserve(columns.infos.size());
    for (const ValueColumnInfo& info : columns.infos) {
      auto column = ValueColumn::Make(info, values.substr(0, info.area_bytes), columns.rows);
      if (!column) return false;
      values.remove_prefix(info.area_bytes);
      columns.columns.push_back(std::move(*column));
    }
    return true;
  };
  for (Columns& prefix : prefixes_) {
    if (!set(prefix)) return Damaged("shared column");
  }
  for (Group& group : groups_) {
    if (!set(group.own)) return Damaged("column");
  }
  return {};
}

Result<void> LinesReader::AppendLines(std::uint64_t bytes, std::string& out) const {
  std::uint64_t most = 0;
  for (const Group& group : groups_) most = std::max(most, group.most_bytes);
  const std::size_t begin = out.size();
  out.resize(begin + bytes + most + 1);
  char* at = out.data() + begin;
  char* const end = at + bytes;
  std::vector<std::uint32_t> next_of_group(groups_.size());
  std::vector<std::uint32_t> next_of_prefix(prefixes_.size());
  for (std::uint32_t row = 0; row < rows_; ++row) {
    const std::uint32_t number = GroupOf(row);
    const Group& group = groups_[number];
    const std::string_view* fixed = group.fixed.data();
    if (group.prefix > 0) {
      const std::uint32_t nth = next_of_prefix[group.prefix - 1]++;
      for (const ValueColumn& column : prefixes_[group.prefix - 1].columns) {
        at = column.Write(nth, Append(at, *fixed++));
      }
    }
    const std::uint32_t nth = next_of_group[number]++;
    for (const ValueColumn& column : group.own.columns) {
      at = column.Write(nth, Append(at, *fixed++));
    }
    at = Append(at, *fixed);
    *at++ = '\n';
    if (at > end) return Damaged("more text than there was");
  }
  if (at != end) return Damaged("less text than there was");
  out.resize(begin + bytes);
  return {};
}

}  // namespace dunlin::store
