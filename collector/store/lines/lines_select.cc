// The part of LinesReader that searches.
#include <algorithm>
#include <cstring>

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

Result<std::vector<LiteralOutcome>> LinesReader::Examine(const LiteralSearch& search,
                                                         std::span<const std::uint8_t> wanted) {
  const std::vector<TemplateVerdict> verdicts = search.Judge(dictionary_, numbers_);
  std::vector<LiteralOutcome> outcomes(groups_.size());
  std::vector<const ValueColumnInfo*> slots;
  for (std::uint32_t number = 0; number < groups_.size(); ++number) {
    if (wanted[number] == 0) continue;
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

const std::vector<std::uint32_t>& LinesReader::PlacesInPrefix(std::uint32_t asked) {
  if (places_in_prefix_.empty()) {
    places_in_prefix_.resize(groups_.size());
    std::vector<std::uint32_t> next(prefixes_.size());
    for (std::uint32_t group = 0; group < groups_.size(); ++group) {
      if (groups_[group].prefix > 0) places_in_prefix_[group].reserve(groups_[group].own.rows);
    }
    for (std::uint32_t row = 0; row < rows_; ++row) {
      const std::uint32_t group = GroupOf(row);
      const std::uint32_t prefix = groups_[group].prefix;
      if (prefix > 0) places_in_prefix_[group].push_back(next[prefix - 1]++);
    }
  }
  return places_in_prefix_[asked];
}

/// Sets marks, one for each line of the group, of the lines that hold the literal.
Result<void> LinesReader::MarkInGroup(const LiteralSearch& search, std::uint32_t number,
                                      const LiteralOutcome& outcome, RowMarks& marks) {
  const Group& group = groups_[number];
  const std::size_t shared = SharedSlots(group);
  if (outcome.kind == LiteralOutcome::Kind::kUnclear) {
    if (auto done = LoadGroup(number); !done) return done;
    const std::uint32_t* places = shared > 0 ? PlacesInPrefix(number).data() : nullptr;
    std::string line(group.most_bytes + 1, '\0');
    for (std::uint32_t nth = 0; nth < group.own.rows; ++nth) {
      const char* end = WriteLine(number, nth, places != nullptr ? places[nth] : 0, line.data());
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
      if (std::memchr(of_way.data(), 1, of_way.size()) == nullptr) break;
      auto column = ColumnOf(number, condition.slot);
      if (!column) return std::move(column).error();
      if (condition.slot >= shared) {
        (*column)->Keep(search, condition, of_way);
        continue;
      }
      const std::vector<std::uint32_t>& places = PlacesInPrefix(number);
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
  // Where the mark of the next line of each group is, and how far it is from there to the one
  // behind it: nowhere, when all lines of the group have the same.
  struct Source {
    const std::uint8_t* next;
    std::size_t step;
  };
  constexpr std::uint8_t kNoLine = 0;
  constexpr std::uint8_t kEveryLine = 1;
  std::vector<Source> sources(groups_.size(), {&kNoLine, 0});
  std::vector<RowMarks> of_groups(groups_.size());  // of lines of those where some hold it
  bool any = false;
  for (std::uint32_t group = 0; group < groups_.size(); ++group) {
    const Kind kind = outcomes[group].kind;
    if (kind == Kind::kNever || !wanted[group]) continue;
    any = true;
    if (kind == Kind::kAlways) {
      sources[group].next = &kEveryLine;
      continue;
    }
    of_groups[group].resize(groups_[group].own.rows);
    auto done = MarkInGroup(search, group, outcomes[group], of_groups[group]);
    if (!done) return done;
    sources[group] = {of_groups[group].data(), 1};
  }
  if (!any) return {};
  for (std::uint32_t row = 0; row < rows_; ++row) {
    Source& source = sources[GroupOf(row)];
    marks[row] |= *source.next;
    source.next += source.step;
  }
  return {};
}

Result<void> LinesReader::MarkGroups(std::span<const std::uint8_t> wanted, RowMarks& marks) {
  if (auto checked = CheckRows(); !checked) return checked;
  for (std::uint32_t row = 0; row < rows_; ++row) marks[row] |= wanted[GroupOf(row)];
  return {};
}

}  // namespace dunlin::store
