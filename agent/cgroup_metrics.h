#pragma once

#include "agent/cgroup.h"
#include "agent/families.h"

namespace dunlin::agent {

/// Adds what the container uses under the names that cAdvisor gives it, so that dashboards made for
/// those work.
void AddCgroup(Families& out, const CgroupUsage& usage);

}  // namespace dunlin::agent
