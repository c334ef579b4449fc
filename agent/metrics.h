#pragma once

#include <vector>

#include "agent/cgroup.h"
#include "agent/process_usage.h"
#include "agent/snapshot.h"
#include "protocol/wire/messages.h"

namespace dunlin::agent {

/// All metrics of the agent: of the lines, the shipping, the process, its container, the agent
/// itself. docs/metrics.md, "Agent", lists them; what is not known is not there.
std::vector<wire::MetricFamily> MetricsOf(const Snapshot& snapshot, const ProcessUsage& agent,
                                          const CgroupUsage& container);

}  // namespace dunlin::agent
