#pragma once

#include <string>

#include "controller/cli/command.h"

namespace dunlin::cli {

/// The body of PUT /deploys/{service}: only what the command line gave.
std::string DeployBody(const DeployCommand& command);

}  // namespace dunlin::cli
