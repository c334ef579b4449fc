#include "collector/store/lines/literal_search.h"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cstring>
#include <mutex>
#include <unordered_map>

#include "collector/store/lines/line_cutter.h"

namespace dunlin::store {
namespace {

using Kind = SlotCondition::Kind;

/// With more ways than this, looking at the lines is not slower.
constexpr std::size_t kMostWays = 64;

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

/// False when the column holds numbers and `text` is not one of those that it could be.
bool InRange(std::string_view text, const ValueColumnInfo& info) {
  if (info.kind != ValueKind::kNumber && info.kind != ValueKind::kDelta) return true;
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() && number >= info.least &&
         number <= info.most;
}

bool IsWordByte(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool SameInAnyCase(std::string_view lower, std::string_view text) {
  if (lower.size() != text.size()) return false;
  for (std::size_t i = 0; i < lower.size(); ++i) {
    if (lower[i] != Lower(text[i])) return false;
  }
  return true;
}

}  // namespace

/// Verdicts by dictionary.
class LiteralSearch::Memo {
 public:
  using Verdicts = std::vector<std::atomic<TemplateVerdict>>;

  /// Stays where it is.
  Verdicts& Of(std::span<const std::string> dictionary) {
    std::lock_guard lock(mutex_);
    return verdicts_.try_emplace(dictionary.data(), dictionary.size()).first->second;
  }

