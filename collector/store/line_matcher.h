#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "collector/store/filter_literals.h"
#include "collector/store/row_columns.h"
#include "collector/store/store.h"
#include "protocol/base/result.h"

namespace dunlin::store {

/// Line filters made ready for searching. Immutable; any thread.
///
/// The most selective filter runs over the text of a whole block at once, which is several times
/// faster than line by line; the others then look at the lines it leaves.
class LineMatcher {
 public:
  /// Errors: kInvalidArgument naming the pattern that is no RE2 regular expression.
  static Result<std::shared_ptr<const LineMatcher>> Create(const std::vector<LineFilter>& filters);
  ~LineMatcher();

  /// True when every line matches.
  bool trivial() const { return conditions_.empty(); }
  bool Matches(std::string_view line) const;

  /// Appends to `rows` the rows whose lines match, in order. `ends` gives the ends of the lines,
  /// and is called only when it is needed.
  void Select(std::string_view text, bool newline_inside,
              const std::function<const std::vector<std::uint32_t>&()>& ends,
              std::vector<std::uint32_t>& rows) const;
  /// The same for rows whose ends are known.
  void Select(const RowColumns& columns, std::vector<std::uint32_t>& rows) const;

  /// The filters, all of which must hold: what each says about literals, and whether it is negated.
  std::size_t filters() const { return literals_.size(); }
  const FilterLiterals& literals(std::size_t filter) const { return literals_[filter]; }
  bool negated(std::size_t filter) const;
  /// Some filter, not negated, has a literal that filters of grams can tell of.
  bool knows_grams() const { return knows_grams_; }

 private:
  class Condition;
  class Literal;
  class Regex;
  /// Line ends of a block, whose computation may be put off.
  class Lines;

  LineMatcher();
  bool MatchesExcept(const Condition* done, std::string_view line) const;
  void SelectIn(Lines& lines, std::vector<std::uint32_t>& rows) const;

  std::vector<std::unique_ptr<Condition>> conditions_;
  const Condition* driver_ = nullptr;     // the one that runs over whole blocks
  std::vector<FilterLiterals> literals_;  // of each condition
  bool knows_grams_ = false;
};

}  // namespace dunlin::store
