#include "collector/store/column_search.h"

#include <algorithm>
#include <cstring>
#include <string>

namespace dunlin::store {
namespace {

/// When more than one line in so many has to be looked at, all are rebuilt and searched as one
/// text.
constexpr std::uint64_t kManyOneIn = 4;

/// A line filter in one block.
struct Clause {
  const FilterLiterals* literals;
  bool negated;
  /// Of each literal of each alternative, of each group.
  std::vector<std::vector<std::vector<LiteralOutcome>>> outcomes;
};

class ColumnSearch {
 public:
  ColumnSearch(const LineMatcher& matcher, LinesReader& lines) : matcher_(matcher), lines_(lines) {
    wanted_.assign(lines.groups(), 1);
  }

  /// Rows that columns do not rule out; nothing when that is none.
  Result<bool> Mark(RowRange range, RowMarks& marks) {
    for (std::size_t i = 0; i < matcher_.filters(); ++i) {
      const FilterLiterals& literals = matcher_.literals(i);
      const bool negated = matcher_.negated(i);
      undecided_ = undecided_ || !literals.exact;
      if (literals.alternatives.empty() || (negated && !literals.exact)) continue;
      auto any = AddClause(literals, negated);
      if (!any || !*any) return any;
    }
    // What holds a literal is in the wanted groups.
    const bool narrowed = std::any_of(clauses_.begin(), clauses_.end(),
                                      [](const Clause& clause) { return !clause.negated; });
    marks.assign(lines_.rows(), narrowed ? 1 : 0);
    if (!narrowed) {
      if (auto done = lines_.MarkGroups(wanted_, marks); !done) return std::move(done).error();
    }
    std::fill(marks.begin(), marks.begin() + range.first, std::uint8_t{0});
    std::fill(marks.begin() + range.end, marks.end(), std::uint8_t{0});
    for (const Clause& clause : clauses_) {
      if (auto done = Apply(clause, marks); !done) return std::move(done).error();
    }
    return std::memchr(marks.data(), 1, marks.size()) != nullptr;
  }

  /// Some filter needs lines.
  bool undecided() const { return undecided_; }

 private:
  /// Narrows the wanted groups; false when none is left.
  Result<bool> AddClause(const FilterLiterals& literals, bool negated) {
    Clause clause{&literals, negated, {}};
    std::vector<bool> possible(lines_.groups());
    std::vector<bool> certain(lines_.groups());
    for (const auto& alternative : literals.alternatives) {
      auto& outcomes = clause.outcomes.emplace_back();
      std::vector<std::uint8_t> may = wanted_;  // hold all literals so far
      std::vector<bool> always(lines_.groups(), true);
      for (const FilterLiterals::Literal& literal : alternative) {
        auto examined = lines_.Examine(literal.search, may);
        if (!examined) return std::move(examined).error();
        outcomes.push_back(std::move(*examined));
        for (std::size_t group = 0; group < lines_.groups(); ++group) {
          const LiteralOutcome::Kind kind = outcomes.back()[group].kind;
          if (kind == LiteralOutcome::Kind::kNever) may[group] = 0;
          if (kind != LiteralOutcome::Kind::kAlways) always[group] = false;
        }
      }
      for (std::size_t group = 0; group < lines_.groups(); ++group) {
        if (may[group] != 0) possible[group] = true;
        if (always[group]) certain[group] = true;
      }
    }
    bool any = false;
    for (std::size_t group = 0; group < lines_.groups(); ++group) {
      if (negated ? certain[group] : !possible[group]) wanted_[group] = 0;
      any = any || wanted_[group] != 0;
    }
    clauses_.push_back(std::move(clause));
    return any;
  }

  Result<void> Apply(const Clause& clause, RowMarks& marks) {
    RowMarks holding(marks.size());
    RowMarks of_literal;
    RowMarks of_alternative;
    for (std::size_t i = 0; i < clause.outcomes.size(); ++i) {
      const auto& searches = clause.literals->alternatives[i];
      of_alternative.assign(marks.size(), 1);
      for (std::size_t j = 0; j < searches.size(); ++j) {
        of_literal.assign(marks.size(), 0);
        auto done = lines_.Mark(searches[j].search, clause.outcomes[i][j], wanted_, of_literal);
        if (!done) return done;
        for (std::size_t row = 0; row < marks.size(); ++row) of_alternative[row] &= of_literal[row];
      }
      for (std::size_t row = 0; row < marks.size(); ++row) holding[row] |= of_alternative[row];
    }
    if (clause.negated) {
      for (std::uint8_t& mark : holding) mark = mark == 0;
    }
    for (std::size_t row = 0; row < marks.size(); ++row) marks[row] &= holding[row];
    return {};
  }

  const LineMatcher& matcher_;
  LinesReader& lines_;
  std::vector<std::uint8_t> wanted_;  // groups that may hold matching lines
  std::vector<Clause> clauses_;
  bool undecided_ = false;
};

}  // namespace

Result<void> SelectInColumns(const LineMatcher& matcher, LinesReader& lines, RowRange range,
                             std::uint64_t line_bytes, std::vector<std::uint32_t>& rows) {
  ColumnSearch search(matcher, lines);
  RowMarks marks;
  auto any = search.Mark(range, marks);
  if (!any) return std::move(any).error();
  if (!*any) return {};
  std::vector<std::uint32_t> candidates;
  for (std::uint32_t row = range.first; row < range.end; ++row) {
    if (marks[row] != 0) candidates.push_back(row);
  }
  if (!search.undecided()) {
    rows.insert(rows.end(), candidates.begin(), candidates.end());
    return {};
  }
  std::string text;
  std::vector<std::uint32_t> ends;
  if (candidates.size() * kManyOneIn < lines.rows()) {
    if (auto done = lines.AppendRows(candidates, text, ends); !done) return done;
    RowColumns columns;
    columns.rows = static_cast<std::uint32_t>(candidates.size());
    columns.ends = ends.data();
    columns.text = text;
    for (std::uint32_t nth = 0; nth < candidates.size(); ++nth) {
      if (matcher.Matches(columns.Line(nth))) rows.push_back(candidates[nth]);
    }
    return {};
  }
  if (auto done = lines.AppendLines(line_bytes, text, ends); !done) return done;
  RowColumns columns;
  columns.rows = lines.rows();
  columns.ends = ends.data();
  columns.text = text;
  columns.newline_inside =
      static_cast<std::uint64_t>(std::count(text.begin(), text.end(), '\n')) != lines.rows();
  std::vector<std::uint32_t> matching;
  matcher.Select(columns, matching);
  for (std::uint32_t row : matching) {
    if (row >= range.first && row < range.end && marks[row] != 0) rows.push_back(row);
  }
  return {};
}

}  // namespace dunlin::store
