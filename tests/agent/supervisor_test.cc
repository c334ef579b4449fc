#include "agent/supervisor.h"

#include <csignal>

#include "tests/support/catch.h"
#include "tests/support/manual_clock.h"

namespace dunlin::agent {
namespace {

using namespace std::chrono_literals;
using Actions = Supervisor::Actions;
using Supervise = Supervisor;
using State = Supervisor::State;
using SignalGroup = Supervisor::SignalGroup;
using Drain = Supervisor::Drain;
using Flush = Supervisor::Flush;
using Exit = Supervisor::Exit;

/// A supervisor and a clock, with a running process unless said otherwise.
struct Life {
  explicit Life(SupervisorOptions options = {}, bool started = true) : supervisor(options) {
    if (started) CHECK(supervisor.OnStarted(now()).empty());
  }
  SteadyTime now() const { return clock.Steady(); }
  Actions Signal(int signal) { return supervisor.OnSignal(signal, now()); }
  Actions Exited(net::ExitStatus status) { return supervisor.OnChildExited(status, now()); }
  Actions OutputsEnded() { return supervisor.OnOutputsEnded(now()); }
  /// Turns the clock to the deadline, checking that nothing happens before it.
  Actions Deadline() {
    REQUIRE(supervisor.deadline());
    auto left = *supervisor.deadline() - now();
    if (left > 1ns) {
      clock.Advance(left - 1ns);
      CHECK(supervisor.OnTimer(now()).empty());
      clock.Advance(1ns);
    }
    return supervisor.OnTimer(now());
  }
  std::chrono::nanoseconds Elapsed() const { return now() - begin; }

