#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/result.h"

namespace dunlin::agent {

/// Splits a command given as one text (a hook, an exec probe) into its words. Words are separated
/// by blanks; single and double quotes keep blanks, and a backslash keeps the next character,
/// except in single quotes. There is no shell: nothing is expanded. Errors: kInvalidArgument when
/// there is no word, or a quote is not closed.
Result<std::vector<std::string>> SplitCommandWords(std::string_view text);

}  // namespace dunlin::agent
