// The moments between the agent's own start and the first instruction of its process.
#include <csignal>
#include <string>
#include <vector>

#include "tests/agent/agent_run.h"
#include "tests/support/catch.h"

namespace dunlin {
namespace {

using testing::AgentRun;

TEST_CASE("a stop before, between and after fork and exec stops the process and is not lost",
          "[agent][supervision]") {
  const std::string moment = GENERATE(as<std::string>{}, "held", "forked", "execing");
  const bool first_process = GENERATE(false, true);
  CAPTURE(moment, first_process);
  AgentRun run;
  // An agent that the signal itself ends gives 143, and one that loses it never ends.
  run.flags.insert(run.flags.end(), {"--remap-exit", "143=7"});
  // In a namespace without its own /proc the leak checker of a checked build does not work.
  run.variables = {"ASAN_OPTIONS=detect_leaks=0"};
  run.launcher = {DUNLIN_SIGNAL_START_BINARY, moment};
  if (first_process) run.launcher.push_back("new-pid");
  run.launcher.push_back("--");
  run.StartWorkload({"wait"});
  const int code = run.Wait();
  if (run.NotPossibleHere()) return;
  CHECK(code == 7);
}

}  // namespace
}  // namespace dunlin
