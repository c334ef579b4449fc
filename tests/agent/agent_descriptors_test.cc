// Descriptors: what the agent is started with, and what the process gets.
#include <unistd.h>

#include <fstream>
#include <string>
#include <vector>

#include "tests/agent/agent_run.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

namespace dunlin {
namespace {

using testing::AgentRun;
using wire::Output;

TEST_CASE("the process has real pipes, the lead of a group, and nothing else of ours",
          "[agent][descriptors]") {
  AgentRun run;
  run.StartWorkload({"inspect"});
  CHECK(run.Wait() == 0);
  CHECK(run.out == "fifo blocking reopened\nfifo blocking reopened\n3 descriptors\nleader\n");
}

TEST_CASE("twenty descriptors that the agent inherits do not reach the process, with few calls",
          "[agent][descriptors]") {
  struct Way {
    std::string refused;
    long highest;
    long most_calls;
  };
  constexpr long kAnyway = 250;
  // A new disposition for each signal, and a try for each folder of PATH, are among the calls.
  const auto way = GENERATE(values<Way>({
      {"", 60'000, kAnyway},
      {"EPERM:close_range", 60'000, kAnyway + 100},
      {"ENOSYS:close_range", 60'000, kAnyway + 100},
      // As without /proc: each is tried up to the highest there is, not up to the limit, which may
      // be 2^30. The table that tells has twice their number at most.
      {"EPERM:close_range,getdents64", 400, kAnyway + 1024},
      {"ENOSYS:close_range,getdents64", 400, kAnyway + 1024},
  }));
  CAPTURE(way.refused, way.highest);
  testing::TempDir folder;
  const std::string count = folder.path() + "/count";
  AgentRun run;
  // The tracer keeps the leak checker of a checked build from working.
  run.variables = {"ASAN_OPTIONS=detect_leaks=0"};
  run.launcher = {DUNLIN_CONFINE_BINARY, "descriptors=20:" + std::to_string(way.highest)};
  if (!way.refused.empty()) run.launcher.push_back("refuse=" + way.refused);
  run.launcher.insert(run.launcher.end(), {"--", DUNLIN_COUNT_CALLS_BINARY, count});
  run.StartWorkload({"inspect"});
  const int code = run.Wait();
  if (run.NotPossibleHere()) return;
  CHECK(code == 0);
  CHECK(run.out == "fifo blocking reopened\nfifo blocking reopened\n3 descriptors\nleader\n");
  long calls = 0;
  std::ifstream(count) >> calls;
  CHECK(calls > 10);
  CHECK(calls < way.most_calls);
}

TEST_CASE("standard descriptors that are closed become null and never a pipe of ours",
          "[agent][descriptors]") {
  const std::string closed =
      GENERATE(as<std::string>{}, "0<&-", "1>&-", "2>&-", "0<&- 1>&-", "0<&- 1>&- 2>&-");
  CAPTURE(closed);
  AgentRun run;
  run.launcher = {"/bin/sh", "-c", "exec " + closed + "; exec \"$@\"", "sh"};
  run.Start({"/bin/sh", "-c",
             "readlink /proc/$PPID/fd/0 /proc/$PPID/fd/1 /proc/$PPID/fd/2; exec \"$0\" inspect",
             DUNLIN_WORKLOAD_BINARY});
  CHECK(run.Wait() == 0);
  const std::string shipped = run.collector.Text(Output::kStdout);
  CHECK(
      shipped.ends_with("fifo blocking reopened\nfifo blocking reopened\n3 descriptors\nleader\n"));
  // The agent's own, one line each.
  std::size_t at = 0;
  for (const char* name : {"0<&-", "1>&-", "2>&-"}) {
    const std::string line = shipped.substr(at, shipped.find('\n', at) - at);
    at += line.size() + 1;
    CAPTURE(name, line);
    if (closed.find(name) != std::string::npos) CHECK(line == "/dev/null");
  }
}

TEST_CASE("workers that open the outputs again after they became another user reach the right one",
          "[agent][descriptors]") {
  if (geteuid() != 0) {
    WARN("skipped: only root may become another user");
    return;
  }
  AgentRun run;
  const bool agent_changes_user = GENERATE(false, true);
  if (agent_changes_user) run.flags.insert(run.flags.end(), {"--user", "65534"});
  run.Start({"/bin/sh", "-c",
             std::string(agent_changes_user
                             ? "sh -c '"
                             : "setpriv --reuid 65533 --regid 65533 --clear-groups sh -c '") +
                 "for i in 1 2 3; do echo access $i > /dev/stdout; echo error $i > /dev/stderr;"
                 " echo by number $i > /proc/self/fd/1; done'"});
  CHECK(run.Wait() == 0);
  CHECK(run.collector.Text(Output::kStdout) ==
        "access 1\nby number 1\naccess 2\nby number 2\naccess 3\nby number 3\n");
  CHECK(run.collector.Text(Output::kStderr) == "error 1\nerror 2\nerror 3\n");
}

}  // namespace
}  // namespace dunlin
