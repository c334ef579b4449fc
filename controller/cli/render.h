#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "controller/cli/deployment_view.h"
#include "controller/cli/log_answer.h"
#include "controller/cli/terminal.h"
#include "protocol/base/clock.h"

namespace dunlin::cli {

// Documents as text for people. Pure: what depends on the terminal asks only whether it wants
// colours and is interactive.

/// "  1.2s  VERIFYING  container ctr_… runs": one step of a deployment, `since` its creation.
std::string RenderEvent(const Terminal& terminal, const EventView& event,
                        std::chrono::nanoseconds since);

/// How a deployment ended, in one line and then its evidence and last lines.
std::string RenderOutcome(const Terminal& terminal, const DeploymentView& deployment);

std::string RenderServices(const Terminal& terminal, const std::vector<ServiceView>& services,
                           LogTime now);

/// Newest first, as given.
std::string RenderDeployments(const Terminal& terminal,
                              const std::vector<DeploymentView>& deployments, LogTime now);

/// Time, service (or all labels where there is none), and the line, coloured by its level.
/// `with_service` false leaves the service out.
std::string RenderEntry(const Terminal& terminal, const FoundEntry& entry, bool with_service);

/// Values of one time: a row each, labels and value. Otherwise each series' labels, then its
/// values.
std::string RenderSamples(const Terminal& terminal, const std::vector<Sample>& samples);

/// One entry or value as JSON, on one line.
std::string EntryJson(const FoundEntry& entry);
std::string SampleJson(const Sample& sample);

/// "3s", "5m", "2h", "4d": how long ago, for a table.
std::string RenderAge(std::chrono::nanoseconds age);

/// "2026-11-20T17:40:00.123Z".
std::string RenderTime(LogTime time);

/// "0.4s", "12.3s", "2m05s": how long a step took.
std::string RenderElapsed(std::chrono::nanoseconds elapsed);

}  // namespace dunlin::cli
