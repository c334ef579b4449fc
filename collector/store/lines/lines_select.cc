// The part of LinesReader that searches.
#include <algorithm>

#include "collector/store/lines/lines_reader.h"

namespace dunlin::store {

TemplateView LinesReader::ViewOf(const Group& group,
                                 std::vector<const ValueColumnInfo*>& slots) const {
  slots.clear();
  if (group.prefix > 0) {
    for (const ValueColumnInfo& info : prefixes_[group.prefix - 1].infos) slots.push_back(&info);
  }
  for (const ValueColumnInfo& info : group.own.infos) slots.push_back(&info);
  return {group.fixed, slots};
}

bool LinesReader::MayBeInside(const LiteralSearch& search, const Group& group) const {
  return search.MayBeInside(group.own.summary) ||
         (group.prefix > 0 && search.MayBeInside(prefixes_[group.prefix - 1].summary));
}

Result<std::vector<LiteralOutcome>> LinesReader::Examine(const LiteralSearch& search) {
  const std::vector<TemplateVerdict> verdicts = search.Judge(dictionary_, numbers_);
  std::vector<LiteralOutcome> outcomes(groups_.size());
  std::vector<const ValueColumnInfo*> slots;
  for (std::uint32_t number = 0; number < groups_.size(); ++number) {
    const TemplateVerdict verdict = verdicts[number];
    if (verdict == TemplateVerdict::kAlways) {
      outcomes[number].kind = LiteralOutcome::Kind::kAlways;
      continue;
    }
    const Group& group = groups_[number];
    if (verdict == TemplateVerdict::kInside && !MayBeInside(search, group)) continue;
    if (auto opened = OpenGroup(number); !opened) return std::move(opened).error();
    outcomes[number] = search.Examine(ViewOf(group, slots));
  }
  return outcomes;
}

/// Where in the columns of its prefix each line of a group is.
std::vector<std::uint32_t> LinesReader::PlacesInPrefix(std::uint32_t group) const {
  const std::uint32_t prefix = groups_[group].prefix;
  std::vector<std::uint8_t> shares(groups_.size());
  for (std::size_t i = 0; i < groups_.size(); ++i) shares[i] = groups_[i].prefix == prefix;
  std::vector<std::uint32_t> places;
  places.reserve(groups_[group].own.rows);
  std::uint32_t place = 0;
  for (std::uint32_t row = 0; row < rows_; ++row) {
    const std::uint32_t of_row = GroupOf(row);
    if (of_row == group) places.push_back(place);
    place += shares[of_row];
  }
  return places;
}

/// Sets marks, one for each line of the group, of the lines that hold the literal.
Result<void> LinesReader::MarkInGroup(const LiteralSearch& search, std::uint32_t number,
                                      const LiteralOutcome& outcome, RowMarks& marks) {
  const Group& group = groups_[number];
  const std::size_t shared = SharedSlots(group);
  std::vector<std::uint32_t> places;
  if (outcome.kind == LiteralOutcome::Kind::kUnclear) {
    if (auto done = LoadGroup(number); !done) return done;
    if (shared > 0) places = PlacesInPrefix(number);
    std::string line(group.most_bytes + 1, '\0');
    for (std::uint32_t nth = 0; nth < group.own.rows; ++nth) {
      const char* end = WriteLine(number, nth, places.empty() ? 0 : places[nth], line.data());
      marks[nth] = search.Holds({0, SlotCondition::Kind::kContains, search.literal()},
                                {line.data(), static_cast<std::size_t>(end - line.data() - 1)});
    }
    return {};
  }
  RowMarks of_way;
  RowMarks of_prefix;
  for (const std::vector<SlotCondition>& way : outcome.ways) {
    of_way.assign(marks.size(), 1);
    for (const SlotCondition& condition : way) {
      auto column = ColumnOf(number, condition.slot);
      if (!column) return std::move(column).error();
      if (condition.slot >= shared) {
        (*column)->Keep(search, condition, of_way);
        continue;
      }
      if (places.empty()) places = PlacesInPrefix(number);
      of_prefix.assign(prefixes_[group.prefix - 1].rows, 0);
      for (std::size_t nth = 0; nth < places.size(); ++nth) of_prefix[places[nth]] = of_way[nth];
      (*column)->Keep(search, condition, of_prefix);
      for (std::size_t nth = 0; nth < places.size(); ++nth) of_way[nth] = of_prefix[places[nth]];
    }
    for (std::size_t nth = 0; nth < marks.size(); ++nth) marks[nth] |= of_way[nth];
  }
  return {};
}

Result<void> LinesReader::Mark(const LiteralSearch& search,
                               std::span<const LiteralOutcome> outcomes,
                               std::span<const std::uint8_t> wanted, RowMarks& marks) {
  using Kind = LiteralOutcome::Kind;
  if (auto checked = CheckRows(); !checked) return checked;
  std::vector<std::uint8_t> whole(groups_.size());  // every line holds it
  std::vector<RowMarks> of_groups(groups_.size());  // of lines of those where some do
  bool any = false;
  bool some = false;
  for (std::uint32_t group = 0; group < groups_.size(); ++group) {
    const Kind kind = outcomes[group].kind;
    if (kind == Kind::kNever || !wanted[group]) continue;
    any = true;
    if (kind == Kind::kAlways) {
      whole[group] = 1;
      continue;
    }
    some = true;
    of_groups[group].resize(groups_[group].own.rows);
    auto done = MarkInGroup(search, group, outcomes[group], of_groups[group]);
    if (!done) return done;
  }
  if (!any) return {};
  if (!some) return MarkGroups(whole, marks);
  std::vector<std::uint32_t> next(groups_.size());
  for (std::uint32_t row = 0; row < rows_; ++row) {
    const std::uint32_t group = GroupOf(row);
    const RowMarks& of_group = of_groups[group];
    marks[row] |= of_group.empty() ? whole[group] : of_group[next[group]++];
  }
  return {};
}

Result<void> LinesReader::MarkGroups(std::span<const std::uint8_t> wanted, RowMarks& marks) {
  if (auto checked = CheckRows(); !checked) return checked;
  for (std::uint32_t row = 0; row < rows_; ++row) marks[row] |= wanted[GroupOf(row)];
  return {};
}

}  // namespace dunlin::store
