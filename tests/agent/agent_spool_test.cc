// The real agent with a spool: killed, stopped, beside others, with more on disk than it may hold.
#include <csignal>
#include <string>

#include "tests/agent/spool_run.h"
#include "tests/support/catch.h"

namespace dunlin {
namespace {

using namespace testing;

TEST_CASE("what a killed agent had on disk arrives once, in the old agent's name",
          "[agent][spool]") {
  testing::TempDir folder;
  AgentRun first;
  UseSpool(first, folder);
  first.collector.keep = false;  // nothing is stored, nothing acknowledged
  first.Start({"/bin/sh", "-c", "seq 1 20000; exec sleep 600"});
  first.RunUntil([&] { return !first.collector.hellos.empty(); });
  const auto old_boot = first.collector.hellos[0].boot_id;
  WaitForSpooled(first, 20000);
  first.Signal(SIGKILL);
  first.Wait();
  CHECK(Spools(folder) == 1);

  // The next one has another collector, and another workload.
  AgentRun second;
  UseSpool(second, folder);
  second.Start({"/bin/sh", "-c", "exec sleep 600"});
  second.RunUntil([&] { return second.collector.durable_lines() >= 20000; });
  WaitFor(second, "dunlin_agent_adopted_lines_acknowledged_total", 20000);
  CheckEachOnce(second, 20000);
  REQUIRE(second.collector.hellos.size() == 2);
  CHECK(second.collector.hellos[0].boot_id != old_boot);
  CHECK(second.collector.hellos[1].boot_id == old_boot);
  CHECK(second.collector.hellos[1].container == "one");
  // Nothing of it is among what this agent captured.
  CHECK(AgentRun::Metric(second.Get("/metrics"), "dunlin_agent_lines_acknowledged_total") == 0);
  second.RunUntil([&] { return Spools(folder) == 0; });
  second.Signal(SIGTERM);
  CHECK(second.Wait() == 128 + SIGTERM);
  CHECK(Spools(folder) == 0);
  CHECK_FALSE(second.collector.failed());
}

TEST_CASE("what cannot be sent at the end stays on disk, and the end comes in time",
          "[agent][spool]") {
  testing::TempDir folder;
  AgentRun first;
  UseSpool(first, folder);
  first.flags.insert(first.flags.end(), {"--stop-grace", "3s"});
  first.collector.keep = false;
  first.Start({"/bin/sh", "-c", "seq 1 5000; exec sleep 600"});
  first.RunUntil([&] { return !first.collector.hellos.empty(); });
  WaitForSpooled(first, 5000);
  const SteadyTime stop = SystemClock().Steady();
  first.Signal(SIGTERM);
  CHECK(first.Wait() == 128 + SIGTERM);
  CHECK(first.ended - stop >= std::chrono::seconds(2));  // it tried until then
  CHECK(first.err.find("lines were not delivered") == std::string::npos);
  CHECK(Spools(folder) == 1);

  AgentRun second;
  UseSpool(second, folder);
  second.Start({"/bin/sh", "-c", "exec sleep 600"});
  second.RunUntil([&] { return second.collector.durable_lines() >= 5000; });
  CheckEachOnce(second, 5000);
}

TEST_CASE("two agents on one folder leave each other's spool alone", "[agent][spool]") {
  testing::TempDir folder;
  AgentRun one;
  UseSpool(one, folder);
  one.collector.keep = false;
  one.Start({"/bin/sh", "-c", "seq 1 3000; exec sleep 600"});
  one.RunUntil([&] { return !one.collector.hellos.empty(); });
  WaitForSpooled(one, 3000);
  AgentRun two;
  UseSpool(two, folder);
  two.Start({"/bin/sh", "-c", "seq 10001 12000; exec sleep 600"});
  two.RunUntil([&] { return two.collector.durable_lines() == 2000; });
  CheckEachOnce(two, 2000);
  CHECK(two.collector.hellos.size() == 1);
  CHECK(AgentRun::Metric(one.Get("/metrics"), "dunlin_agent_lines_spooled") == 3000);
  one.collector.keep = true;
  one.collector.Cut();
  one.RunUntil([&] { return one.collector.durable_lines() == 3000; });
  CheckEachOnce(one, 3000);
}

TEST_CASE("an agent ships without the folder that it was given", "[agent][spool]") {
  AgentRun run;
  run.flags.insert(run.flags.end(), {"--spool", "/proc/no-such-folder"});
  run.Start({"/bin/sh", "-c", "seq 1 1000"});
  CHECK(run.Wait() == 0);
  run.RunUntil([&] { return run.collector.durable_lines() == 1000; });
}

}  // namespace
}  // namespace dunlin
