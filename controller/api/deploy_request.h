#pragma once

#include <optional>

#include "controller/state/store.h"
#include "protocol/http/message.h"

namespace dunlin::controller {

/// What became of PUT /deploys/{service}.
struct DeployAnswer {
  std::optional<http::Response> refusal;  // else:
  std::optional<DeploymentRecord> deployment;
  DeploymentId superseded;  // the deployment that waited before, if one did
  bool replayed = false;    // the request had been accepted before
};

/// Reads and stores a deploy request. Blocks; workers only.
DeployAnswer AcceptDeploy(const http::Request& request, Store& store);

/// What became of POST /services/{service}/stop.
struct StopAnswer {
  http::Response response;
  std::optional<DeploymentRecord> begun;  // the deployment whose container is to be ended now
};

/// Blocks; workers only.
StopAnswer AcceptStop(const http::Request& request, Store& store);

}  // namespace dunlin::controller
