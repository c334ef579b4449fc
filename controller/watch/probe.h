#pragma once

#include <cstdint>
#include <string>

#include "controller/model/spec.h"

namespace dunlin::controller {

struct ProbeResult {
  bool ok = false;
  std::string detail;  // "GET http://127.64.0.1:80/ answered 500": for people and evidence
};

/// Asks the process itself, at its container's address, whether it is ready, as `readiness` says.
/// `port` is the service's own, for when readiness names none. Kind uptime has nothing to ask and
/// is ready. Blocks for at most readiness.timeout; any thread.
ProbeResult Probe(const Readiness& readiness, const std::string& address, std::uint16_t port);

}  // namespace dunlin::controller
