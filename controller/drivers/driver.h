#pragma once

#include <optional>
#include <string>
#include <vector>

#include "controller/model/ids.h"
#include "controller/model/spec.h"
#include "controller/rollout/rollout.h"
#include "protocol/base/result.h"

namespace dunlin::controller {

/// All a driver and an observer need to know of one container.
struct ContainerPlan {
  ContainerId id;
  DeploymentId deployment;
  std::string project;
  std::string service;
  std::string address;
  Spec spec;
};

/// What the driver itself sees, without asking the agent.
struct ContainerState {
  Observation::Presence presence = Observation::Presence::kAbsent;
  std::optional<int> exit_code;
  std::optional<int> signal;
};

/// Runs containers somewhere. Every call may be repeated and blocks: worker threads only; any
/// thread. Names are deterministic, so that a controller that was killed finds what it made.
class Driver {
 public:
  virtual ~Driver() = default;

  /// Prepares the container. Errors: kInvalidArgument for what the spec asks and cannot be,
  /// kExhausted, kIo.
  virtual Result<void> Create(const ContainerPlan& plan) = 0;
  /// Starts what was created; one that was started before is left as it is.
  virtual Result<void> Start(const ContainerPlan& plan) = 0;
  virtual ContainerState Inspect(const ContainerId& id) = 0;
  /// The second way to ask for an orderly stop, when the agent's own endpoint does not answer.
  virtual void Terminate(const ContainerId& id) = 0;
  /// Ends it and all it started, at once.
  virtual void Kill(const ContainerId& id) = 0;
  /// Forgets it, killing what is left of it. A container nobody knows is success.
  virtual Result<void> Remove(const ContainerId& id) = 0;
  /// The last lines of output of a container that has ended, at most `limit`, oldest first.
  virtual std::vector<std::string> LastLines(const ContainerId& id, std::size_t limit) = 0;
  /// Every container it has, whoever remembers it.
  virtual Result<std::vector<ContainerId>> List() = 0;
};

}  // namespace dunlin::controller
