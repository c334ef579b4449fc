#include "collector/store/lines/literal_search.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
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

bool IsSlot(char c) { return c == kValueSlot || c == kTextSlot; }

/// A longer literal has no set of places in a word of bits.
constexpr std::size_t kMostPlaces = 63;

std::uint64_t Bit(std::size_t place) { return std::uint64_t{1} << place; }

/// Bits behind `begin`, up to `end` itself.
std::uint64_t BitsBetween(std::size_t begin, std::size_t end) {
  return (Bit(end) - 1 + Bit(end)) & ~(Bit(begin) - 1 + Bit(begin));
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
  const std::size_t size = literal_.size();
  has_slots_ = std::any_of(literal_.begin(), literal_.end(), IsSlot);
  if (size > kMostPlaces) return;
  behind_value_.resize(size);
  for (std::size_t begin = 0; begin < size; ++begin) {
    std::size_t end = begin;
    while (end < size && IsWordByte(literal_[end])) ++end;
    behind_value_[begin] = BitsBetween(begin, end);
  }
}

/// Of `part`, which is in lower case, in `text` without regard to case. What is looked at is folded
/// piece by piece, small ones first: it may be found soon, and be looked for again behind that.
const char* LiteralSearch::FindInAnyCase(std::string_view text, std::string_view part) {
  constexpr std::size_t kLeastPiece = 128;
  constexpr std::size_t kMostPiece = 4096;
  std::array<char, kMostPiece> small;
  std::string large;
  char* buffer = small.data();
  std::size_t most = kMostPiece;
  if (part.size() > kMostPiece / 2) {
    most = 2 * part.size();
    large.resize(most);
    buffer = large.data();
  }
  std::size_t piece = std::max(kLeastPiece, 2 * part.size());
  for (std::size_t at = 0; at + part.size() <= text.size();) {
    const std::size_t size = std::min({piece, most, text.size() - at});
    const char* const from = text.data() + at;
    for (std::size_t i = 0; i < size; ++i) buffer[i] = Lower(from[i]);
    const void* found = ::memmem(buffer, size, part.data(), part.size());
    if (found != nullptr) return from + (static_cast<const char*>(found) - buffer);
    at += size - part.size() + 1;
    piece = std::min(2 * piece, most);
  }
  return nullptr;
}

/// `part` is of the literal.
bool LiteralSearch::Same(std::string_view part, std::string_view text) const {
  // Nearly all that is compared differs in its first byte: no call for that.
  if (!any_case_ && !part.empty() && !text.empty() && part[0] != text[0]) return false;
  return any_case_ ? SameInAnyCase(part, text) : part == text;
}

const char* LiteralSearch::Find(std::string_view text, std::string_view part) const {
  if (any_case_) return FindInAnyCase(text, part);
  return static_cast<const char*>(::memmem(text.data(), text.size(), part.data(), part.size()));
}

bool LiteralSearch::Holds(const SlotCondition& condition, std::string_view value) const {
  const std::size_t size = condition.text.size();
  if (value.size() < size) return false;
  switch (condition.kind) {
    case Kind::kContains:
      return Find(value, condition.text) != nullptr;
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
  std::string folded;
  for (std::uint32_t number : numbers) {
    TemplateVerdict verdict = known[number].load(std::memory_order_relaxed);
    if (verdict == TemplateVerdict::kNotAsked) {
      // Two threads may find it at once, and find the same.
      std::string_view text = dictionary[number];
      if (any_case_) {
        folded.assign(text);
        std::transform(folded.begin(), folded.end(), folded.begin(), Lower);
        text = folded;
      }
      verdict = JudgeText(text);
      known[number].store(verdict, std::memory_order_relaxed);
    }
    verdicts.push_back(verdict);
  }
  return verdicts;
}

/// Goes through fixed text and slots with the set of places in the literal up to which it may have
/// been found, of which 0 is always one. A value is letters and digits, the rest of a line any
/// bytes (docs/line-columns.md, "Templates"). `text` is folded when the case does not matter.
TemplateVerdict LiteralSearch::JudgeText(std::string_view text) const {
  const std::string_view literal = literal_;
  const std::size_t size = literal.size();
  // No fixed text has the byte of a slot.
  if (!has_slots_ &&
      ::memmem(text.data(), text.size(), literal.data(), literal.size()) != nullptr) {
    return TemplateVerdict::kAlways;
  }
  if (size > kMostPlaces) return TemplateVerdict::kMaybe;
  std::uint64_t reached = 0;
  for (std::size_t at = 0; at < text.size();) {
    const char slot = text[at];
    std::uint64_t next = 0;
    if (IsSlot(slot)) {
      if (slot == kTextSlot) {
        next = BitsBetween(0, size) & ~Bit(size);
        if (reached != 0) next |= Bit(size);
      } else {
        next = behind_value_[0] & ~Bit(size);  // all of it: inside
        for (std::uint64_t left = reached; left != 0; left &= left - 1) {
          next |= behind_value_[static_cast<std::size_t>(std::countr_zero(left))];
        }
      }
      ++at;
    } else {
      std::size_t end = at;
      while (end < text.size() && !IsSlot(text[end])) ++end;
      const std::string_view fixed = text.substr(at, end - at);
      at = end;
      for (std::uint64_t left = reached; left != 0; left &= left - 1) {
        const auto begin = static_cast<std::size_t>(std::countr_zero(left));
        const std::size_t common = std::min(fixed.size(), size - begin);
        if (literal.substr(begin, common) == fixed.substr(0, common)) next |= Bit(begin + common);
      }
      if (end == text.size()) {
        if ((next & Bit(size)) != 0) return TemplateVerdict::kMaybe;
        break;
      }
      for (std::size_t begin = fixed.size() - std::min(fixed.size(), size - 1);
           begin < fixed.size(); ++begin) {
        if (fixed[begin] != literal[0]) continue;
        const std::string_view rest = fixed.substr(begin);
        if (literal.substr(0, rest.size()) == rest) next |= Bit(rest.size());
      }
    }
    if ((next & Bit(size)) != 0) return TemplateVerdict::kMaybe;
    reached = next;
  }
  return TemplateVerdict::kInside;
}

/// Collects the ways in which the literal can lie in lines of one template.
class LiteralSearch::Ways {
 public:
  Ways(const LiteralSearch& search, const TemplateView& view)
      : search_(search), view_(view), literal_(search.literal_) {}

  LiteralOutcome Find() {
    for (std::string_view fixed : view_.fixed) {
      if (search_.Find(fixed, literal_) != nullptr) return {LiteralOutcome::Kind::kAlways, {}};
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