 private:
  std::mutex mutex_;
  std::unordered_map<const std::string*, Verdicts> verdicts_;
};

LiteralSearch::LiteralSearch(std::string literal, bool any_case)
    : literal_(std::move(literal)), any_case_(any_case), memo_(std::make_shared<Memo>()) {
  if (any_case_) std::transform(literal_.begin(), literal_.end(), literal_.begin(), Lower);
}

/// `part` is of the literal.
bool LiteralSearch::Same(std::string_view part, std::string_view text) const {
  // Nearly all that is compared differs in its first byte: no call for that.
  if (!any_case_ && !part.empty() && !text.empty() && part[0] != text[0]) return false;
  return any_case_ ? SameInAnyCase(part, text) : part == text;
}

bool LiteralSearch::Contains(std::string_view text, std::string_view part) const {
  if (text.size() < part.size()) return false;
  if (!any_case_) {
    return ::memmem(text.data(), text.size(), part.data(), part.size()) != nullptr;
  }
  for (std::size_t i = 0; i + part.size() <= text.size(); ++i) {
    if (SameInAnyCase(part, text.substr(i, part.size()))) return true;
  }
  return false;
}

bool LiteralSearch::Holds(const SlotCondition& condition, std::string_view value) const {
  const std::size_t size = condition.text.size();
  if (value.size() < size) return false;
  switch (condition.kind) {
    case Kind::kContains:
      return Contains(value, condition.text);
    case Kind::kBegins:
      return Same(condition.text, value.substr(0, size));
    case Kind::kEnds:
      return Same(condition.text, value.substr(value.size() - size));
    case Kind::kEquals:
      return Same(condition.text, value);
  }
  return false;
}

/// False when no value of the column can satisfy the condition.
bool LiteralSearch::MayHold(const SlotCondition& condition, const ValueColumnInfo& info) const {
  const std::size_t size = condition.text.size();
  if (size > info.most_bytes) return false;
  if (condition.kind == Kind::kEquals && size < info.least_bytes) return false;
  if (info.kind == ValueKind::kConstant) return Holds(condition, info.constant);
  if (condition.kind == Kind::kEquals && !InRange(condition.text, info)) return false;
  return HasClassesOf(condition.text, info.classes);
}

/// Whether bytes of `classes` can make up `part`.
bool LiteralSearch::HasClassesOf(std::string_view part, std::uint8_t classes) const {
  unsigned needed = ByteClassesOf(part);
  // In any case the literal is in lower case: upper-case letters of values serve as well.
  if (any_case_ && (classes & kUpperLetters) != 0) {
    needed &= ~static_cast<unsigned>(kLowerHexLetters | kOtherLowerLetters);
  }
  return (needed & ~static_cast<unsigned>(classes)) == 0;
}

bool LiteralSearch::MayBeInside(const ValueSummary& values) const {
  return literal_.size() <= values.longest && HasClassesOf(literal_, values.classes);
}

std::vector<TemplateVerdict> LiteralSearch::Judge(std::span<const std::string> dictionary,
                                                  std::span<const std::uint32_t> numbers) const {
  Memo::Verdicts& known = memo_->Of(dictionary);
  std::vector<TemplateVerdict> verdicts;
  verdicts.reserve(numbers.size());
  for (std::uint32_t number : numbers) {
    TemplateVerdict verdict = known[number].load(std::memory_order_relaxed);
    if (verdict == TemplateVerdict::kNotAsked) {
      // Two threads may find it at once, and find the same.
      verdict = JudgeText(dictionary[number]);
      known[number].store(verdict, std::memory_order_relaxed);
    }
    verdicts.push_back(verdict);
  }
  return verdicts;
}

/// Goes through fixed text and slots with the set of places in the literal up to which it may have
/// been found, of which 0 is always one. A value is letters and digits, the rest of a line any
/// bytes (docs/line-columns.md, "Templates").
TemplateVerdict LiteralSearch::JudgeText(std::string_view text) const {
  const std::size_t size = literal_.size();
  std::vector<bool> reached(size);
  std::vector<bool> next(size);
  bool maybe = false;
  auto go_on = [&](std::size_t place) {
    if (place == size) {
      maybe = true;
    } else {
      next[place] = true;
    }
  };
  for (std::size_t at = 0; at < text.size();) {
    next.assign(size, false);
    const char slot = text[at];
    if (slot == kValueSlot || slot == kTextSlot) {
      for (std::size_t begin = 0; begin < size; ++begin) {
        if (begin > 0 && !reached[begin]) continue;
        for (std::size_t end = begin + 1; end <= size; ++end) {
          if (slot == kValueSlot && !IsWordByte(literal_[end - 1])) break;
          if (begin == 0 && end == size) break;  // inside
          go_on(end);
        }
      }
      ++at;
    } else {
      std::size_t end = at;
      while (end < text.size() && text[end] != kValueSlot && text[end] != kTextSlot) ++end;
      const std::string_view fixed = text.substr(at, end - at);
      if (Contains(fixed, literal_)) return TemplateVerdict::kAlways;
      for (std::size_t begin = 1; begin < size; ++begin) {
        if (!reached[begin]) continue;
        const std::size_t common = std::min(fixed.size(), size - begin);
        if (Same(std::string_view(literal_).substr(begin, common), fixed.substr(0, common))) {
          go_on(begin + common);
        }
      }
      for (std::size_t common = 1; common < size && common <= fixed.size(); ++common) {
        if (Same(std::string_view(literal_).substr(0, common),
                 fixed.substr(fixed.size() - common))) {
          go_on(common);
        }
      }
      at = end;
    }
    std::swap(reached, next);
  }
  return maybe ? TemplateVerdict::kMaybe : TemplateVerdict::kInside;
}

/// Collects the ways in which the literal can lie in lines of one template.
class LiteralSearch::Ways {
 public:
  Ways(const LiteralSearch& search, const TemplateView& view)
      : search_(search), view_(view), literal_(search.literal_) {}

