#include "collector/logql/read_plan.h"

#include <re2/re2.h>

#include <optional>
#include <string>
#include <string_view>

#include "collector/logql/regex.h"
#include "protocol/base/text.h"

namespace dunlin::logql {
namespace {

bool IsUtf8(std::string_view text) {
  while (!text.empty()) {
    std::size_t length = Utf8SequenceLength(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

/// A pattern of its own right: the source need not know what a dot means to LogQL.
std::string SelfContained(std::string_view pattern) {
  return pattern.find('.') == std::string_view::npos ? std::string(pattern) : Join("(?s)", pattern);
}

/// The one expression that finds any of the alternatives; nothing when it cannot be written.
std::optional<std::string> Alternation(const LineFilterStage& stage) {
  std::string out;
  for (const std::string& pattern : stage.patterns) {
    if (!IsUtf8(pattern)) return std::nullopt;  // RE2 reads patterns as UTF-8
    if (!out.empty()) out += "|";
    bool is_regex = stage.op == LineFilter::Op::kRegex;
    out += Join("(?:", is_regex ? SelfContained(pattern) : re2::RE2::QuoteMeta(pattern), ")");
  }
  // Joined, they may be too large, or one may swallow the parenthesis after it, as \Q does.
  if (!CompileRegex(out, RegexUse::kLine)) return std::nullopt;
  return out;
}

/// Appends what `stage` means to `filters`. False when the source cannot be told.
bool PushDown(const LineFilterStage& stage, std::vector<LineFilter>& filters) {
  bool is_regex = stage.op == LineFilter::Op::kRegex || stage.op == LineFilter::Op::kNotRegex;
  bool negated = stage.op == LineFilter::Op::kNotContains || stage.op == LineFilter::Op::kNotRegex;
  if (negated || stage.patterns.size() == 1) {
    for (const std::string& pattern : stage.patterns) {
      filters.push_back({stage.op, is_regex ? SelfContained(pattern) : pattern});
    }
    return true;
  }
  auto alternation = Alternation(stage);
  if (!alternation) return false;
  filters.push_back({LineFilter::Op::kRegex, *std::move(alternation)});
  return true;
}

}  // namespace

ReadPlan PlanRead(const LogQuery& query) {
  ReadPlan plan{query.selector, {}, {}};
  for (const Stage& stage : query.stages) {
    const auto* filter = std::get_if<LineFilterStage>(&stage);
    if (filter == nullptr || !PushDown(*filter, plan.filters)) plan.stages.push_back(stage);
  }
  return plan;
}

}  // namespace dunlin::logql
