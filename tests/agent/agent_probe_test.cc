// Probes by the real agent, of small servers and of the process itself.
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <memory>
#include <string>

#include "tests/agent/agent_run.h"
#include "tests/agent/answering_server.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

namespace dunlin {
namespace {

using namespace std::chrono_literals;
using testing::AgentRun;
using testing::AnsweringServer;
using testing::TempDir;

struct ProbeRun : AgentRun {
  void Flags(const std::vector<std::string>& more) {
    flags.insert(flags.end(), more.begin(), more.end());
  }

  /// Asks until the answer has `text` in it; returns that answer.
  std::string Await(const std::string& path, const std::string& text) {
    INFO("waiting for " << text);
    const SteadyTime limit = SystemClock().Steady() + 60s;
    for (;;) {
      std::string answer = Get(path);
      if (answer.find(text) != std::string::npos) return answer;
      CAPTURE(answer, err);
      REQUIRE(SystemClock().Steady() < limit);
      const SteadyTime again = SystemClock().Steady() + 10ms;
      RunUntil([&] { return SystemClock().Steady() >= again; });
    }
  }
  double MetricNow(const std::string& series) { return Metric(Get("/metrics"), series); }
  /// Waits until a counter is at least that far.
  void AwaitMetric(const std::string& series, double least) {
    const SteadyTime limit = SystemClock().Steady() + 60s;
    while (MetricNow(series) < least) REQUIRE(SystemClock().Steady() < limit);
  }
};

/// A process that says when it is ready for a TERM, on which it removes the file and ends with 0.
std::vector<std::string> OrderlyProcess(const std::string& file, const std::string& begin = "") {
  return {"/bin/sh", "-c",
          "trap 'rm -f " + file + "; exit 0' TERM; echo started; " + begin +
              "while :; do sleep 0.02; done"};
}

constexpr const char* kFailures = "dunlin_agent_health_failures_total";

std::string Answer(const std::string& status) {
  return "HTTP/1.1 " + status + "\r\nContent-Length: 0\r\n\r\n";
}

void Touch(const std::string& path) { std::ofstream(path) << "x"; }

/// A probe that passes while the file is there, or while it is not.
std::string WhileThere(const std::string& path) { return "exec:/bin/sh -c 'test -e " + path + "'"; }
std::string WhileAbsent(const std::string& path) {
  return "exec:/bin/sh -c 'test ! -e " + path + " || { echo the file is there; exit 1; }'";
}

TEST_CASE_METHOD(ProbeRun, "a process without probes is ready while it runs", "[agent][probe]") {
  StartWorkload({"wait"});
  Await("/readyz", "HTTP/1.1 200");
  CHECK_THAT(Get("/v1/status"), test::HasText(R"("probes":{})"));
  CHECK_THAT(Get("/metrics"), !test::HasText("dunlin_agent_health"));
}

TEST_CASE_METHOD(ProbeRun, "an http probe decides whether the process is ready", "[agent][probe]") {
  AnsweringServer server(loop);
  Flags({"--ready", "http://" + server.address().ToString() + "/healthz", "--ready-interval",
         "20ms", "--ready-timeout", "200ms", "--ready-failures", "2"});
  StartWorkload({"wait"});

  // The server takes its time: more than the probe has.
  std::string status = Await("/v1/status", "no answer within 200ms");
  CHECK_THAT(status, test::HasText(R"("ready":false)"));
  CHECK_THAT(status, test::HasText(R"("probes":{"ready":{"kind":"http",)"));
  CHECK_THAT(Get("/readyz"), test::HasText("HTTP/1.1 503"));
  CHECK_THAT(Get("/readyz"), test::HasText("not ready: its http probe "));
  CHECK(MetricNow("dunlin_agent_ready") == 0);

  server.answer = Answer("204 No Content");
  Await("/readyz", "HTTP/1.1 200");
  CHECK_THAT(server.asked, test::HasText("GET /healthz HTTP/1.1\r\n"));
  CHECK_THAT(Get("/v1/status"), test::HasText(R"("status":"passing")"));
  CHECK(MetricNow("dunlin_agent_ready") == 1);
  CHECK(MetricNow("dunlin_agent_health_status{check=\"ready\"}") == 1);

  server.answer = Answer("500 Oops");
  Await("/readyz", "HTTP/1.1 503");
  status = Get("/v1/status");
  CHECK_THAT(status, test::HasText("answered 500"));
  CHECK_THAT(status, test::HasText(R"("status":"failing")"));
  // That it is not ready is no reason to end it.
  CHECK_THAT(status, test::HasText(R"("state":"running")"));
  CHECK(MetricNow("dunlin_agent_health_status{check=\"ready\"}") == 0);
  CHECK(MetricNow("dunlin_agent_health_failures_total{check=\"ready\"}") >= 3);

  server.answer = Answer("302 Found");
  Await("/readyz", "HTTP/1.1 200");
}

TEST_CASE_METHOD(ProbeRun, "a tcp probe waits for the port to open", "[agent][probe]") {
  net::HostPort address = AnsweringServer(loop).address();
  loop.RunOnce();
  Flags({"--ready", "tcp://" + address.ToString(), "--ready-interval", "20ms"});
  StartWorkload({"wait"});
  CHECK_THAT(Await("/v1/status", "connection refused"), test::HasText(R"("ready":false)"));
  AnsweringServer server(loop, address);
  Await("/readyz", "HTTP/1.1 200");
}

TEST_CASE_METHOD(ProbeRun, "an exec probe decides by its exit code", "[agent][probe]") {
  TempDir dir;
  const std::string file = dir.File("ready");
  Flags({"--ready", WhileThere(file), "--ready-interval", "20ms", "--ready-timeout", "30s",
         "--ready-failures", "1"});
  StartWorkload({"wait"});
  Await("/v1/status", "/bin/sh ended with 1");
  CHECK_THAT(Get("/readyz"), test::HasText("HTTP/1.1 503"));
  Touch(file);
  Await("/readyz", "HTTP/1.1 200");
  REQUIRE(unlink(file.c_str()) == 0);
  Await("/readyz", "HTTP/1.1 503");
  // Its programs are not orphans.
  CHECK(MetricNow("dunlin_agent_orphans_reaped_total") == 0);
}

TEST_CASE_METHOD(ProbeRun, "an exec probe reads nothing of the process's input", "[agent][probe]") {
  Flags({"--ready", "exec:/bin/cat", "--ready-timeout", "30s"});
  StartWorkload({"wait"});
  Await("/readyz", "HTTP/1.1 200");
}

TEST_CASE_METHOD(ProbeRun, "an exec probe is run by the process's user", "[agent][probe]") {
  if (getuid() != 0) return;  // nobody else may become another user
  Flags({"--user", "65534", "--ready", "exec:/bin/sh -c 'echo I am user $(id -u); exit 1'",
         "--ready-timeout", "30s"});
  Start({"/bin/sh", "-c", "exec sleep 1000"});
  Await("/v1/status", "I am user 65534");
}

TEST_CASE_METHOD(ProbeRun, "an exec probe that hangs is killed, and the next one starts",
                 "[agent][probe]") {
  TempDir dir;
  const std::string file = dir.File("pids");
  Flags({"--ready", "exec:/bin/sh -c 'echo $$ >> " + file + "; exec sleep 1000'",
         "--ready-interval", "20ms", "--ready-timeout", "300ms"});
  StartWorkload({"wait"});
  AwaitMetric(std::string(kFailures) + "{check=\"ready\"}", 3);
  CHECK_THAT(Get("/v1/status"), test::HasText("has not ended within 300ms and was killed"));
  Signal(SIGTERM);
  CHECK(Wait() == 143);
  // Whoever had time to say its number is gone.
  std::ifstream pids(file);
  for (pid_t each = 0; pids >> each;) {
    RunUntil([each] { return kill(each, 0) != 0; });
  }
}

TEST_CASE_METHOD(ProbeRun, "a log probe finds the line that says so", "[agent][probe]") {
  TempDir dir;
  const std::string file = dir.File("go");
  Flags({"--ready", "log:^listening on port [0-9]+$"});
  Start({"/bin/sh", "-c",
         "echo soon listening on port 1; until test -e " + file +
             "; do sleep 0.02; done; echo listening on port 80 >&2; sleep 1000"});
  WaitForOutput("soon");
  CHECK_THAT(Await("/v1/status", R"("state":"running")"), test::HasText(R"("status":"starting")"));
  CHECK_THAT(Get("/readyz"), test::HasText("HTTP/1.1 503"));
  Touch(file);
  Await("/readyz", "HTTP/1.1 200");
}

TEST_CASE_METHOD(ProbeRun, "a process whose live probe fails is stopped, and the agent fails",
                 "[agent][probe]") {
  TempDir dir;
  const std::string file = dir.File("sick");
  Flags({"--live-interval", "20ms", "--live-timeout", "30s", "--live-failures", "2", "--live",
         WhileAbsent(file)});
  SECTION("with the process's code") {
    Touch(file);
    StartWorkload({"wait"});
    CHECK(Wait() == 143);
  }
  SECTION("with 1 when that says nothing of a failure") {
    Start(OrderlyProcess(file));
    WaitForOutput("started\n");
    Touch(file);
    CHECK(Wait() == 1);
  }
  SECTION("whatever the restart policy is") {
    Flags({"--restart", "always"});
    Touch(file);
    StartWorkload({"wait"});
    CHECK(Wait() == 143);
  }
  CHECK_THAT(err, test::HasText("a check fails"));
}

TEST_CASE_METHOD(ProbeRun, "a process whose live probe fails is started again", "[agent][probe]") {
  TempDir dir;
  const std::string file = dir.File("sick");
  Flags({"--live", WhileAbsent(file), "--live-interval", "20ms", "--live-timeout", "30s",
         "--live-failures", "1", "--live-action", "restart", "--restart-delay", "20ms"});
  Start(OrderlyProcess(file));
  WaitForOutput("started\n");
  Await("/v1/status", R"("live":{"kind":"exec","status":"passing")");
  Touch(file);
  WaitForOutput("started\nstarted\n");
  const std::string status = Await("/v1/status", R"("live":{"kind":"exec","status":"passing")");
  CHECK_THAT(status, test::HasText("the file is there"));
  CHECK_THAT(status, test::HasText(R"("state":"running")"));
  CHECK(MetricNow("dunlin_agent_restarts_total{cause=\"health\"}") == 1);
  CHECK(MetricNow("dunlin_agent_restarts_total{cause=\"exit\"}") == 0);
}

TEST_CASE_METHOD(ProbeRun, "a process that is never well is given up, and the agent fails",
                 "[agent][probe]") {
  TempDir dir;
  const std::string file = dir.File("sick");
  Flags({"--live", WhileAbsent(file), "--live-interval", "20ms", "--live-timeout", "30s",
         "--live-failures", "1", "--live-action", "restart", "--restart-delay", "20ms",
         "--restart-limit", "2"});
  Start(OrderlyProcess(file, "touch " + file + "; "));
  // It ended with 0 each time.
  CHECK(Wait() == 1);
  CHECK(out == "started\nstarted\nstarted\n");
}

TEST_CASE_METHOD(ProbeRun, "a line can be what a process is started again for", "[agent][probe]") {
  TempDir dir;
  const std::string file = dir.File("first");
  Flags({"--live", "log:deadlock", "--live-action", "restart", "--restart-delay", "20ms"});
  Start({"/bin/sh", "-c",
         "test -e " + file + " || { touch " + file +
             "; echo deadlock detected; sleep 1000; }; echo well; sleep 1000"});
  WaitForOutput("well\n");
  CHECK(MetricNow("dunlin_agent_restarts_total{cause=\"health\"}") == 1);
}

TEST_CASE_METHOD(ProbeRun, "failures within the start period are not acted on", "[agent][probe]") {
  TempDir dir;
  Flags({"--live", WhileThere(dir.File("none")), "--live-interval", "20ms", "--live-timeout", "30s",
         "--live-failures", "1", "--live-start-period", "1h"});
  StartWorkload({"wait"});
  AwaitMetric(std::string(kFailures) + "{check=\"live\"}", 3);
  const std::string status = Get("/v1/status");
  CHECK_THAT(status, test::HasText(R"("live":{"kind":"exec","status":"starting")"));
  CHECK_THAT(status, test::HasText(R"("failures_in_a_row":0)"));
  // It is about being alive; whether it is ready is another question, which nobody asks here.
  CHECK_THAT(status, test::HasText(R"("ready":true)"));
}

TEST_CASE_METHOD(ProbeRun, "a failing live probe may be only reported", "[agent][probe]") {
  TempDir dir;
  Flags({"--live", WhileThere(dir.File("none")), "--live-interval", "20ms", "--live-timeout", "30s",
         "--live-failures", "1", "--live-action", "none"});
  StartWorkload({"wait"});
  AwaitMetric(std::string(kFailures) + "{check=\"live\"}", 3);
  CHECK(MetricNow("dunlin_agent_health_status{check=\"live\"}") == 0);
  CHECK_THAT(Get("/v1/status"), test::HasText(R"("state":"running")"));
}

TEST_CASE_METHOD(ProbeRun, "nothing is probed while the process is being stopped",
                 "[agent][probe]") {
  AnsweringServer server(loop);
  server.answer = Answer("200 OK");
  Flags({"--ready", "http://" + server.address().ToString() + "/", "--ready-interval", "20ms",
         "--stop-grace", "60s"});
  StartWorkload({"ignore-term"});
  WaitForOutput("ready\n");
  Await("/readyz", "HTTP/1.1 200");
  Signal(SIGTERM);
  const std::string status = Await("/v1/status", R"("state":"stopping")");
  CHECK_THAT(status, test::HasText(R"("ready":false)"));
  CHECK_THAT(status, test::HasText(R"("status":"idle")"));
  const auto connections = server.connections.size();
  // Ten intervals later nobody else has come; one may have been on its way.
  const SteadyTime later = SystemClock().Steady() + 200ms;
  RunUntil([&] { return SystemClock().Steady() > later; });
  CHECK(server.connections.size() <= connections + 1);
  Signal(SIGTERM);
  CHECK(Wait() == 137);
}

}  // namespace
}  // namespace dunlin
