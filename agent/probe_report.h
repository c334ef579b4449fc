#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/families.h"
#include "agent/probe_policy.h"
#include "protocol/base/clock.h"
#include "protocol/base/json_writer.h"

namespace dunlin::agent {

/// What is told about one check.
struct ProbeReport {
  std::string_view check;  // "ready" or "live"
  std::string_view kind;   // "http", "tcp", "exec" or "log"
  ProbePolicy::Status status = ProbePolicy::Status::kIdle;
  LogTime since{};                     // of the status
  unsigned failures_in_a_row = 0;      // that counted
  std::uint64_t failures = 0;          // since the agent's start, those that did not count included
  std::optional<LogTime> last_result;  // when; nothing before the first
  bool last_passed = false;
  std::optional<double> last_duration_seconds;  // of the last probe; a log check has none
  std::string last_error;                       // of the last failure; empty when there was none
};

/// "idle", "starting", "passing" or "failing".
std::string_view ProbeStatusName(ProbePolicy::Status status);

/// What /v1/status has as "probes": an object by check (docs/agent.md, "Probes").
void WriteProbes(JsonWriter& json, const std::vector<ProbeReport>& reports);

/// Adds dunlin_agent_health_*: of a check that is neither passing nor failing no status, of one
/// that has not run no duration.
void AddProbes(Families& out, const std::vector<ProbeReport>& reports);

}  // namespace dunlin::agent
