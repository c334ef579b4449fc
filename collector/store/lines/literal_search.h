#pragma once

#include <cstdint>
#include <memory>
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

/// What the text of a template alone says of its lines, whatever their values are.
enum class TemplateVerdict : std::uint8_t {
  kNotAsked = 0,
  kAlways,  // fixed text holds the literal
  kInside,  // a line can hold it only inside of one value
  kMaybe,   // or across fixed text and values
};

/// Looks for a literal in templates, without looking at their lines: fixed text decides most of
/// it, and where the literal could touch values, what is known of their columns leaves few ways.
/// Any thread.
class LiteralSearch {
 public:
  /// `literal` is not empty. With `any_case`, ASCII letters match without regard to case.
  LiteralSearch(std::string literal, bool any_case);

  const std::string& literal() const { return literal_; }
  bool any_case() const { return any_case_; }
  /// Conditions in the outcome refer to this search and to nothing else.
  LiteralOutcome Examine(const TemplateView& view) const;
  /// The verdicts on some templates of a dictionary. Each is found once and remembered as long as
  /// this lives; so must the dictionary, which does not change.
  std::vector<TemplateVerdict> Judge(std::span<const std::string> dictionary,
                                     std::span<const std::uint32_t> numbers) const;
  /// False when no value of such columns can hold the whole literal.
  bool MayBeInside(const ValueSummary& values) const;
  /// Where a part of the literal first occurs in `text`; null: nowhere.
  const char* Find(std::string_view text, std::string_view part) const;
  /// Whether a value satisfies the condition.
  bool Holds(const SlotCondition& condition, std::string_view value) const;

 private:
  class Ways;
  class Memo;

  TemplateVerdict JudgeText(std::string_view text) const;
  bool Same(std::string_view a, std::string_view b) const;
  static const char* FindInAnyCase(std::string_view text, std::string_view part);
  bool MayHold(const SlotCondition& condition, const ValueColumnInfo& info) const;
  bool HasClassesOf(std::string_view part, std::uint8_t classes) const;

  std::string literal_;  // lower case if any_case_
  bool any_case_;
  bool has_slots_ = false;
  /// Of each place in the literal: those that a value which begins there can end at.
  std::vector<std::uint64_t> behind_value_;
  std::shared_ptr<Memo> memo_;  // shared by copies
};

}  // namespace dunlin::store
