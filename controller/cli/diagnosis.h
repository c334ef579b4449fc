#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "controller/cli/client.h"
#include "controller/cli/delivery_view.h"

namespace dunlin::cli {

/// One thing that is wrong, or worth knowing.
struct Finding {
  enum class Weight {
    kProblem,  // lines are not moving, or will be lost
    kNote,     // past, or on purpose
  };
  Weight weight = Weight::kProblem;
  std::string code;     // for programs: "collector_disk_full"
  std::string message;  // what is the matter
  std::string cure;     // what to do about it
  friend bool operator==(const Finding&, const Finding&) = default;
};

/// What an agent and its collector have answered.
struct Examination {
  std::string agent_url, collector_url;
  std::variant<AgentView, Failure> agent;
  std::variant<CollectorView, Failure> collector;
  /// How far the agent's clock is ahead of the collector's, where both have told the time.
  std::optional<std::chrono::nanoseconds> skew;
  LogTime now{};  // by the agent's clock
};

/// Why lines are not moving: the agent's reasons first, then the collector's. Decides only.
std::vector<Finding> Diagnose(const Examination& examination);

}  // namespace dunlin::cli
