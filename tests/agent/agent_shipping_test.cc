// The way from the real agent to its collectors.
#include <csignal>
#include <string>

#include "protocol/base/text.h"
#include "tests/agent/agent_run.h"
#include "tests/support/catch.h"

namespace dunlin {
namespace {

using testing::AgentRun;
using testing::ScriptedCollector;

std::string Collectors(const std::string& list) { return "--collector=" + list; }

TEST_CASE("without a collector the process runs at once, and its lines follow when one appears",
          "[agent][shipping]") {
  AgentRun run;
  run.collector.CloseListener();
  run.Start({"/bin/sh", "-c", "i=0; while :; do echo $i; i=$((i+1)); sleep 0.01; done"});
  // It says so itself, on the agent's output.
  run.WaitForOutput("20\n");
  CHECK(run.collector.hellos.empty());
  run.collector.OpenListener();
  run.RunUntil([&] { return run.collector.entries.size() > 40; });
  // And a connection lost on the way changes nothing.
  run.collector.Cut();
  const std::size_t before = run.collector.entries.size();
  run.RunUntil([&] { return run.collector.entries.size() > before + 20; });
  run.Signal(SIGTERM);
  run.Wait();
  const std::string text = run.collector.Text(wire::Output::kStdout);
  CHECK(text == run.out);
  std::string wanted;
  for (std::size_t i = 0; i < run.collector.entries.size(); ++i) wanted += Join(i, "\n");
  CHECK(text == wanted);
  CHECK_FALSE(run.collector.failed());
}

TEST_CASE("a collector may be given by address or as localhost", "[agent][shipping]") {
  AgentRun run;
  const std::string host = GENERATE(as<std::string>(), "127.0.0.1", "localhost");
  run.flags.push_back(Collectors(Join(host, ":", run.collector.address().port)));
  run.Start({"/bin/echo", "hello"});
  CHECK(run.Wait() == 0);
  CHECK(run.collector.Text(wire::Output::kStdout) == "hello\n");
}

TEST_CASE("a name that does not resolve is counted, and the next collector is used",
          "[agent][shipping]") {
  AgentRun run;
  run.flags.push_back(
      Collectors(Join("no-such-host.invalid:18889,127.0.0.1:", run.collector.address().port)));
  run.Start({"/bin/sh", "-c", "echo hello; sleep 600"});
  run.RunUntil([&] { return run.collector.entries.size() == 1; });
  const std::string metrics = run.Get("/metrics");
  CHECK(AgentRun::Metric(metrics, "dunlin_agent_send_errors_total{kind=\"dns\"}") == 1);
  CHECK(AgentRun::Metric(metrics, "dunlin_agent_connected") == 1);
  CHECK(AgentRun::Metric(metrics, "dunlin_agent_reconnects_total") == 0);
}

TEST_CASE("the connection is replaced at the age that a flag sets", "[agent][shipping]") {
  AgentRun run;
  run.flags.push_back("--max-connection-age=100ms");
  run.Start({"/bin/sh", "-c", "i=0; while :; do echo $i; i=$((i+1)); sleep 0.01; done"});
  run.RunUntil([&] { return run.collector.hellos.size() >= 4; });
  const std::string metrics = run.Get("/metrics");
  CHECK(AgentRun::Metric(metrics, "dunlin_agent_reconnects_total") >= 2);
  CHECK(AgentRun::Metric(metrics, "dunlin_agent_retries_total") == 0);
  CHECK(AgentRun::Metric(metrics, "dunlin_agent_requests_total{result=\"lost\"}") == 0);
  run.Signal(SIGTERM);
  run.Wait();
  CHECK(run.collector.Text(wire::Output::kStdout) == run.out);
}

}  // namespace
}  // namespace dunlin
