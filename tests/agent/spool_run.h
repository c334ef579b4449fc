#pragma once

#include <set>
#include <string>
#include <vector>

#include "protocol/base/file_system.h"
#include "tests/agent/agent_run.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

/// For tests of the agent with a spool.
namespace dunlin::testing {

inline void UseSpool(AgentRun& run, const TempDir& folder) {
  run.flags.insert(run.flags.end(), {"--spool", folder.path(), "--container", "one",
                                     "--batch-bytes", "16KiB", "--passthrough", "off"});
}

/// Until the agent says so.
inline void WaitFor(AgentRun& run, const std::string& metric, double value) {
  const auto limit = SystemClock().Steady() + std::chrono::minutes(1);
  while (AgentRun::Metric(run.Get("/metrics"), metric) != value) {
    REQUIRE(SystemClock().Steady() < limit);
  }
}
inline void WaitForSpooled(AgentRun& run, double lines) {
  WaitFor(run, "dunlin_agent_lines_spooled", lines);
}

/// How often each line has arrived: `lines` of them, each once.
inline void CheckEachOnce(const AgentRun& run, std::size_t lines) {
  std::set<std::string> seen;
  for (const auto& entry : run.collector.entries) {
    CAPTURE(entry.line);
    CHECK(seen.insert(entry.line).second);
  }
  CHECK(seen.size() == lines);
}

/// The spools in the folder.
inline std::size_t Spools(const TempDir& folder) {
  auto names = PosixFileSystem().List(folder.path() + "/one");
  if (!names) return 0;
  std::size_t spools = 0;
  for (const std::string& name : *names) spools += name.size() == 32 ? 1 : 0;
  return spools;
}

}  // namespace dunlin::testing
