#include "agent/prober.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/agent/answering_server.h"
#include "tests/support/catch.h"
#include "tests/support/loop_runner.h"
#include "tests/support/manual_clock.h"

namespace dunlin::agent {
namespace {

using namespace std::chrono_literals;
using testing::AnsweringServer;
using testing::RunUntil;
using Status = ProbePolicy::Status;

struct ProberFixture {
  net::Loop loop;
  testing::ManualClock manual_clock;
  ChildExits exits;
  ProbeConfiguration options{.interval = 1ms, .timeout = 60s};

  std::unique_ptr<Prober> Make(ProbeRole role, const std::string& target, const Clock& clock) {
    auto parsed = ParseProbeTarget(target);
    REQUIRE(parsed);
    options.target = std::move(*parsed);
    return std::make_unique<Prober>(loop, clock, role, options, ExecUser{}, exits);
  }
  /// For what does not wait: log targets.
  std::unique_ptr<Prober> MakeLog(ProbeRole role, const std::string& pattern) {
    return Make(role, "log:" + pattern, manual_clock);
  }
};

constexpr auto kStdout = wire::Output::kStdout;
constexpr auto kStderr = wire::Output::kStderr;

TEST_CASE_METHOD(ProberFixture, "a check follows the process up and down", "[agent][probe]") {
  net::HostPort address;
  {
    AnsweringServer reserved(loop);
    address = reserved.address();
  }
  options.failures = 2;
  auto prober = Make(ProbeRole::kReady, "tcp://" + address.ToString(), SystemClock());
  int changes = 0;
  prober->on_change = [&] { ++changes; };
  CHECK(prober->Report().status == Status::kIdle);
  prober->Begin();
  CHECK(prober->Report().status == Status::kStarting);
  CHECK_FALSE(prober->Report().last_result);

  RunUntil(loop, [&] { return prober->Report().status == Status::kFailing; });
  CHECK(changes == 1);
  ProbeReport report = prober->Report();
  CHECK(report.check == "ready");
  CHECK(report.kind == "tcp");
  // The loop may have turned once more than needed.
  CHECK(report.failures_in_a_row >= 2);
  CHECK(report.failures == report.failures_in_a_row);
  CHECK_FALSE(report.last_passed);
  CHECK(report.last_duration_seconds.has_value());
  CHECK_THAT(report.last_error, test::HasText("refused"));

  auto server = std::make_unique<AnsweringServer>(loop, address);
  RunUntil(loop, [&] { return prober->Report().status == Status::kPassing; });
  CHECK(changes == 2);
  report = prober->Report();
  CHECK(report.last_passed);
  CHECK(report.failures_in_a_row == 0);
  CHECK(report.failures >= 2);

  server.reset();
  RunUntil(loop, [&] { return prober->Report().status == Status::kFailing; });
  CHECK(changes == 3);
  prober->End();
  CHECK(prober->Report().status == Status::kIdle);
  CHECK(changes == 3);
}

TEST_CASE_METHOD(ProberFixture, "no probe starts while another is on its way", "[agent][probe]") {
  AnsweringServer server(loop);
  auto prober =
      Make(ProbeRole::kLive, "http://" + server.address().ToString() + "/", SystemClock());
  prober->Begin();
  RunUntil(loop, [&] { return !server.connections.empty(); });
  const SteadyTime until = SystemClock().Steady() + 50ms;
  RunUntil(loop, [&] { return SystemClock().Steady() > until; });
  CHECK(server.connections.size() == 1);
  CHECK(prober->Report().status == Status::kStarting);

  SECTION("and at the end it is cancelled") {
    prober->End();
    RunUntil(loop, [&] { return server.closed == 1; });
    CHECK(prober->Report().failures == 0);
  }
  SECTION("another run begins with one of its own") {
    prober->Begin();
    RunUntil(loop, [&] { return server.connections.size() == 2; });
    RunUntil(loop, [&] { return server.closed == 1; });
    CHECK(prober->Report().failures == 0);
  }
}

TEST_CASE_METHOD(ProberFixture, "a change may end the check", "[agent][probe]") {
  AnsweringServer server(loop);
  auto prober = Make(ProbeRole::kReady, "tcp://" + server.address().ToString(), SystemClock());
  bool changed = false;
  prober->on_change = [&] {
    changed = true;
    prober->End();
  };
  prober->Begin();
  RunUntil(loop, [&] { return changed; });
  const auto connections = server.connections.size();
  const SteadyTime until = SystemClock().Steady() + 50ms;
  RunUntil(loop, [&] { return SystemClock().Steady() > until; });
  CHECK(server.connections.size() == connections);
  CHECK(prober->Report().status == Status::kIdle);
}

TEST_CASE_METHOD(ProberFixture, "a process is ready when it has said so", "[agent][probe]") {
  auto prober = MakeLog(ProbeRole::kReady, "^listening on port [0-9]+$");
  prober->OnOutput(kStdout, "listening on port 1\n");
  CHECK(prober->Report().status == Status::kIdle);
  prober->Begin();
  prober->OnOutput(kStdout, "now listening on port 1\nlistening on");
  prober->OnOutput(kStderr, " port 2\n");
  CHECK(prober->Report().status == Status::kStarting);
  prober->OnOutput(kStdout, " port 3\n");
  CHECK(prober->Report().status == Status::kPassing);
  CHECK(prober->Report().last_passed);
  CHECK_FALSE(prober->Report().last_duration_seconds);

  // The next run has to say it again, in a line of its own.
  prober->OnOutput(kStderr, "listening ");
  prober->End();
  prober->Begin();
  CHECK(prober->Report().status == Status::kStarting);
  prober->OnOutput(kStderr, "on port 4\n");
  CHECK(prober->Report().status == Status::kStarting);
  prober->OnOutput(kStderr, "listening on port 5\n");
  CHECK(prober->Report().status == Status::kPassing);
}

TEST_CASE_METHOD(ProberFixture, "as many lines as asked for make it ready", "[agent][probe]") {
  options.successes = 3;
  auto prober = MakeLog(ProbeRole::kReady, "worker up");
  prober->Begin();
  prober->OnOutput(kStdout, "worker up\nworker up\n");
  CHECK(prober->Report().status == Status::kStarting);
  prober->OnOutput(kStderr, "worker up\n");
  CHECK(prober->Report().status == Status::kPassing);
}

TEST_CASE_METHOD(ProberFixture, "one matching line makes a process dead", "[agent][probe]") {
  auto prober = MakeLog(ProbeRole::kLive, "deadlock");
  int changes = 0;
  prober->on_change = [&] { ++changes; };
  prober->Begin();
  RunUntil(loop, [&] { return prober->Report().status == Status::kPassing; });
  prober->OnOutput(kStdout, "all is well\n");
  CHECK(prober->Report().status == Status::kPassing);
  prober->OnOutput(kStderr, "a deadlock\nand a deadlock\n");
  CHECK(prober->Report().status == Status::kFailing);
  CHECK(changes == 2);
  CHECK(prober->Report().failures == 2);
  CHECK(prober->Report().last_error == "a line of its stderr matches the pattern");
}

TEST_CASE_METHOD(ProberFixture, "a death that was acted on is not told twice", "[agent][probe]") {
  auto prober = MakeLog(ProbeRole::kLive, "deadlock");
  int deaths = 0;
  prober->on_change = [&] {
    if (prober->status() != Status::kFailing) return;
    ++deaths;
    prober->End();
  };
  prober->Begin();
  prober->OnOutput(kStdout, "deadlock\ndeadlock\n");
  prober->OnOutput(kStdout, "deadlock\n");
  CHECK(deaths == 1);
  CHECK(prober->Report().failures == 1);
}

TEST_CASE_METHOD(ProberFixture, "matching lines within the start period do not count",
                 "[agent][probe]") {
  options.start_period = 1h;
  auto prober = MakeLog(ProbeRole::kLive, "error");
  prober->Begin();
  manual_clock.Advance(59min);
  prober->OnOutput(kStdout, "error: not connected yet\n");
  CHECK(prober->Report().status == Status::kStarting);
  CHECK(prober->Report().failures == 1);
  manual_clock.Advance(1min);
  prober->OnOutput(kStdout, "error: not connected any more\n");
  CHECK(prober->Report().status == Status::kFailing);
}

}  // namespace
}  // namespace dunlin::agent
