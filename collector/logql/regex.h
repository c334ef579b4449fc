#pragma once

#include <re2/re2.h>

#include <memory>
#include <string_view>

#include "protocol/base/result.h"
#include "protocol/base/units.h"

namespace dunlin::logql {

/// What a compiled regular expression and its search caches may occupy. It also bounds the work per
/// byte of text: RE2's time is linear in both.
inline constexpr std::uint64_t kMaxRegexBytes = 1_MiB;

enum class RegexUse {
  kLabel,  // for FullMatch; a dot does not match a newline
  kLine,   // for PartialMatch; a dot matches everything
};

/// Errors: kInvalidArgument, with the pattern and what is wrong with it.
Result<std::unique_ptr<const re2::RE2>> CompileRegex(std::string_view pattern, RegexUse use);

}  // namespace dunlin::logql
