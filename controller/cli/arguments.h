#pragma once

#include <functional>
#include <string>
#include <variant>
#include <vector>

#include "controller/cli/command.h"
#include "protocol/base/result.h"

namespace dunlin::cli {

/// A command line that was understood.
struct Invocation {
  Common common;
  Command command;
};

/// Nothing to run: help, version, or what is wrong with the command line.
struct Finished {
  ExitStatus status;
  std::string standard_output;
  std::string standard_error;
};

/// Null for an unset variable.
using Environment = std::function<const char*(const std::string& name)>;

/// Reads the arguments after the program's name. DUNLIN_CONTROLLER, DUNLIN_COLLECTOR_URL,
/// DUNLIN_TOKEN_FILE and DUNLIN_TLS_CA, _CERT and _KEY stand in for the flags of that name; an
/// empty one is the same as none.
std::variant<Invocation, Finished> ParseArguments(const std::vector<std::string>& arguments,
                                                  const Environment& environment);

/// RFC 3339, whole seconds (at most ten digits) or nanoseconds since 1970, or a duration: that long
/// ago. Errors: kInvalidArgument.
Result<Moment> ParseMoment(std::string_view text);

}  // namespace dunlin::cli
