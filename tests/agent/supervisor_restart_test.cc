// The supervisor's other half: restarts and hooks.
#include "agent/supervisor.h"
#include "tests/agent/supervised_life.h"

namespace dunlin::agent {
namespace {

SupervisorOptions Restarting(Restart policy) {
  SupervisorOptions options;
  options.restart = {.policy = policy,
                     .delay = std::chrono::milliseconds(500),
                     .max_delay = std::chrono::seconds(30),
                     .limit = 3,
                     .window = std::chrono::minutes(10)};
  return options;
}

std::uint64_t Count(const Life& life, RestartCause cause) {
  return life.supervisor.restarts()[static_cast<std::size_t>(cause)];
}

/// From the process's end to the pause before its restart. Only its own remains are told to end:
/// a shell in the same container survives a restart.
void BackOff(Life& life, net::ExitStatus status, bool out_of_memory = false) {
  CHECK(life.Exited(status, out_of_memory) == LeftoversTold(Target::kGroup, Reach::kDescendants));
  CHECK(life.Left(Remaining::kDescendants) == LeftoversTold(Target::kStrays, Reach::kDescendants));
  CHECK(life.Left(Remaining::kOutsiders) == Actions{Drain{}});
  CHECK(life.OutputsEnded() == Actions{CloseOutputs{}});
  CHECK(StateName(life.supervisor.state()) == "backing-off");
}

TEST_CASE("a process that ends is started again after a pause", "[agent][supervisor]") {
  Life life(Restarting(Restart::kAlways));
  BackOff(life, {.code = 0});
  CHECK(Count(life, RestartCause::kExit) == 0);
  CHECK(life.Deadline() == Actions{StartProcess{}});
  CHECK(life.Elapsed() == 500ms);
  CHECK(Count(life, RestartCause::kExit) == 1);
  life.supervisor.OnStarted(life.now());
  CHECK(StateName(life.supervisor.state()) == "running");
  BackOff(life, {.code = 0});
  CHECK(life.Deadline() == Actions{StartProcess{}});
  CHECK(life.Elapsed() == 1500ms);
}

TEST_CASE("restarts are counted by what ended the process", "[agent][supervisor]") {
  auto [status, out_of_memory, cause] = GENERATE(table<net::ExitStatus, bool, RestartCause>({
      {{.code = 1}, false, RestartCause::kExit},
      {{.signal = SIGSEGV}, false, RestartCause::kSignal},
      {{.signal = SIGKILL}, false, RestartCause::kSignal},
      {{.signal = SIGKILL}, true, RestartCause::kOom},
  }));
  Life life(Restarting(Restart::kOnFailure));
  BackOff(life, status, out_of_memory);
  life.Deadline();
  CHECK(Count(life, cause) == 1);
  CHECK(life.supervisor.out_of_memory() == out_of_memory);
}

TEST_CASE("what is no failure after its remapping is not started again", "[agent][supervisor]") {
  auto options = Restarting(Restart::kOnFailure);
  options.exit_remaps = {{143, 0}};
  Life life(options);
  life.ExitAlone({.signal = SIGTERM});
  CHECK(life.supervisor.state() == State::kFlushing);
  CHECK(life.supervisor.OnFlushed() == Ended(0));
}

TEST_CASE("a crash loop ends with the process's code", "[agent][supervisor]") {
  Life life(Restarting(Restart::kOnFailure));
  for (int i = 0; i < 3; ++i) {
    BackOff(life, {.code = 7});
    life.Deadline();
    life.supervisor.OnStarted(life.now());
  }
  life.ExitAlone({.code = 7});
  CHECK(life.supervisor.exhausted());
  CHECK(life.supervisor.OnFlushed() == Ended(7));
}

TEST_CASE("a start that fails is tried again like any failure", "[agent][supervisor]") {
  Life life(Restarting(Restart::kOnFailure), /*started=*/false);
  life.supervisor.Begin(life.now());
  for (int i = 0; i < 3; ++i) {
    CHECK(life.supervisor.OnStartFailed(127, life.now()) == Actions{CloseOutputs{}});
    CHECK(life.Deadline() == Actions{StartProcess{}});
  }
  CHECK(life.supervisor.OnStartFailed(127, life.now()) == kLastSend);
  CHECK(life.supervisor.OnFlushed() == Ended(127));
}

TEST_CASE("a stop is the end, whatever the policy", "[agent][supervisor]") {
  Life life(Restarting(Restart::kAlways));
  SECTION("of a running process") {
    life.Signal(SIGTERM);
    life.ExitAlone({.code = 1});
    CHECK(life.supervisor.OnFlushed() == Ended(1));
  }
  SECTION("in the pause, at once and with the last code") {
    BackOff(life, {.code = 6});
    const bool by_signal = GENERATE(true, false);
    const auto actions =
        by_signal ? life.Signal(SIGTERM) : life.supervisor.OnStopRequested({}, life.now());
    CHECK(actions ==
          Actions{SendSignal{SIGTERM, Target::kAll, Reach::kNamespace}, CloseOutputs{}, Flush{}});
    CHECK(life.supervisor.OnFlushed() == Ended(6));
    CHECK(life.Elapsed() == 0s);
  }
  SECTION("in the pause after a long life, with all the time to send") {
    life.clock.Advance(1h);
    BackOff(life, {.code = 6});
    life.Signal(SIGTERM);
    CHECK(life.Deadline() == Ended(6));
    CHECK(life.Elapsed() == 1h + 9300ms);
  }
  SECTION("while descendants of the one before are waited for") {
    life.Exited({.code = 6});
    CHECK(life.Signal(SIGTERM).empty());
    life.OutputsEnded();
    CHECK(life.Left() == kLastSend);
    CHECK(life.supervisor.OnFlushed() == Ended(6));
  }
  SECTION("while the outputs of the one before are read") {
    life.Exited({.code = 6});
    life.Left();
    CHECK(life.Signal(SIGTERM).empty());
    CHECK(life.OutputsEnded() == kLastSend);
  }
}

TEST_CASE("a restart on command stops by the plan and starts at once", "[agent][supervisor]") {
  Life life(Restarting(Restart::kNever));
  CHECK(life.supervisor.OnRestartRequested(RestartCause::kCommand, life.now()) == Told(SIGTERM));
  CHECK(StateName(life.supervisor.state()) == "stopping");
  CHECK_FALSE(life.supervisor.stop_requested());
  SECTION("when it goes") {
    CHECK(life.Exited({.signal = SIGTERM}).empty());
    life.OutputsEnded();
    CHECK(life.Left() == Actions{CloseOutputs{}, StartProcess{}});
    CHECK(Count(life, RestartCause::kCommand) == 1);
    CHECK(life.Elapsed() == 0s);
  }
  SECTION("when it has to be killed") {
    CHECK(life.Deadline() == Actions{SendSignal{SIGKILL}});
    CHECK(life.Elapsed() == 7500ms);
    life.Exited({.signal = SIGKILL});
    CHECK(life.Deadline() == Actions{SendSignal{SIGKILL, Target::kAll, Reach::kDescendants}});
  }
  SECTION("when it cannot be killed, there is no second one of it") {
    life.Deadline();
    CHECK(life.Deadline() == Actions{Drain{}});
    CHECK(life.OutputsEnded() == kLastSend);
  }
  SECTION("asking again changes nothing") {
    CHECK(life.supervisor.OnRestartRequested(RestartCause::kCommand, life.now()).empty());
    CHECK(life.supervisor.can_restart());
  }
  SECTION("a stop makes it the end, without a second signal and without more time") {
    life.clock.Advance(5s);
    CHECK(life.Signal(SIGTERM).empty());
    CHECK_FALSE(life.supervisor.can_restart());
    CHECK(life.Deadline() == Actions{SendSignal{SIGKILL}});
    CHECK(life.Elapsed() == 7500ms);
    life.ExitAlone({.signal = SIGKILL});
    CHECK(life.Deadline() == Ended(137));
    CHECK(life.Elapsed() == 5s + 9300ms);
  }
  SECTION("and a second stop kills") {
    life.Signal(SIGTERM);
    CHECK(life.Signal(SIGTERM) == Actions{SendSignal{SIGKILL}});
  }
}

TEST_CASE("a restart for bad health has its pause and its limit", "[agent][supervisor]") {
  Life life(Restarting(Restart::kNever));
  CHECK(life.supervisor.OnRestartRequested(RestartCause::kHealth, life.now()) == Told(SIGTERM));
  life.Exited({.code = 0});
  life.OutputsEnded();
  CHECK(life.Left() == Actions{CloseOutputs{}});
  CHECK(life.Deadline() == Actions{StartProcess{}});
  CHECK(life.Elapsed() == 500ms);
  CHECK(Count(life, RestartCause::kHealth) == 1);
  CHECK(Count(life, RestartCause::kExit) == 0);
}

TEST_CASE("the pause before a restart can be ended", "[agent][supervisor]") {
  Life life(Restarting(Restart::kAlways));
  CHECK(life.supervisor.OnStartRequested(life.now()).empty());  // it runs
  BackOff(life, {.code = 1});
  SECTION("by a start") {
    CHECK(life.supervisor.OnStartRequested(life.now()) == Actions{StartProcess{}});
  }
  SECTION("by a restart on command") {
    CHECK(life.supervisor.OnRestartRequested(RestartCause::kCommand, life.now()) ==
          Actions{StartProcess{}});
  }
  SECTION("but not by bad health, which is of the one before") {
    CHECK(life.supervisor.OnRestartRequested(RestartCause::kHealth, life.now()).empty());
    CHECK(life.Deadline() == Actions{StartProcess{}});
  }
  CHECK(Count(life, RestartCause::kExit) == 1);
}

SupervisorOptions Hooked() {
  SupervisorOptions options;
  options.pre_start = true;
  options.post_stop = true;
  options.hook_timeout = std::chrono::seconds(3);
  return options;
}

TEST_CASE("the process is started once its pre-start hook has succeeded", "[agent][supervisor]") {
  Life life(Hooked(), /*started=*/false);
  CHECK(life.supervisor.Begin(life.now()) == Actions{RunHook{Hook::kPreStart}});
  CHECK(StateName(life.supervisor.state()) == "starting");
  CHECK(life.OutputsEnded().empty());  // the hook's
  SECTION("well") { CHECK(life.HookEnded(0) == Actions{CloseOutputs{}, StartProcess{}}); }
  SECTION("failed") {
    CHECK(life.HookEnded(1) == kLastSend);
    CHECK(life.supervisor.OnFlushed() == Ended(kNotStarted));
  }
  SECTION("not run") {
    CHECK(life.supervisor.OnHookEnded(std::nullopt, life.now()) == kLastSend);
    CHECK(life.supervisor.OnFlushed() == Ended(kNotStarted));
  }
  SECTION("too slow") {
    CHECK(life.Deadline() == Actions{EndHook{}, CloseOutputs{}, Flush{}});
    CHECK(life.Elapsed() == 3s);
    CHECK(life.HookEnded(0).empty());
    CHECK(life.supervisor.OnFlushed() == Ended(kNotStarted));
  }
  SECTION("ended by a stop") {
    CHECK(life.Signal(SIGUSR1).empty());
    CHECK(life.Signal(SIGTERM) == Actions{EndHook{}, CloseOutputs{}, Flush{}});
    CHECK(life.supervisor.OnFlushed() == Ended(143));
  }
}

TEST_CASE("the post-stop hook runs once, after the end for good", "[agent][supervisor]") {
  auto options = Restarting(Restart::kOnFailure);
  options.post_stop = true;
  options.hook_timeout = std::chrono::seconds(3);
  Life life(options);
  BackOff(life, {.code = 1});
  const Actions kRun{CloseOutputs{}, RunHook{Hook::kPostStop}};
  SECTION("when the process has ended") {
    life.Deadline();
    life.supervisor.OnStarted(life.now());
    life.Exited({.code = 0});
    life.OutputsEnded();
    CHECK(life.Left() == kRun);
    CHECK(StateName(life.supervisor.state()) == "exited");
    SECTION("well") { CHECK(life.HookEnded(0) == kLastSend); }
    SECTION("failed, which changes nothing") { CHECK(life.HookEnded(9) == kLastSend); }
    SECTION("too slow") {
      CHECK(life.Deadline() == Actions{EndHook{}, CloseOutputs{}, Flush{}});
      CHECK(life.Elapsed() == 3500ms);
    }
    SECTION("ended by a second stop") {
      CHECK(life.Signal(SIGTERM).empty());
      CHECK(life.Signal(SIGTERM) == Actions{EndHook{}, CloseOutputs{}, Flush{}});
    }
    life.supervisor.OnFlushed();
    CHECK(life.supervisor.state() == State::kExited);
  }
  SECTION("when the pause is ended by a stop") {
    CHECK(life.Signal(SIGTERM) == Actions{SendSignal{SIGTERM, Target::kAll, Reach::kNamespace},
                                          CloseOutputs{}, RunHook{Hook::kPostStop}});
  }
}

TEST_CASE("the post-stop hook does not outlast the stop plan", "[agent][supervisor]") {
  auto options = Hooked();
  options.pre_start = false;
  Life life(options);
  life.Signal(SIGTERM);
  life.Deadline();
  life.Exited({.signal = SIGKILL});
  life.OutputsEnded();
  life.Left();
  CHECK(life.supervisor.state() == State::kCleaning);
  CHECK(life.Deadline() == Actions{EndHook{}, CloseOutputs{}, Flush{}});
  CHECK(life.Elapsed() == 8700ms);
}

TEST_CASE("without a process there is nothing to clean up after", "[agent][supervisor]") {
  Life life(Hooked(), /*started=*/false);
  life.supervisor.Begin(life.now());
  life.HookEnded(0);
  CHECK(life.supervisor.OnStartFailed(126, life.now()) == kLastSend);
}

}  // namespace
}  // namespace dunlin::agent
