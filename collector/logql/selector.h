#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "collector/logql/entry_source.h"
#include "protocol/base/label_set.h"
#include "protocol/base/result.h"

namespace dunlin::logql {

/// One label condition, ready to be asked many times. A label that is absent has the empty value.
/// Thread-safe.
class CompiledMatcher {
 public:
  /// Errors: kInvalidArgument when the regular expression is malformed or larger than
  /// kMaxRegexBytes allows.
  static Result<CompiledMatcher> Compile(const Matcher& matcher);
  CompiledMatcher(CompiledMatcher&&) noexcept;
  CompiledMatcher& operator=(CompiledMatcher&&) noexcept;
  ~CompiledMatcher();

  std::string_view name() const;
  bool Matches(std::string_view value) const;

 private:
  struct Program;
  explicit CompiledMatcher(std::unique_ptr<const Program> program);
  std::unique_ptr<const Program> program_;
};

/// The conditions of a stream selector, all of which must hold. Thread-safe.
class CompiledSelector {
 public:
  /// An empty list matches everything. Errors: as CompiledMatcher::Compile.
  static Result<CompiledSelector> Compile(const std::vector<Matcher>& matchers);

  bool Matches(const LabelSet& labels) const;

 private:
  explicit CompiledSelector(std::vector<CompiledMatcher> matchers)
      : matchers_(std::move(matchers)) {}

  std::vector<CompiledMatcher> matchers_;
};

}  // namespace dunlin::logql
