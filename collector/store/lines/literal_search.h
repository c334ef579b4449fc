#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "collector/store/lines/value_column.h"

namespace dunlin::store {

/// A template as a search sees it: fixed[0] slot[0] fixed[1] … slot[n-1] fixed[n].
struct TemplateView {
  std::span<const std::string_view> fixed;  // one more than slots
  std::span<const ValueColumnInfo* const> slots;
};

/// Something that has to hold of the value in a slot.
struct SlotCondition {
  enum class Kind : std::uint8_t { kContains, kBegins, kEnds, kEquals };
  std::uint32_t slot = 0;
  Kind kind = Kind::kContains;
  std::string_view text;  // a part of the literal
};

/// In which lines of a template a literal occurs.
struct LiteralOutcome {
  enum class Kind : std::uint8_t {
    kNever,
    kAlways,
    kSometimes,  // where all conditions of one of `ways` hold
    kUnclear,    // too many ways: look at the lines
  };
  Kind kind = Kind::kNever;
  std::vector<std::vector<SlotCondition>> ways;
};

/// Looks for a literal in templates, without looking at their lines: fixed text decides most of
/// it, and where the literal could touch values, what is known of their columns leaves few ways.
/// Immutable; any thread.
class LiteralSearch {
 public:
  /// `literal` is not empty. With `any_case`, ASCII letters match without regard to case.
  LiteralSearch(std::string literal, bool any_case);

  const std::string& literal() const { return literal_; }
  /// Conditions in the outcome refer to this search and to nothing else.
  LiteralOutcome Examine(const TemplateView& view) const;
  /// Whether a value satisfies the condition.
  bool Holds(const SlotCondition& condition, std::string_view value) const;

 private:
  class Ways;

  bool Same(std::string_view a, std::string_view b) const;
  bool Contains(std::string_view text, std::string_view part) const;
  bool MayHold(const SlotCondition& condition, const ValueColumnInfo& info) const;

  std::string literal_;  // lower case if any_case_
  bool any_case_;
};

}  // namespace dunlin::store
