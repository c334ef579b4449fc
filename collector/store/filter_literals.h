#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "collector/store/gram_filter.h"
#include "collector/store/lines/literal_search.h"
#include "collector/store/store.h"

namespace dunlin::store {

/// What a line filter says about literals, so that columns can be asked instead of lines: a line
/// that holds the pattern holds every literal of one of the alternatives. Immutable; any thread.
struct FilterLiterals {
  /// A literal, ready for columns and for filters.
  struct Literal {
    LiteralSearch search;
    LiteralGrams grams;
  };
  /// Holding them is holding the pattern: no line has to be looked at.
  bool exact = false;
  /// None: nothing is known. No alternative is empty.
  std::vector<std::vector<Literal>> alternatives;
};

/// False only when a filter of a block's grams says that no line holds the pattern.
bool MayHold(const FilterLiterals& literals, const GramFilter& filter);

/// Knows plain text, and of regular expressions (RE2's syntax) what lies outside of classes and
/// groups; what it does not understand it leaves to whoever looks at lines.
FilterLiterals LiteralsOf(const LineFilter& filter);

}  // namespace dunlin::store
