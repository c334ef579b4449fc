#pragma once

#include <source_location>

namespace dunlin {

/// Aborts with `what` and the caller's place when `condition` is false: an invariant of ours is
/// broken, which is a bug. Never for input, files or peers: those are a Result.
void Check(bool condition, const char* what,
           std::source_location where = std::source_location::current());

}  // namespace dunlin