  testing::ManualClock clock;
  Supervisor supervisor;
  SteadyTime begin = clock.Steady();
};

TEST_CASE("the agent exits with the process's code", "[agent][supervisor]") {
  const int code = GENERATE(0, 1, 2, 42, 126, 127, 143, 255);
  Life life;
  CHECK(life.Exited({.code = code}) == Actions{Drain{}});
  CHECK(life.OutputsEnded() == Actions{SignalGroup{SIGTERM}, Flush{}});
  CHECK(life.supervisor.OnFlushed() == Actions{SignalGroup{SIGKILL}, Exit{code}});
  CHECK_FALSE(life.supervisor.deadline());
}

TEST_CASE("death by a signal is 128 and its number", "[agent][supervisor]") {
  const int signal = GENERATE(SIGKILL, SIGSEGV, SIGTERM);
  Life life;
  life.Exited({.signal = signal});
  life.OutputsEnded();
  CHECK(life.supervisor.OnFlushed() == Actions{SignalGroup{SIGKILL}, Exit{128 + signal}});
}

TEST_CASE("a failed start is flushed and gives its code", "[agent][supervisor]") {
  Life life({}, /*started=*/false);
  CHECK(StateName(life.supervisor.state()) == "starting");
  CHECK(life.supervisor.OnStartFailed(127, life.now()) == Actions{SignalGroup{SIGTERM}, Flush{}});
  CHECK(life.supervisor.OnFlushed() == Actions{SignalGroup{SIGKILL}, Exit{127}});
}

TEST_CASE("outputs that ended before the process need no drain", "[agent][supervisor]") {
  Life life;
  CHECK(life.OutputsEnded().empty());
  CHECK(life.Exited({.code = 3}) == Actions{SignalGroup{SIGTERM}, Flush{}});
}

TEST_CASE("any other signal is passed on, once", "[agent][supervisor]") {
  const int signal = GENERATE(SIGHUP, SIGUSR1, SIGUSR2, SIGWINCH, SIGQUIT, SIGALRM, 40);
  Life life;
  CHECK(life.Signal(signal) == Actions{SignalGroup{signal}});
  CHECK(life.supervisor.state() == State::kRunning);
  life.Signal(SIGTERM);
  CHECK(life.Signal(signal) == Actions{SignalGroup{signal}});
  life.Exited({});
  CHECK(life.Signal(signal).empty());
}

TEST_CASE("the stop plan: term, kill at G-2.5 s, last send until G-0.7 s", "[agent][supervisor]") {
  Life life;
  CHECK(life.Signal(SIGTERM) == Actions{SignalGroup{SIGTERM}, SignalGroup{SIGCONT}});
  CHECK(StateName(life.supervisor.state()) == "stopping");
  CHECK(life.Deadline() == Actions{SignalGroup{SIGKILL}});
  CHECK(life.Elapsed() == 7500ms);
  CHECK(life.Exited({.signal = SIGKILL}) == Actions{Drain{}});
  CHECK(life.Deadline() == Actions{SignalGroup{SIGTERM}, Flush{}});
  CHECK(life.Elapsed() == 7600ms);
  CHECK(life.Deadline() == Actions{SignalGroup{SIGKILL}, Exit{137}});
  CHECK(life.Elapsed() == 9300ms);
}

TEST_CASE("the configured stop signal is what the process gets for a term", "[agent][supervisor]") {
  Life life({.stop_signal = SIGQUIT});
  SECTION("asked by the runtime") {
    CHECK(life.Signal(SIGTERM) == Actions{SignalGroup{SIGQUIT}, SignalGroup{SIGCONT}});
  }
  SECTION("asked over the control API") {
    CHECK(life.supervisor.OnStopRequested({}, life.now()) ==
          Actions{SignalGroup{SIGQUIT}, SignalGroup{SIGCONT}});
  }
  SECTION("received itself, which then is the stop") {
    CHECK(life.Signal(SIGQUIT) == Actions{SignalGroup{SIGQUIT}, SignalGroup{SIGCONT}});
    CHECK(life.supervisor.stop_requested());
  }
}

TEST_CASE("an interrupt is passed on as such and stops", "[agent][supervisor]") {
  Life life;
  CHECK(life.Signal(SIGINT) == Actions{SignalGroup{SIGINT}, SignalGroup{SIGCONT}});
  CHECK(life.supervisor.stop_requested());
}

TEST_CASE("a second stop signal kills at once", "[agent][supervisor]") {
  Life life;
  life.Signal(SIGTERM);
  life.clock.Advance(1s);
  CHECK(life.Signal(SIGINT) == Actions{SignalGroup{SIGKILL}});
  CHECK(life.Signal(SIGTERM).empty());
}

TEST_CASE("asking over the control API twice is one stop", "[agent][supervisor]") {
  Life life;
  life.supervisor.OnStopRequested({}, life.now());
  CHECK(life.supervisor.OnStopRequested({}, life.now()).empty());
  CHECK(life.supervisor.state() == State::kStopping);
  // A signal after it is a second stop.
  CHECK(life.Signal(SIGTERM) == Actions{SignalGroup{SIGKILL}});
}

TEST_CASE("a request may bring its own grace", "[agent][supervisor]") {
  Life life;
  life.supervisor.OnStopRequested(20s, life.now());
  life.Deadline();
  CHECK(life.Elapsed() == 17500ms);
}

TEST_CASE("a short grace keeps its order: kill, then send, then end", "[agent][supervisor]") {
  const auto grace = GENERATE(as<std::chrono::nanoseconds>{}, 0ms, 10ms, 500ms, 1s, 3s, 5s);
  CAPTURE(grace.count());
  auto plan = StopPlan::For(grace);
  CHECK(plan.kill_after >= 0ns);
  CHECK(plan.kill_after <= plan.flush_until);
  CHECK(plan.flush_until <= grace);
  CHECK(plan.kill_after >= grace / 2);
}

TEST_CASE("a killed process that stays is given up", "[agent][supervisor]") {
  Life life;
  life.Signal(SIGTERM);
  life.Signal(SIGTERM);
  CHECK(life.Deadline() == Actions{Drain{}});
  CHECK(life.Elapsed() == kKillLimit);
  CHECK(life.Exited({.code = 1}).empty());
  life.OutputsEnded();
  CHECK(life.supervisor.OnFlushed() == Actions{SignalGroup{SIGKILL}, Exit{137}});
}

TEST_CASE("a silent holder of the pipes delays the end by 100 ms", "[agent][supervisor]") {
  Life life;
  life.Exited({.code = 0});
  CHECK(life.Deadline() == Actions{SignalGroup{SIGTERM}, Flush{}});
  CHECK(life.Elapsed() == kDrainIdle);
}

TEST_CASE("one that goes on writing delays it by 300 ms", "[agent][supervisor]") {
  Life life;
  life.Exited({.code = 0});
  for (int i = 0; i < 29; ++i) {
    life.clock.Advance(10ms);
    CHECK(life.supervisor.OnTimer(life.now()).empty());
    life.supervisor.OnOutput(life.now());
  }
  CHECK(life.Deadline() == Actions{SignalGroup{SIGTERM}, Flush{}});
  CHECK(life.Elapsed() == kDrainLimit);
}

TEST_CASE("without a stop the last send has its time from the exit on", "[agent][supervisor]") {
  Life life;
  life.clock.Advance(1h);
  life.Exited({.code = 5});
  life.OutputsEnded();
  CHECK(life.Deadline() == Actions{SignalGroup{SIGKILL}, Exit{5}});
  CHECK(life.Elapsed() == 1h + 9300ms);
}

TEST_CASE("a stop during the last send bounds it, a second one ends it", "[agent][supervisor]") {
  Life life({.stop_grace = 10s});
  life.Exited({.code = 5});
  life.OutputsEnded();
  life.clock.Advance(5s);
  SECTION("over the control API, with a grace of its own") {
    CHECK(life.supervisor.OnStopRequested(1s, life.now()).empty());
    CHECK(life.Deadline() == Actions{SignalGroup{SIGKILL}, Exit{5}});
    CHECK(life.Elapsed() == 5s + 800ms);
  }
  SECTION("by signals") {
    CHECK(life.Signal(SIGTERM).empty());
    CHECK(life.Deadline() == Actions{SignalGroup{SIGKILL}, Exit{5}});
    CHECK(life.Elapsed() == 9300ms);  // never later than before
  }
  SECTION("twice") {
    life.Signal(SIGTERM);
    CHECK(life.Signal(SIGTERM) == Actions{SignalGroup{SIGKILL}, Exit{5}});
  }
}

TEST_CASE("after the end nothing happens any more", "[agent][supervisor]") {
  Life life;
  life.Exited({});
  life.OutputsEnded();
  life.supervisor.OnFlushed();
  CHECK(life.supervisor.OnFlushed().empty());
  CHECK(life.Signal(SIGTERM).empty());
  CHECK(life.OutputsEnded().empty());
  CHECK(life.supervisor.OnStopRequested({}, life.now()).empty());
  life.clock.Advance(1h);
  CHECK(life.supervisor.OnTimer(life.now()).empty());
  CHECK(StateName(life.supervisor.state()) == "exited");
}

}  // namespace
}  // namespace dunlin::agent
