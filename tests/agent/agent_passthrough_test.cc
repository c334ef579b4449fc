// The agent's own outputs, when nobody takes what goes there.
#include <fcntl.h>

#include <cstdlib>
#include <string>

#include "tests/agent/agent_run.h"
#include "tests/support/catch.h"

namespace dunlin {
namespace {

using testing::AgentRun;

bool Has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST_CASE("an output that nobody reads holds nobody up, and what is left out is counted",
          "[agent][passthrough]") {
  AgentRun run;
  run.read_output = false;
  // Another holder of the same output looks at its flags while the agent cannot write.
  run.launcher = {"/bin/sh", "-c",
                  "\"$@\" & agent=$!; read go; grep flags: /proc/self/fdinfo/1 >&2; "
                  "kill -TERM $agent; wait $agent",
                  "sh"};
  int go[2];
  REQUIRE(pipe2(go, O_CLOEXEC) == 0);
  net::Descriptor go_read(go[0]);
  net::Descriptor go_write(go[1]);
  run.launcher[2].insert(0, "exec 0</proc/" + std::to_string(getpid()) + "/fd/" +
                                std::to_string(go_read.get()) + "; ");
  run.Start({"/bin/sh", "-c", std::string(DUNLIN_WORKLOAD_BINARY) + " lines 50000; sleep 60"});
  run.RunUntil([&] { return run.collector.durable_lines() == 50'000; });
  const std::string metrics = run.Get("/metrics");
  const double captured = AgentRun::Metric(metrics, R"(dunlin_agent_bytes_total{output="stdout"})");
  const double dropped = AgentRun::Metric(metrics, "dunlin_agent_passthrough_dropped_bytes_total");
  // What the pipe and the backlog hold is not lost yet.
  CHECK(dropped > 0);
  CHECK(dropped < captured);
  REQUIRE(write(go_write.get(), "\n", 1) == 1);
  CHECK(run.Wait() == 143);
  const std::size_t at = run.err.find("flags:");
  REQUIRE(at != std::string::npos);
  const long flags = std::strtol(run.err.c_str() + at + 6, nullptr, 8);
  CHECK((flags & O_ACCMODE) == O_WRONLY);
  CHECK((flags & O_NONBLOCK) == 0);
}

TEST_CASE("an output that fails turns the passthrough off, and all is captured",
          "[agent][passthrough]") {
  AgentRun run;
  SECTION("a full device") { run.launcher = {"/bin/sh", "-c", "exec \"$@\" > /dev/full", "sh"}; }
  SECTION("a reader that has gone") {
    run.launcher = {"/bin/sh", "-c", "(\"$@\"; echo $? >&2) | true", "sh"};
  }
  run.Start({"/bin/sh", "-c",
             // The reader is gone by then.
             "sleep 0.3; for i in 1 2; do " DUNLIN_WORKLOAD_BINARY " lines 2000; sleep 0.1; done"});
  CHECK(run.Wait() == 0);
  CHECK(run.collector.durable_lines() == 4000);
  CHECK(Has(run.err, "passthrough is off"));
  CHECK(run.out.empty());
}

}  // namespace
}  // namespace dunlin
