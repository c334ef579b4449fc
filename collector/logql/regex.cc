#include "collector/logql/regex.h"

#include "collector/logql/literals.h"
#include "protocol/base/text.h"

namespace dunlin::logql {

Result<std::unique_ptr<const re2::RE2>> CompileRegex(std::string_view pattern, RegexUse use) {
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(static_cast<std::int64_t>(kMaxRegexBytes));
  options.set_dot_nl(use == RegexUse::kLine);
  auto regex =
      std::make_unique<const re2::RE2>(re2::StringPiece(pattern.data(), pattern.size()), options);
  if (regex->ok()) return regex;
  bool too_large = regex->error_code() == re2::RE2::ErrorPatternTooLarge;
  std::string_view cause = too_large ? "it is too large" : std::string_view(regex->error());
  return Error(ErrorCode::kInvalidArgument,
               Join("invalid regular expression ", Quote(pattern.substr(0, 200)), ": ", cause));
}

}  // namespace dunlin::logql
