#include "agent/supervisor.h"

#include "tests/agent/supervised_life.h"

namespace dunlin::agent {
namespace {

TEST_CASE("the agent exits with the process's code", "[agent][supervisor]") {
  const int code = GENERATE(range(0, 256));
  Life life;
  CHECK(life.Exited({.code = code}) == LeftoversTold(Target::kGroup));
  CHECK(StateName(life.supervisor.state()) == "exited");
  CHECK(life.Left() == Actions{Drain{}});
  CHECK(life.OutputsEnded() == kLastSend);
  CHECK(life.supervisor.OnFlushed() == Ended(code));
  CHECK_FALSE(life.supervisor.deadline());
}

TEST_CASE("death by a signal is 128 and its number", "[agent][supervisor]") {
  const int signal = GENERATE(SIGKILL, SIGSEGV, SIGTERM, 64);
  Life life;
  life.ExitAlone({.signal = signal});
  CHECK(life.supervisor.OnFlushed() == Ended(128 + signal));
}

TEST_CASE("a remapped end gives the code it is mapped to", "[agent][supervisor]") {
  SupervisorOptions options;
  options.exit_remaps = {{143, 0}, {3, 4}, {4, 5}};
  auto [status, code] = GENERATE(table<net::ExitStatus, int>({{{.signal = SIGTERM}, 0},
                                                              {{.code = 143}, 0},
                                                              {{.code = 3}, 4},
                                                              {{.code = 4}, 5},
                                                              {{.code = 1}, 1},
                                                              {{.signal = SIGKILL}, 137}}));
  Life life(options);
  life.ExitAlone(status);
  CHECK(life.supervisor.OnFlushed() == Ended(code));
  CHECK(life.supervisor.exit_status() == status);
}

TEST_CASE("a failed start is flushed and gives its code", "[agent][supervisor]") {
  SupervisorOptions options;
  options.exit_remaps = {{127, 0}};  // of a process, not of one that never was
  Life life(options, /*started=*/false);
  CHECK(life.supervisor.Begin(life.now()) == Actions{StartProcess{}});
  CHECK(StateName(life.supervisor.state()) == "starting");
  CHECK(life.supervisor.OnStartFailed(127, life.now()) == kLastSend);
  CHECK(life.supervisor.OnFlushed() == Ended(127));
}

TEST_CASE("outputs that ended before the process need no drain", "[agent][supervisor]") {
  Life life;
  CHECK(life.OutputsEnded().empty());
  life.Exited({.code = 3});
  CHECK(life.Left() == kLastSend);
}

TEST_CASE("any other signal is passed on, once, and only while the process runs",
          "[agent][supervisor]") {
  const int signal =
      GENERATE(SIGHUP, SIGUSR1, SIGUSR2, SIGWINCH, SIGQUIT, SIGALRM, SIGPIPE, SIGTSTP, 40);
  const auto mode = GENERATE(StopMode::kGroup, StopMode::kLeader);
  SupervisorOptions options;
  options.stop_mode = mode;
  const Target target = mode == StopMode::kGroup ? Target::kGroup : Target::kLeader;
  Life life(options);
  CHECK(life.Signal(signal) == Actions{SendSignal{signal, target}});
  CHECK(life.supervisor.state() == State::kRunning);
  life.Signal(SIGTERM);
  CHECK(life.Signal(signal) == Actions{SendSignal{signal, target}});
  life.Exited({});
  CHECK(life.Signal(signal).empty());
}

TEST_CASE("a rewritten signal reaches the process as another one", "[agent][supervisor]") {
  SupervisorOptions options;
  options.signal_rewrites = {{SIGTERM, SIGQUIT},
                             {SIGHUP, SIGUSR1},
                             {SIGUSR1, std::nullopt},
                             {SIGINT, std::nullopt},
                             {SIGUSR2, SIGTERM}};
  Life life(options);
  SECTION("a term that is a quit is a stop still") {
    CHECK(life.Signal(SIGTERM) == Told(SIGQUIT));
    CHECK(life.supervisor.stop_requested());
    CHECK(life.Deadline() == Actions{SendSignal{SIGKILL}});
  }
  SECTION("another signal that is a term is a stop, too") {
    CHECK(life.Signal(SIGUSR2) == Told(SIGTERM));
    CHECK(life.supervisor.stop_requested());
  }
  SECTION("rules do not follow each other") {
    CHECK(life.Signal(SIGHUP) == Actions{SendSignal{SIGUSR1}});
  }
  SECTION("a swallowed one does nothing, be it a stop") {
    CHECK(life.Signal(SIGUSR1).empty());
    CHECK(life.Signal(SIGINT).empty());
    CHECK_FALSE(life.supervisor.stop_requested());
  }
  SECTION("a request over the control API is no signal to rewrite") {
    CHECK(life.supervisor.OnStopRequested({}, life.now()) == Told(SIGTERM));
  }
}

TEST_CASE("the stop plan: term, kill at G-2.5 s, last send until G-0.7 s", "[agent][supervisor]") {
  Life life;
  CHECK(life.Signal(SIGTERM) == Told(SIGTERM));
  CHECK(StateName(life.supervisor.state()) == "stopping");
  CHECK(life.Deadline() == Actions{SendSignal{SIGKILL}});
  CHECK(life.Elapsed() == 7500ms);
  // Its group has had the signal; who left the group has not.
  CHECK(life.Exited({.signal = SIGKILL}).empty());
  CHECK(life.Left(Remaining::kDescendants) == LeftoversTold(Target::kStrays));
  CHECK(life.Left(Remaining::kDescendants).empty());
  CHECK(life.Deadline() == Actions{kKillAll});
  CHECK(life.Elapsed() == 8100ms);
  CHECK(life.Left() == Actions{Drain{}});
  CHECK(life.Deadline() == kLastSend);
  CHECK(life.Elapsed() == 8200ms);
  CHECK(life.Deadline() == Ended(137));
  CHECK(life.Elapsed() == 9300ms);
}

TEST_CASE("whatever does not go, the agent ends in time", "[agent][supervisor]") {
  const auto grace =
      GENERATE(as<std::chrono::nanoseconds>{}, 0ms, 10ms, 500ms, 1s, 3s, 5s, 10s, 30s);
  const bool leader_goes = GENERATE(true, false);
  SupervisorOptions options;
  options.stop_grace = grace;
  options.post_stop = true;
  Life life(options);
  life.Signal(SIGTERM);
  if (leader_goes) life.Exited({.code = 0});
  for (int i = 0; i < 20 && life.supervisor.state() != State::kExited; ++i) life.Deadline();
  CHECK(life.supervisor.state() == State::kExited);
  CHECK(life.Elapsed() <= grace);
  CHECK(life.supervisor.exit_status()->ShellCode() == (leader_goes ? 0 : 137));
}

TEST_CASE("the configured stop signal is what the process gets for a term", "[agent][supervisor]") {
  SupervisorOptions options;
  options.stop_signal = SIGQUIT;
  Life life(options);
  SECTION("asked by the runtime") { CHECK(life.Signal(SIGTERM) == Told(SIGQUIT)); }
  SECTION("asked over the control API") {
    CHECK(life.supervisor.OnStopRequested({}, life.now()) == Told(SIGQUIT));
  }
  SECTION("received itself, which then is the stop") {
    CHECK(life.Signal(SIGQUIT) == Told(SIGQUIT));
    CHECK(life.supervisor.stop_requested());
  }
}

TEST_CASE("an interrupt is passed on as such and stops", "[agent][supervisor]") {
  Life life;
  CHECK(life.Signal(SIGINT) == Told(SIGINT));
  CHECK(life.supervisor.stop_requested());
}

TEST_CASE("a second stop signal kills at once", "[agent][supervisor]") {
  Life life;
  life.Signal(SIGTERM);
  life.clock.Advance(1s);
  SECTION("the process") {
    CHECK(life.Signal(SIGINT) == Actions{SendSignal{SIGKILL}});
    CHECK(life.Signal(SIGTERM).empty());
    // What is left has little time then, too.
    CHECK(life.Exited({.signal = SIGKILL}).empty());
    CHECK(life.Left(Remaining::kDescendants) == LeftoversTold(Target::kStrays));
    CHECK(life.Deadline() == Actions{kKillAll});
    CHECK(life.Elapsed() == 1600ms);
  }
  SECTION("what is left of it") {
    life.Exited({});
    CHECK(life.Signal(SIGTERM) == Actions{kKillAll});
    CHECK(life.Signal(SIGTERM).empty());
  }
}

TEST_CASE("asking over the control API twice is one stop", "[agent][supervisor]") {
  Life life;
  life.supervisor.OnStopRequested({}, life.now());
  CHECK(life.supervisor.OnStopRequested({}, life.now()).empty());
  CHECK(life.supervisor.state() == State::kStopping);
  // A signal after it is a second stop.
  CHECK(life.Signal(SIGTERM) == Actions{SendSignal{SIGKILL}});
}

TEST_CASE("a request may bring its own grace", "[agent][supervisor]") {
  Life life;
  life.supervisor.OnStopRequested(20s, life.now());
  life.Deadline();
  CHECK(life.Elapsed() == 17500ms);
}

TEST_CASE("the end of the agent's parent is a stop by the configured signal, once",
          "[agent][supervisor]") {
  Life life;
  CHECK(life.supervisor.OnParentDied(SIGKILL, life.now()) == Told(SIGKILL));
  CHECK(life.supervisor.OnParentDied(SIGKILL, life.now()).empty());
  CHECK(life.supervisor.stop_requested());
}

TEST_CASE("a short grace keeps its order: kill, sweep, hook, send, end", "[agent][supervisor]") {
  const auto grace = GENERATE(as<std::chrono::nanoseconds>{}, 0ms, 10ms, 500ms, 1s, 3s, 5s);
  CAPTURE(grace.count());
  const SteadyTime begin{1h};
  auto plan = StopPlan::For(grace, begin);
  CHECK(plan.kill_at >= begin + grace / 2);
  CHECK(plan.kill_at <= plan.sweep_at);
  CHECK(plan.sweep_at <= plan.hook_at);
  CHECK(plan.hook_at <= plan.flush_at);
  CHECK(plan.flush_at <= begin + grace);
}

TEST_CASE("a killed process that stays is given up", "[agent][supervisor]") {
  Life life;
  life.Signal(SIGTERM);
  life.Signal(SIGTERM);
  CHECK(life.Deadline() == Actions{Drain{}});
  CHECK(life.Elapsed() == kKillLimit);
  CHECK(life.Exited({.code = 1}).empty());
  CHECK(life.OutputsEnded() == kLastSend);
  CHECK(life.supervisor.OnFlushed() == Ended(137));
}

TEST_CASE("the whole tree is waited for until the kill", "[agent][supervisor]") {
  SECTION("after a stop") {
    Life life;
    life.Signal(SIGTERM);
    life.clock.Advance(1s);
    // A worker of the group has had its signal, and a second one might mean something else.
    CHECK(life.Exited({}).empty());
    CHECK(life.Left(Remaining::kDescendants) == LeftoversTold(Target::kStrays));
    CHECK(life.Left(Remaining::kDescendants).empty());
    SECTION("and goes") { CHECK(life.Left() == Actions{Drain{}}); }
    SECTION("and is killed, again and again, because killing makes new strays") {
      CHECK(life.Deadline() == Actions{kKillAll});
      CHECK(life.Elapsed() == 7500ms);
      CHECK(life.Left(Remaining::kDescendants) == Actions{kKillAll});
      CHECK(life.Left() == Actions{Drain{}});
    }
    SECTION("and cannot be killed") {
      life.Deadline();
      CHECK(life.Deadline() == Actions{Drain{}});
      CHECK(life.Elapsed() == 8400ms);
    }
  }
  SECTION("when the process ends by itself") {
    Life life;
    life.clock.Advance(1h);
    CHECK(life.Exited({}) == LeftoversTold(Target::kGroup));
    CHECK(life.Left(Remaining::kDescendants) == LeftoversTold(Target::kStrays));
    CHECK(life.Deadline() == Actions{kKillAll});
    CHECK(life.Elapsed() == 1h + 7500ms);
  }
}

TEST_CASE("outsiders are waited for a second, not the whole time", "[agent][supervisor]") {
  Life life;
  life.Exited({});
  CHECK(life.Left(Remaining::kDescendants) == LeftoversTold(Target::kStrays));
  life.clock.Advance(3s);
  CHECK(life.Left(Remaining::kOutsiders).empty());
  life.clock.Advance(500ms);
  CHECK(life.Left(Remaining::kOutsiders).empty());
  CHECK(life.Deadline() == Actions{kKillAll});
  CHECK(life.Elapsed() == 3s + kOutsiderLimit);
  CHECK(life.Left() == Actions{Drain{}});
}

TEST_CASE("without waiting, leftovers are told to end and the plan goes on",
          "[agent][supervisor]") {
  SupervisorOptions options;
  options.wait_for_all = false;
  Life life(options);
  Actions want = LeftoversTold(Target::kGroup);
  for (const auto& action : LeftoversTold(Target::kStrays)) want.push_back(action);
  want.push_back(Drain{});
  CHECK(life.Exited({}) == want);
  CHECK(life.OutputsEnded() == kLastSend);
  CHECK(life.supervisor.OnFlushed() == Ended(0));
}

TEST_CASE("stopping the leader only, others get no signal but the kill at the end",
          "[agent][supervisor]") {
  SupervisorOptions options;
  options.stop_mode = StopMode::kLeader;
  Life life(options);
  SECTION("when it goes") {
    CHECK(life.Signal(SIGTERM) == Told(SIGTERM, Target::kLeader));
    CHECK(life.Exited({}).empty());
    CHECK(life.Left(Remaining::kDescendants).empty());
    CHECK(life.Deadline() == Actions{kKillAll});
    CHECK(life.Elapsed() == 7500ms);
  }
  SECTION("when it has to be killed") {
    life.Signal(SIGTERM);
    CHECK(life.Deadline() == Actions{SendSignal{SIGKILL, Target::kLeader}});
    CHECK(life.Exited({.signal = SIGKILL}).empty());
    CHECK(life.Left(Remaining::kDescendants).empty());
    CHECK(life.Deadline() == Actions{kKillAll});
  }
  SECTION("but when it ends by itself, nobody else would tell them") {
    CHECK(life.Exited({}) == LeftoversTold(Target::kGroup));
    CHECK(life.Left(Remaining::kDescendants) == LeftoversTold(Target::kStrays));
  }
}

TEST_CASE("a silent holder of the pipes delays the end by 100 ms", "[agent][supervisor]") {
  Life life;
  life.Exited({.code = 0});
  life.Left();
  CHECK(life.Deadline() == kLastSend);
  CHECK(life.Elapsed() == kDrainIdle);
}

TEST_CASE("one that goes on writing delays it by 300 ms", "[agent][supervisor]") {
  Life life;
  life.Exited({.code = 0});
  life.Left();
  for (int i = 0; i < 29; ++i) {
    life.clock.Advance(10ms);
    CHECK(life.supervisor.OnTimer(life.now()).empty());
    life.supervisor.OnOutput(life.now());
  }
  CHECK(life.Deadline() == kLastSend);
  CHECK(life.Elapsed() == kDrainLimit);
}

TEST_CASE("without a stop the last send has its time from the exit on", "[agent][supervisor]") {
  Life life;
  life.clock.Advance(1h);
  life.ExitAlone({.code = 5});
  CHECK(life.Deadline() == Ended(5));
  CHECK(life.Elapsed() == 1h + 9300ms);
}

TEST_CASE("a stop during the last send bounds it, a second one ends it", "[agent][supervisor]") {
  Life life;
  life.ExitAlone({.code = 5});
  life.clock.Advance(5s);
  SECTION("over the control API, with a grace of its own") {
    CHECK(life.supervisor.OnStopRequested(1s, life.now()).empty());
    CHECK(life.Deadline() == Ended(5));
    CHECK(life.Elapsed() == 5s + 800ms);
  }
  SECTION("by signals") {
    CHECK(life.Signal(SIGTERM).empty());
    CHECK(life.Deadline() == Ended(5));
    CHECK(life.Elapsed() == 9300ms);  // never later than before
  }
  SECTION("twice") {
    life.Signal(SIGTERM);
    CHECK(life.Signal(SIGTERM) == Ended(5));
  }
}

TEST_CASE("after the end nothing happens any more", "[agent][supervisor]") {
  Life life;
  life.ExitAlone({});
  life.supervisor.OnFlushed();
  CHECK(life.supervisor.OnFlushed().empty());
  CHECK(life.Signal(SIGTERM).empty());
  CHECK(life.OutputsEnded().empty());
  CHECK(life.Left().empty());
  CHECK(life.HookEnded(0).empty());
  CHECK(life.Exited({}).empty());
  CHECK(life.supervisor.OnStopRequested({}, life.now()).empty());
  CHECK(life.supervisor.OnStartRequested(life.now()).empty());
  CHECK_FALSE(life.supervisor.can_restart());
  CHECK(life.supervisor.OnRestartRequested(RestartCause::kCommand, life.now()).empty());
  life.clock.Advance(1h);
  CHECK(life.supervisor.OnTimer(life.now()).empty());
  CHECK(StateName(life.supervisor.state()) == "exited");
}

}  // namespace
}  // namespace dunlin::agent
