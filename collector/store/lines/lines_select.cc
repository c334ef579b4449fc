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

std::vector<LiteralOutcome> LinesReader::Examine(const LiteralSearch& search) const {
  std::vector<LiteralOutcome> outcomes;
  outcomes.reserve(groups_.size());
  std::vector<const ValueColumnInfo*> slots;
  for (const Group& group : groups_) outcomes.push_back(search.Examine(ViewOf(group, slots)));
  return outcomes;
}

/// Where in the columns of its prefix each line of a group is.
std::vector<std::uint32_t> LinesReader::PlacesInPrefix(std::uint32_t group) const {
  const std::uint32_t prefix = groups_[group].prefix;
  std::vector<std::uint32_t> places;
  places.reserve(groups_[group].own.rows);
  std::uint32_t place = 0;
  for (std::uint32_t row = 0; row < rows_; ++row) {
    const std::uint32_t of_row = GroupOf(row);
    if (groups_[of_row].prefix != prefix) continue;
    if (of_row == group) places.push_back(place);
    ++place;
  }
  return places;
}

/// Sets the marks of the lines of a group that hold the literal.
void LinesReader::Mark(const LiteralSearch& search, std::uint32_t number,
                       const LiteralOutcome& outcome, std::vector<bool>& marks) const {
  const Group& group = groups_[number];
  const std::size_t shared = group.prefix == 0 ? 0 : prefixes_[group.prefix - 1].infos.size();
  std::vector<std::uint32_t> places;
  if (shared > 0) places = PlacesInPrefix(number);
  std::string value(group.most_bytes + 1, '\0');
  auto read = [&](std::size_t slot, std::uint32_t nth, char* out) {
    return slot < shared ? prefixes_[group.prefix - 1].columns[slot].Write(places[nth], out)
                         : group.own.columns[slot - shared].Write(nth, out);
  };
  if (outcome.kind == LiteralOutcome::Kind::kUnclear) {
    for (std::uint32_t nth = 0; nth < group.own.rows; ++nth) {
      char* at = value.data();
      for (std::size_t slot = 0; slot < group.fixed.size(); ++slot) {
        at = std::copy(group.fixed[slot].begin(), group.fixed[slot].end(), at);
        if (slot + 1 < group.fixed.size()) at = read(slot, nth, at);
      }
      const std::string_view line(value.data(), static_cast<std::size_t>(at - value.data()));
      marks[nth] = search.Holds({0, SlotCondition::Kind::kContains, search.literal()}, line);
    }
    return;
  }
  for (const std::vector<SlotCondition>& way : outcome.ways) {
    for (std::uint32_t nth = 0; nth < group.own.rows; ++nth) {
      if (marks[nth]) continue;
      marks[nth] = std::all_of(way.begin(), way.end(), [&](const SlotCondition& condition) {
        const char* end = read(condition.slot, nth, value.data());
        return search.Holds(condition,
                            {value.data(), static_cast<std::size_t>(end - value.data())});
      });
    }
  }
}

void LinesReader::Select(const LiteralSearch& search, std::span<const LiteralOutcome> outcomes,
                         std::vector<std::uint32_t>& rows) const {
  using Kind = LiteralOutcome::Kind;
  if (std::all_of(outcomes.begin(), outcomes.end(),
                  [](const LiteralOutcome& outcome) { return outcome.kind == Kind::kNever; })) {
    return;
  }
  std::vector<std::vector<bool>> marks(groups_.size());
  for (std::uint32_t group = 0; group < groups_.size(); ++group) {
    const Kind kind = outcomes[group].kind;
    if (kind == Kind::kNever || kind == Kind::kAlways) continue;
    marks[group].resize(groups_[group].own.rows);
    Mark(search, group, outcomes[group], marks[group]);
  }
  std::vector<std::uint32_t> next(groups_.size());
  for (std::uint32_t row = 0; row < rows_; ++row) {
    const std::uint32_t group = GroupOf(row);
    const std::uint32_t nth = next[group]++;
    const Kind kind = outcomes[group].kind;
    if (kind == Kind::kAlways || (kind != Kind::kNever && marks[group][nth])) rows.push_back(row);
  }
}

}  // namespace dunlin::store
