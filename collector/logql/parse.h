#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "collector/logql/ast.h"
#include "protocol/base/result.h"

namespace dunlin::logql {

struct ParseLimits {
  std::size_t max_query_bytes = 131072;
  std::size_t max_matchers = 1000;  // of one selector
  /// Nesting of parentheses and operators. Bounds the stack of everything that walks a query.
  std::size_t max_depth = 200;
};

/// Parses one whole query. The subset is docs/logql.md.
///
/// Messages are meant for the person who typed the query and name the place, counted from 1,
/// columns in characters:
///   parse error at line 1, col 8: syntax error: unexpected "}", expecting string
///   parse error at line 1, col 1: unsupported: topk
///   parse error : queries require at least one matcher that does not match the empty string
/// Errors: kUnsupported for LogQL that is known but not offered, kInvalidArgument for the rest.
Result<Query> Parse(std::string_view text, const ParseLimits& limits = {});

/// As Parse, for places that take no metric query: tail, detected fields.
Result<LogQuery> ParseLogQuery(std::string_view text, const ParseLimits& limits = {});

/// A selector alone, for the label, series and volume endpoints; `{}` means every stream.
Result<std::vector<Matcher>> ParseSelector(std::string_view text, const ParseLimits& limits = {});

/// One or more integer-unit pairs in descending units, ms s m h d w y, or "0": the durations of
/// ranges and of the HTTP parameters `step`, `interval` and `since`. Errors: kInvalidArgument.
Result<std::chrono::nanoseconds> ParsePrometheusDuration(std::string_view text);

}  // namespace dunlin::logql
