#include "collector/logql/selector.h"

#include <algorithm>
#include <optional>
#include <string>

#include "collector/logql/regex.h"

namespace dunlin::logql {
namespace {

/// The values that `a|b\.c|d` means when it is an alternation of plain texts, sorted. Dashboards
/// send long lists of this kind; looking a value up beats running a program as large as the list.
std::optional<std::vector<std::string>> LiteralAlternatives(std::string_view pattern) {
  std::vector<std::string> values(1);
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    char c = pattern[i];
    if (c == '|') {
      values.emplace_back();
      continue;
    }
    if (c == '\\') {
      // An escaped punctuation character is itself; an escaped letter or digit means something.
      if (++i == pattern.size()) return std::nullopt;
      c = pattern[i];
      if (std::string_view("\\.+*?()|[]{}^$-/").find(c) == std::string_view::npos) {
        return std::nullopt;
      }
    } else if (std::string_view(".+*?()[]{}^$").find(c) != std::string_view::npos) {
      return std::nullopt;
    }
    values.back().push_back(c);
  }
  std::sort(values.begin(), values.end());
  return values;
}

}  // namespace

struct CompiledMatcher::Program {
  std::string name;
  bool negated = false;
  std::vector<std::string> values;  // sorted; used when there is no regex
  std::unique_ptr<const re2::RE2> regex;
};

CompiledMatcher::CompiledMatcher(std::unique_ptr<const Program> program)
    : program_(std::move(program)) {}
CompiledMatcher::CompiledMatcher(CompiledMatcher&&) noexcept = default;
CompiledMatcher& CompiledMatcher::operator=(CompiledMatcher&&) noexcept = default;
CompiledMatcher::~CompiledMatcher() = default;

Result<CompiledMatcher> CompiledMatcher::Compile(const Matcher& matcher) {
  auto program = std::make_unique<Program>();
  program->name = matcher.name;
  program->negated = matcher.op == Matcher::Op::kNotEqual || matcher.op == Matcher::Op::kNotRegex;
  bool is_regex = matcher.op == Matcher::Op::kRegex || matcher.op == Matcher::Op::kNotRegex;
  if (!is_regex) {
    program->values = {matcher.value};
  } else if (auto values = LiteralAlternatives(matcher.value)) {
    program->values = *std::move(values);
  } else {
    auto regex = CompileRegex(matcher.value, RegexUse::kLabel);
    if (!regex) return std::move(regex).error();
    program->regex = *std::move(regex);
  }
  return CompiledMatcher(std::move(program));
}

std::string_view CompiledMatcher::name() const { return program_->name; }

bool CompiledMatcher::Matches(std::string_view value) const {
  bool found =
      program_->regex != nullptr
          ? re2::RE2::FullMatch(re2::StringPiece(value.data(), value.size()), *program_->regex)
          : std::binary_search(program_->values.begin(), program_->values.end(), value);
  return found != program_->negated;
}

Result<CompiledSelector> CompiledSelector::Compile(const std::vector<Matcher>& matchers) {
  std::vector<CompiledMatcher> compiled;
  compiled.reserve(matchers.size());
  for (const Matcher& matcher : matchers) {
    auto one = CompiledMatcher::Compile(matcher);
    if (!one) return std::move(one).error();
    compiled.push_back(*std::move(one));
  }
  return CompiledSelector(std::move(compiled));
}

bool CompiledSelector::Matches(const LabelSet& labels) const {
  return std::all_of(matchers_.begin(), matchers_.end(), [&](const CompiledMatcher& matcher) {
    return matcher.Matches(labels.Get(matcher.name()));
  });
}

}  // namespace dunlin::logql
