#pragma once

#include <string>
#include <vector>

#include "controller/drivers/driver.h"
#include "controller/rollout/rollout.h"
#include "controller/watch/agent_client.h"

namespace dunlin::controller {

/// Looks at containers: the driver's word, then the agent's, then the process's. The agent being
/// silent does not make a container dead: the driver is the second witness. Blocks; any thread.
class Observer {
 public:
  Observer(Driver& driver, AgentClient agents) : driver_(driver), agents_(agents) {}

  Observation Observe(const ContainerPlan& plan) const;
  /// Begins an orderly stop, through the agent or, when it does not answer, through the driver.
  void Stop(const ContainerPlan& plan) const;
  /// The last lines of output, running or not; empty when there are none to be had.
  std::vector<std::string> LastLines(const ContainerPlan& plan, std::size_t count) const;

 private:
  Driver& driver_;
  AgentClient agents_;
};

/// What `status`, the answer of whoever listens on the container's address, means for it.
void ApplyAgentStatus(const AgentStatus& status, const ContainerId& id, Observation& seen);

}  // namespace dunlin::controller
