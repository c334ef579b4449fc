#pragma once

#include <vector>

#include "controller/cli/delivery_view.h"
#include "controller/cli/diagnosis.h"

namespace dunlin::cli {

/// Why lines do not get to the agent's disk, or what others left there does not get away: added to
/// `findings`. Decides only.
void ExamineSpool(const AgentView& agent, std::vector<Finding>& findings);
void ExamineAdopted(const AgentView& agent, std::vector<Finding>& findings);

}  // namespace dunlin::cli
