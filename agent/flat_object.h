#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/base/result.h"

namespace dunlin::agent {

/// Reads one JSON object (RFC 8259) whose values are strings, numbers, booleans or null: what
/// bodies of the control API hold. Values come as text: a string without quotes, its escapes
/// resolved, a null as nothing at all (its key is left out). Errors: kInvalidArgument. Why by hand:
/// a JSON library would be a tenth of the agent.
Result<std::vector<std::pair<std::string, std::string>>> ParseFlatObject(std::string_view text);

}  // namespace dunlin::agent
