#include "agent/restart_policy.h"

#include "tests/support/catch.h"

namespace dunlin::agent {
namespace {

using namespace std::chrono_literals;
using Decision = RestartPolicy::Decision;
using Verdict = RestartPolicy::Verdict;

constexpr SteadyTime kBegin{1h};

RestartConfiguration Configured(Restart policy) {
  return {.policy = policy, .delay = 500ms, .max_delay = 30s, .limit = 10, .window = 10min};
}

TEST_CASE("what is started again follows the policy", "[agent][restart]") {
  auto [policy, code, verdict] = GENERATE(table<Restart, int, Verdict>({
      {Restart::kNever, 0, Verdict::kEnd},
      {Restart::kNever, 1, Verdict::kEnd},
      {Restart::kOnFailure, 0, Verdict::kEnd},
      {Restart::kOnFailure, 1, Verdict::kRestart},
      {Restart::kOnFailure, 137, Verdict::kRestart},
      {Restart::kAlways, 0, Verdict::kRestart},
      {Restart::kAlways, 1, Verdict::kRestart},
  }));
  const auto cause = GENERATE(RestartCause::kExit, RestartCause::kSignal, RestartCause::kOom);
  RestartPolicy restarts(Configured(policy));
  restarts.OnStarted(kBegin);
  CHECK(restarts.OnEnded(cause, code, kBegin).verdict == verdict);
}

TEST_CASE("pauses double up to the longest one", "[agent][restart]") {
  auto configuration = Configured(Restart::kAlways);
  configuration.limit = 0;
  RestartPolicy restarts(configuration);
  SteadyTime now = kBegin;
  for (auto pause : {500ms, 1000ms, 2000ms, 4000ms, 8000ms, 16000ms, 30000ms, 30000ms, 30000ms}) {
    restarts.OnStarted(now);
    now += 29s;  // one second short of a run that counts
    CHECK(restarts.OnEnded(RestartCause::kExit, 1, now) == Decision{Verdict::kRestart, pause});
  }
  restarts.OnStarted(now);
  CHECK(restarts.OnEnded(RestartCause::kExit, 1, now + 30s) == Decision{Verdict::kRestart, 500ms});
}

TEST_CASE("a first pause beyond the longest one is cut", "[agent][restart]") {
  auto configuration = Configured(Restart::kAlways);
  configuration.delay = 1min;
  RestartPolicy restarts(configuration);
  restarts.OnStarted(kBegin);
  CHECK(restarts.OnEnded(RestartCause::kExit, 0, kBegin).pause == 30s);
}

TEST_CASE("the limit within the window ends a crash loop", "[agent][restart]") {
  RestartPolicy restarts(Configured(Restart::kOnFailure));
  SteadyTime now = kBegin;
  for (int i = 0; i < 10; ++i) {
    restarts.OnStarted(now);
    REQUIRE(restarts.OnEnded(RestartCause::kSignal, 139, now).verdict == Verdict::kRestart);
    now += 1s;
  }
  SECTION("within it") {
    CHECK(restarts.OnEnded(RestartCause::kSignal, 139, now) == Decision{Verdict::kExhausted});
    CHECK(restarts.OnEnded(RestartCause::kSignal, 139, kBegin + 10min - 1ns).verdict ==
          Verdict::kExhausted);
  }
  SECTION("as the oldest leaves it, one more is allowed") {
    CHECK(restarts.OnEnded(RestartCause::kSignal, 139, kBegin + 10min).verdict ==
          Verdict::kRestart);
    CHECK(restarts.OnEnded(RestartCause::kSignal, 139, kBegin + 10min).verdict ==
          Verdict::kExhausted);
  }
  SECTION("an end that is wanted is none of its business") {
    CHECK(restarts.OnEnded(RestartCause::kExit, 0, now).verdict == Verdict::kEnd);
  }
  SECTION("a command is not counted and does not wait") {
    CHECK(restarts.OnEnded(RestartCause::kCommand, 0, now) == Decision{Verdict::kRestart, 0ns});
  }
}

TEST_CASE("bad health is a restart whatever the policy, within the limit", "[agent][restart]") {
  auto configuration = Configured(Restart::kNever);
  configuration.limit = 1;
  RestartPolicy restarts(configuration);
  restarts.OnStarted(kBegin);
  CHECK(restarts.OnEnded(RestartCause::kHealth, 0, kBegin) == Decision{Verdict::kRestart, 500ms});
  CHECK(restarts.OnEnded(RestartCause::kHealth, 0, kBegin).verdict == Verdict::kExhausted);
}

}  // namespace
}  // namespace dunlin::agent
