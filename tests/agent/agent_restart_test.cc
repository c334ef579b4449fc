// Restarts and hooks with the real agent.
#include <unistd.h>

#include <csignal>
#include <string>

#include "tests/agent/agent_run.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

namespace dunlin {
namespace {

using namespace std::chrono_literals;
using testing::AgentRun;
using wire::Output;

bool Has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

void AddFlags(AgentRun& run, std::vector<std::string> flags) {
  run.flags.insert(run.flags.end(), flags.begin(), flags.end());
}

TEST_CASE("a crash loop ends with the process's code, every line of it shipped",
          "[agent][restart]") {
  AgentRun run;
  AddFlags(run, {"--restart", "on-failure", "--restart-delay", "5ms", "--restart-limit", "3"});
  run.Start({"/bin/sh", "-c", "echo one; echo 'no newline at the end\\c' >&2; exit 7"});
  CHECK(run.Wait() == 7);
  CHECK(run.out == "one\none\none\none\n");
  CHECK(run.collector.Text(Output::kStdout) == run.out);
  CHECK(run.collector.durable_lines() == 8);
  CHECK(Has(run.err, "not started again"));
}

TEST_CASE("a process that succeeds on its second start runs on", "[agent][restart]") {
  testing::TempDir folder;
  AgentRun run;
  AddFlags(run, {"--restart", "on-failure", "--restart-delay", "5ms"});
  run.Start({"/bin/sh", "-c",
             "[ -e " + folder.path() + "/was ] && { echo again; exec sleep 60; }; touch " +
                 folder.path() + "/was; kill -SEGV $$"});
  run.WaitForOutput("again\n");
  const std::string metrics = run.Get("/metrics");
  CHECK(AgentRun::Metric(metrics, "dunlin_agent_restarts_total{cause=\"signal\"}") == 1);
  CHECK(AgentRun::Metric(metrics, "dunlin_agent_restarts_total{cause=\"exit\"}") == 0);
  CHECK(AgentRun::Metric(metrics, "dunlin_agent_process_up") == 1);
  run.Signal(SIGTERM);
  CHECK(run.Wait() == 143);
}

TEST_CASE("a stop in the pause before a restart ends the agent with the last code",
          "[agent][restart]") {
  AgentRun run;
  AddFlags(run, {"--restart", "always", "--restart-delay", "1h", "--restart-max-delay", "1h"});
  run.StartWorkload({"exit", "6"});
  run.RunUntil([&] { return Has(run.Get("/v1/status"), R"("state":"backing-off")"); });
  const auto begin = SystemClock().Steady();
  run.Signal(SIGTERM);
  CHECK(run.Wait() == 6);
  CHECK(run.ended - begin < 8s);
}

TEST_CASE("a start in the pause before a restart ends the pause", "[agent][restart]") {
  testing::TempDir folder;
  AgentRun run;
  AddFlags(run, {"--restart", "always", "--restart-delay", "1h", "--restart-max-delay", "1h"});
  run.Start({"/bin/sh", "-c",
             "[ -e " + folder.path() + "/was ] && { echo again; exec sleep 60; }; touch " +
                 folder.path() + "/was; exit 6"});
  run.RunUntil([&] { return Has(run.Get("/v1/status"), R"("state":"backing-off")"); });
  CHECK(AgentRun::Metric(run.Get("/metrics"), "dunlin_agent_backoff_seconds") > 3000);
  CHECK(Has(run.Http("POST /v1/start"), "HTTP/1.1 202"));
  run.WaitForOutput("again\n");
  CHECK(Has(run.Get("/v1/status"), R"("state":"running")"));
  CHECK(AgentRun::Metric(run.Get("/metrics"), "dunlin_agent_restarts_total{cause=\"exit\"}") == 1);
  CHECK(Has(run.Http("POST /v1/start"), "HTTP/1.1 409"));
  run.Signal(SIGTERM);
  CHECK(run.Wait() == 143);
}

TEST_CASE("what a process left behind has ended before the next one starts", "[agent][restart]") {
  AgentRun run;
  AddFlags(run, {"--restart", "on-failure", "--restart-delay", "5ms", "--restart-limit", "1"});
  // Each start says how many of its kind there are; the descendant would outlive it.
  run.Start({"/bin/sh", "-c",
             "setsid sleep 54321.5 & sleep 0.2; "
             "grep -l 54321.5 /proc/[0-9]*/cmdline 2>/dev/null | "
             "while read f; do tr '\\0' ' ' < $f; echo; done | grep -c '^sleep'; exit 1"});
  CHECK(run.Wait() == 1);
  CHECK(run.out == "1\n1\n");
}

TEST_CASE("hooks run around the process, and their lines are its", "[agent][restart]") {
  AgentRun run;
  AddFlags(run, {"--pre-start", "/bin/sh -c 'echo preparing; echo warned >&2'", "--post-stop",
                 "/bin/sh -c 'echo cleaning; exit 9'"});
  run.Start({"/bin/sh", "-c", "echo running; exit 4"});
  CHECK(run.Wait() == 4);
  CHECK(run.out == "preparing\nrunning\ncleaning\n");
  CHECK(run.collector.Text(Output::kStdout) == run.out);
  CHECK(run.collector.Text(Output::kStderr) == "warned\n");
  CHECK(Has(run.err, "--post-stop"));
}

TEST_CASE("when the pre-start hook fails the process is not started, and 125 says so",
          "[agent][restart]") {
  AgentRun run;
  SECTION("by its code") { AddFlags(run, {"--pre-start", "/bin/sh -c 'exit 3'"}); }
  SECTION("by not being there") { AddFlags(run, {"--pre-start", "/no/such/hook"}); }
  SECTION("by taking too long") {
    AddFlags(run, {"--pre-start", "/bin/sleep 1000", "--hook-timeout", "50ms"});
  }
  run.Start({"/bin/sh", "-c", "echo running"});
  CHECK(run.Wait() == 125);
  CHECK(run.out.empty());
  CHECK(Has(run.err, "--pre-start"));
}

TEST_CASE("a stop during the pre-start hook ends both", "[agent][restart]") {
  AgentRun run;
  AddFlags(run, {"--pre-start", "/bin/sh -c 'echo preparing; exec sleep 1000'"});
  run.Start({"/bin/sh", "-c", "echo running"});
  run.WaitForOutput("preparing\n");
  run.Signal(SIGTERM);
  CHECK(run.Wait() == 143);
  CHECK(run.out == "preparing\n");
}

TEST_CASE("a post-stop hook that hangs does not hold up the end", "[agent][restart]") {
  AgentRun run;
  AddFlags(run, {"--post-stop", "/bin/sleep 1000", "--stop-grace", "2s"});
  run.StartWorkload({"wait"});
  run.WaitForOutput("ready\n");
  const auto begin = SystemClock().Steady();
  run.Signal(SIGTERM);
  CHECK(run.Wait() == 143);
  CHECK(run.ended - begin < 2s);
}

}  // namespace
}  // namespace dunlin
