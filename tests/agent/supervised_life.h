#pragma once

#include <chrono>
#include <csignal>
#include <utility>

#include "agent/supervisor.h"
#include "tests/support/catch.h"
#include "tests/support/manual_clock.h"

/// For the tests of the supervisor: short words for its actions, and a process's life to play.
namespace dunlin::agent {

using namespace std::chrono_literals;
using Actions = Supervisor::Actions;
using State = Supervisor::State;
using Target = Supervisor::Target;
using Reach = Supervisor::Reach;
using StartProcess = Supervisor::StartProcess;
using RunHook = Supervisor::RunHook;
using EndHook = Supervisor::EndHook;
using SendSignal = Supervisor::SendSignal;
using Drain = Supervisor::Drain;
using CloseOutputs = Supervisor::CloseOutputs;
using Flush = Supervisor::Flush;
using Exit = Supervisor::Exit;

/// To the group, and what lets a stopped one act on it.
inline Actions Told(int signal, Target target = Target::kGroup) {
  return {SendSignal{signal, target}, SendSignal{SIGCONT, target}};
}
/// To what is left behind by a process.
inline Actions LeftoversTold(Target target, Reach reach = Reach::kNamespace) {
  return {SendSignal{SIGTERM, target, reach}, SendSignal{SIGCONT, target, reach}};
}
inline const Actions kLastSend{CloseOutputs{}, Flush{}};
inline constexpr SendSignal kKillAll{SIGKILL, Target::kAll, Reach::kNamespace};
inline Actions Ended(int code) { return {kKillAll, Exit{code}}; }

/// A supervisor and a clock, with a running process unless said otherwise.
struct Life {
  explicit Life(SupervisorOptions options = {}, bool started = true)
      : supervisor(std::move(options)) {
    if (!started) return;
    CHECK(supervisor.Begin(now()) == Actions{StartProcess{}});
    supervisor.OnStarted(now());
  }
  SteadyTime now() const { return clock.Steady(); }
  Actions Signal(int signal) { return supervisor.OnSignal(signal, now()); }
  Actions Exited(net::ExitStatus status, bool out_of_memory = false) {
    return supervisor.OnChildExited(status, out_of_memory, now());
  }
  Actions OutputsEnded() { return supervisor.OnOutputsEnded(now()); }
  Actions Left(Remaining who = Remaining::kNobody) { return supervisor.OnRemaining(who, now()); }
  Actions HookEnded(int code) {
    return supervisor.OnHookEnded(net::ExitStatus{.code = code}, now());
  }
  /// Everything up to the last send.
  void ExitAlone(net::ExitStatus status) {
    Exited(status);
    OutputsEnded();
    Left();
  }
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

}  // namespace dunlin::agent