  LiteralOutcome Find() {
    for (std::string_view fixed : view_.fixed) {
      if (search_.Contains(fixed, literal_)) return {LiteralOutcome::Kind::kAlways, {}};
    }
    for (std::size_t slot = 0; slot < view_.slots.size() && !too_many_; ++slot) {
      // Begins in the fixed text in front of the slot, or at the slot itself.
      const std::string_view before = view_.fixed[slot];
      for (std::size_t in_front = 1; in_front < literal_.size(); ++in_front) {
        if (in_front > before.size()) break;
        if (search_.Same(literal_.substr(0, in_front), before.substr(before.size() - in_front))) {
          FromSlot(slot, in_front);
        }
      }
      // Begins inside the value.
      Try({static_cast<std::uint32_t>(slot), Kind::kContains, literal_}, [] { return true; });
      for (std::size_t inside = 1; inside < literal_.size(); ++inside) {
        if (!FixedMayFollow(slot, inside)) continue;
        Try({static_cast<std::uint32_t>(slot), Kind::kEnds, literal_.substr(0, inside)},
            [&] { return AfterSlot(slot, inside); });
      }
    }
    LiteralOutcome outcome;
    if (always_) {
      outcome.kind = LiteralOutcome::Kind::kAlways;
    } else if (too_many_) {
      outcome.kind = LiteralOutcome::Kind::kUnclear;
    } else if (!ways_.empty()) {
      outcome.kind = LiteralOutcome::Kind::kSometimes;
      outcome.ways = std::move(ways_);
    }
    return outcome;
  }

 private:
  /// Adds the condition for as long as `next` goes on; when that says that the literal has ended,
  /// it is a way.
  template <typename Next>
  void Try(SlotCondition condition, Next next) {
    const ValueColumnInfo& info = *view_.slots[condition.slot];
    if (too_many_ || !search_.MayHold(condition, info)) return;
    const bool certain = info.kind == ValueKind::kConstant;
    if (!certain) conditions_.push_back(condition);
    if (next()) {
      if (conditions_.empty()) always_ = true;
      ways_.push_back(conditions_);
      too_many_ = ways_.size() > kMostWays;
    }
    if (!certain) conditions_.pop_back();
  }

  /// The literal goes on, from `at`, with the value of the slot.
  void FromSlot(std::size_t slot, std::size_t at) {
    const auto number = static_cast<std::uint32_t>(slot);
    Try({number, Kind::kBegins, literal_.substr(at)}, [] { return true; });
    const ValueColumnInfo& info = *view_.slots[slot];
    const std::size_t left = literal_.size() - at;
    const std::size_t most = std::min<std::size_t>(info.most_bytes, left - 1);
    for (std::size_t bytes = info.least_bytes; bytes <= most && !too_many_; ++bytes) {
      if (!FixedMayFollow(slot, at + bytes)) continue;
      Try({number, Kind::kEquals, literal_.substr(at, bytes)},
          [&] { return AfterSlot(slot, at + bytes); });
    }
  }

  /// Whether the fixed text behind the slot agrees with the literal from `at` on.
  bool FixedMayFollow(std::size_t slot, std::size_t at) const {
    const std::string_view fixed = view_.fixed[slot + 1];
    const std::size_t size = std::min(fixed.size(), literal_.size() - at);
    if (size < literal_.size() - at && slot + 1 == view_.slots.size()) return false;
    return search_.Same(literal_.substr(at, size), fixed.substr(0, size));
  }

  /// Behind the slot, the literal goes on from `at`: true when it ends in the fixed text; else the
  /// ways through the next slot are added.
  bool AfterSlot(std::size_t slot, std::size_t at) {
    const std::size_t fixed = view_.fixed[slot + 1].size();
    if (at + fixed >= literal_.size()) return true;
    FromSlot(slot + 1, at + fixed);
    return false;
  }

  const LiteralSearch& search_;
  const TemplateView& view_;
  std::string_view literal_;
  std::vector<SlotCondition> conditions_;
  std::vector<std::vector<SlotCondition>> ways_;
  bool always_ = false;
  bool too_many_ = false;
};

LiteralOutcome LiteralSearch::Examine(const TemplateView& view) const {
  return Ways(*this, view).Find();
}

}  // namespace dunlin::store
