#pragma once

#include <string>

#include "agent/snapshot.h"

namespace dunlin::agent {

/// Why the process is not ready, as a clause: the first of what would have to change. Says nothing
/// that the process or a probe printed, as anybody may ask.
std::string WhyNotReady(const Snapshot& snapshot);

}  // namespace dunlin::agent
