#pragma once

#include <string>

#include "agent/snapshot.h"

namespace dunlin::agent {

/// The body of GET /v1/status; docs/agent.md, "Control listener".
std::string StatusDocument(const Snapshot& snapshot);

}  // namespace dunlin::agent
