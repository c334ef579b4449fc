#pragma once

#include <span>
#include <string_view>

#include "agent/configuration.h"

namespace dunlin::agent {

/// One row per flag; parser, environment and --help follow from it.
struct Flag {
  std::string_view name;
  std::string_view value;  // empty: takes none (in the environment: on or off)
  std::string_view fallback;
  std::string_view meaning;
  /// Errors: kInvalidArgument with what would be right.
  Result<void> (*set)(Configuration&, std::string_view);
  /// Forgets what was set before; only for a flag that may be repeated.
  void (*clear)(Configuration&) = nullptr;
};

/// In the order of --help.
std::span<const Flag> AllFlags();

}  // namespace dunlin::agent
