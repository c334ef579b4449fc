#pragma once

#include <optional>

#include "controller/drivers/driver.h"
#include "controller/rollout/rollout.h"
#include "controller/state/store.h"
#include "controller/watch/observer.h"
#include "protocol/base/result.h"

namespace dunlin::controller {

/// Performs the actions of rollouts on the real store, driver and agents. Blocks; any thread.
class Performer {
 public:
  Performer(Store& store, Driver& driver, const Observer& observer)
      : store_(store), driver_(driver), observer_(observer) {}

  /// The event that `action` leads to; nothing for a record. An error means that the store refused:
  /// nothing was done, and the action is to be tried again.
  Result<std::optional<RolloutEvent>> Perform(const DeploymentId& deployment,
                                              const RolloutAction& action);

  /// All that drivers and observers need of a container. kNotFound when there is no such record.
  Result<ContainerPlan> Plan(const ContainerId& id);

 private:
  Result<std::optional<RolloutEvent>> Allocate(const DeploymentId& deployment);
  Result<std::optional<RolloutEvent>> Create(const ContainerId& id);
  Result<std::optional<RolloutEvent>> Start(const ContainerId& id);
  Result<std::optional<RolloutEvent>> Observe(const ContainerId& id);
  Result<std::optional<RolloutEvent>> Remove(const ContainerId& id);

  Store& store_;
  Driver& driver_;
  const Observer& observer_;
};

/// The word for a container's state in the database and the API.
std::string_view ContainerStateName(const Observation& seen);

/// Stores what was seen of a container when it differs from its record.
Result<void> StoreObservation(Store& store, const ContainerRecord& record, const Observation& seen);

}  // namespace dunlin::controller
