#include "collector/store/filter_literals.h"

#include <algorithm>
#include <cctype>
#include <optional>
#include <utility>

namespace dunlin::store {
namespace {

constexpr int kDeepestGroup = 16;
/// Many alternatives are found faster by looking at lines.
constexpr std::size_t kMostAlternatives = 16;

/// One alternative while it is read.
struct Branch {
  std::vector<std::string> literals;
  bool exact = true;  // there is one literal and nothing else
  bool any_case = false;
};

bool IsAscii(char c) { return static_cast<unsigned char>(c) < 0x80; }

/// Beside their other case, k and s match a letter outside of ASCII: the Kelvin sign, the long s.
bool HasFoldOutsideAscii(char c) { return c == 'k' || c == 'K' || c == 's' || c == 'S'; }

/// Reads a regular expression as far as its literals go. Every method answers false when it finds
/// something that it does not understand.
class RegexLiterals {
 public:
  explicit RegexLiterals(std::string_view pattern) : pattern_(pattern) {}

  std::optional<std::vector<Branch>> Read() {
    if (!ReadAlternatives(/*any_case=*/false, /*depth=*/0) || at_ != pattern_.size()) return {};
    return std::move(branches_);
  }

 private:
  bool AtEnd() const { return at_ == pattern_.size(); }
  bool Next(char c) const { return !AtEnd() && pattern_[at_] == c; }

  bool ReadAlternatives(bool any_case, int depth) {
    if (depth > kDeepestGroup) return false;
    if (!ReadFlags(any_case)) return false;
    for (;;) {
      if (!ReadBranch(any_case, depth)) return false;
      if (!Next('|')) return true;
      ++at_;
    }
  }

  /// Groups of flags at the beginning, which hold for all that follows in this group.
  bool ReadFlags(bool& any_case) {
    while (pattern_.substr(at_).starts_with("(?")) {
      std::size_t end = at_ + 2;
      bool ignore_case = false;
      while (end < pattern_.size() && (pattern_[end] == 'i' || pattern_[end] == 's')) {
        ignore_case = ignore_case || pattern_[end] == 'i';
        ++end;
      }
      if (end == pattern_.size() || pattern_[end] != ')' || end == at_ + 2) return true;
      any_case = any_case || ignore_case;
      at_ = end + 1;
    }
    return true;
  }

  /// Whether a quantifier is next.
  bool AtQuantifier() const { return Next('*') || Next('+') || Next('?') || Next('{'); }

  bool SkipQuantifier() {
    if (Next('{')) {
      const std::size_t end = pattern_.find('}', at_);
      if (end == std::string_view::npos) return false;
      for (std::size_t i = at_ + 1; i < end; ++i) {
        if (pattern_[i] != ',' && (pattern_[i] < '0' || pattern_[i] > '9')) return false;
      }
      at_ = end;
    }
    ++at_;
    if (Next('?')) ++at_;  // not greedy
    return true;
  }

  bool ReadBranch(bool any_case, int depth) {
    if (Next('(') && IsWholeBranch()) return ReadGroupBranch(any_case, depth);
    Branch branch;
    branch.any_case = any_case;
    std::string run;
    auto end_run = [&] {
      if (!run.empty()) branch.literals.push_back(std::move(run));
      run.clear();
    };
    auto other = [&] {
      end_run();
      branch.exact = false;
    };
    while (!AtEnd() && pattern_[at_] != '|' && pattern_[at_] != ')') {
      std::string rune;
      if (!ReadRune(rune)) return false;
      if (!rune.empty() && any_case && (!IsAscii(rune[0]) || HasFoldOutsideAscii(rune[0]))) {
        rune.clear();
      }
      if (AtQuantifier()) {
        const bool at_least_once = Next('+');
        if (at_least_once) run += rune;
        other();
        if (!SkipQuantifier() || AtQuantifier()) return false;
      } else if (rune.empty()) {
        other();
      } else {
        run += rune;
      }
    }
    end_run();
    branch.exact = branch.exact && branch.literals.size() == 1;
    branches_.push_back(std::move(branch));
    return branches_.size() <= kMostAlternatives;
  }

  /// One character, class, group or assertion; `rune` stays empty unless it stands for itself.
  bool ReadRune(std::string& rune) {
    const char c = pattern_[at_];
    switch (c) {
      case '\\':
        return ReadEscape(rune);
      case '[':
        return SkipClass();
      case '(':
        return SkipGroup();
      case '.':
      case '^':
      case '$':
        ++at_;
        return true;
      case '*':
      case '+':
      case '?':
      case '{':
        return false;
      default:
        break;
    }
    std::size_t end = at_ + 1;
    if (!IsAscii(c)) {
      while (end < pattern_.size() && (static_cast<unsigned char>(pattern_[end]) & 0xC0) == 0x80) {
        ++end;
      }
    }
    rune = pattern_.substr(at_, end - at_);
    at_ = end;
    return true;
  }

