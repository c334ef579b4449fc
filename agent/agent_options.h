#pragma once

#include <string>

#include "agent/configuration.h"
#include "agent/credentials.h"
#include "agent/supervisor.h"
#include "protocol/base/random.h"
#include "shipper/shipper.h"

namespace dunlin::agent {

/// With the host's name where the container has none of its own.
Configuration Completed(Configuration configuration);

/// What of the configuration is the shipper's. `credentials` outlive it.
shipper::ShipperOptions ShipperOptionsOf(const Configuration& configuration,
                                         const Credentials& credentials, const RandomId& agent_id,
                                         const RandomId& boot_id);

/// What of the configuration is the supervisor's.
SupervisorOptions SupervisorOptionsOf(const Configuration& configuration);

}  // namespace dunlin::agent