  bool ReadEscape(std::string& rune) {
    if (at_ + 1 == pattern_.size()) return false;
    const char c = pattern_[at_ + 1];
    at_ += 2;
    if (IsAscii(c) && std::ispunct(static_cast<unsigned char>(c)) != 0) {
      rune = c;
      return true;
    }
    return std::string_view("dDwWsSbB").find(c) != std::string_view::npos;
  }

  bool SkipClass() {
    ++at_;
    if (Next('^')) ++at_;
    if (Next(']')) ++at_;
    while (!AtEnd() && pattern_[at_] != ']') {
      if (pattern_.substr(at_).starts_with("[:")) {
        const std::size_t end = pattern_.find(":]", at_ + 2);
        if (end == std::string_view::npos) return false;
        at_ = end + 2;
        continue;
      }
      if (pattern_[at_] == '\\') ++at_;
      if (AtEnd()) return false;
      ++at_;
    }
    if (AtEnd()) return false;
    ++at_;
    return true;
  }

  bool SkipGroup() {
    int depth = 0;
    while (!AtEnd()) {
      const char c = pattern_[at_];
      if (c == '[') {
        if (!SkipClass()) return false;
        continue;
      }
      if (c == '\\') {
        if (at_ + 1 == pattern_.size() || pattern_[at_ + 1] == 'Q') return false;
        at_ += 2;
        continue;
      }
      ++at_;
      if (c == '(') {
        // Flags of a group inside end with this one.
        if (!SkipGroupKind() && depth == 0) return false;
        ++depth;
      } else if (c == ')' && --depth == 0) {
        return true;
      }
    }
    return false;
  }

  /// Behind an opening parenthesis: "?:" and names are understood. Flags are not: without a colon
  /// they hold for what follows the group as well.
  bool SkipGroupKind() {
    if (!Next('?')) return true;
    if (pattern_.substr(at_).starts_with("?:")) {
      at_ += 2;
      return true;
    }
    if (!pattern_.substr(at_).starts_with("?P<")) return false;
    const std::size_t end = pattern_.find('>', at_);
    if (end == std::string_view::npos) return false;
    at_ = end + 1;
    return true;
  }

  /// Whether the group that begins here is all there is of its branch.
  bool IsWholeBranch() {
    const std::size_t begin = at_;
    const bool whole = SkipGroup() && (AtEnd() || Next('|') || Next(')'));
    at_ = begin;
    return whole;
  }

  bool ReadGroupBranch(bool any_case, int depth) {
    ++at_;
    if (!SkipGroupKind() || !ReadAlternatives(any_case, depth + 1) || !Next(')')) return false;
    ++at_;
    return true;
  }

  std::string_view pattern_;
  std::size_t at_ = 0;
  std::vector<Branch> branches_;
};

FilterLiterals::Literal MakeLiteral(const std::string& text, bool any_case) {
  return {LiteralSearch(text, any_case), LiteralGrams(text)};
}

}  // namespace

bool MayHold(const FilterLiterals& literals, const GramFilter& filter) {
  if (literals.alternatives.empty()) return true;
  return std::any_of(
      literals.alternatives.begin(), literals.alternatives.end(), [&](const auto& alternative) {
        return std::all_of(alternative.begin(), alternative.end(), [&](const auto& literal) {
          return literal.grams.empty() || filter.MayContain(literal.grams);
        });
      });
}

FilterLiterals LiteralsOf(const LineFilter& filter) {
  FilterLiterals literals;
  if (filter.pattern.empty()) return literals;
  if (filter.kind == LineFilter::Kind::kContains) {
    literals.exact = true;
    literals.alternatives.emplace_back().push_back(MakeLiteral(filter.pattern, /*any_case=*/false));
    return literals;
  }
  auto branches = RegexLiterals(filter.pattern).Read();
  if (!branches) return literals;
  literals.exact = true;
  for (const Branch& branch : *branches) {
    if (branch.literals.empty()) return {};
    literals.exact = literals.exact && branch.exact;
    auto& searches = literals.alternatives.emplace_back();
    for (const std::string& literal : branch.literals) {
      searches.push_back(MakeLiteral(literal, branch.any_case));
    }
  }
  return literals;
}

}  // namespace dunlin::store
