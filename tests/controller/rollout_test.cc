#include "controller/rollout/rollout.h"

#include <utility>

#include "tests/support/catch.h"

namespace dunlin::controller {
namespace {

using Presence = Observation::Presence;
using Agent = Observation::Agent;

const ContainerId kNew("ctr_new");
const ContainerId kOld("ctr_old");

Readiness QuickReadiness() {
  Readiness readiness;
  readiness.min_healthy = 2s;
  readiness.deadline = 10s;
  return readiness;
}

Rollout NewRollout(RolloutState state = {}) {
  return Rollout(std::move(state), QuickReadiness(), StopPlan{}, StopPlan{});
}

Observation Absent() { return {}; }
Observation Created() {
  Observation seen;
  seen.presence = Presence::kCreated;
  return seen;
}
Observation Silent() {
  Observation seen;
  seen.presence = Presence::kRunning;
  seen.detail = "connection refused";
  return seen;
}
Observation Running(bool ready) {
  Observation seen;
  seen.presence = Presence::kRunning;
  seen.agent = Agent::kAnswers;
  seen.ready = ready;
  return seen;
}
Observation Exited(int code) {
  Observation seen;
  seen.presence = Presence::kExited;
  seen.exit_code = code;
  return seen;
}
event::Observed Saw(Observation seen, std::chrono::nanoseconds elapsed = 0s,
                    ContainerId id = kNew) {
  return {std::move(id), std::move(seen), elapsed};
}

/// The actions without records, which most cases do not care about.
RolloutActions Effects(const RolloutActions& actions) {
  RolloutActions effects;
  for (const auto& action : actions) {
    if (!std::holds_alternative<action::Record>(action)) effects.push_back(action);
  }
  return effects;
}

/// Brings a rollout to where its container runs and answers.
void Start(Rollout& rollout) {
  rollout.On(event::Resumed{});
  rollout.On(event::Allocated{kNew});
  rollout.On(Saw(Absent()));
  rollout.On(event::Done{});
  rollout.On(Saw(Created()));
  rollout.On(event::Done{});
}

}  // namespace

TEST_CASE("rollout of a first version goes from PENDING to HEALTHY", "[controller][rollout]") {
  Rollout rollout = NewRollout();
  CHECK(Effects(rollout.On(event::Resumed{})) == RolloutActions{action::Allocate{}});
  CHECK(rollout.state().status == Status::kPreparing);
  CHECK(Effects(rollout.On(event::Allocated{kNew})) == RolloutActions{action::Observe{kNew}});
  CHECK(Effects(rollout.On(Saw(Absent()))) == RolloutActions{action::Create{kNew}});
  CHECK(Effects(rollout.On(event::Done{})) == RolloutActions{action::Observe{kNew}});
  CHECK(Effects(rollout.On(Saw(Created()))) == RolloutActions{action::Start{kNew}});
  CHECK(rollout.state().status == Status::kStarting);
  CHECK(Effects(rollout.On(event::Done{})) == RolloutActions{action::Observe{kNew}});
  CHECK(Effects(rollout.On(Saw(Silent(), 100ms))) == RolloutActions{action::Observe{kNew, 250ms}});
  CHECK(Effects(rollout.On(Saw(Running(true), 100ms))) ==
        RolloutActions{action::Observe{kNew, 250ms}});
  CHECK(rollout.state().status == Status::kVerifying);
  CHECK(Effects(rollout.On(Saw(Running(true), 1900ms))) ==
        RolloutActions{action::Observe{kNew, 100ms}});
  CHECK(Effects(rollout.On(Saw(Running(true), 100ms))).empty());
  CHECK(rollout.state().status == Status::kHealthy);
  CHECK(rollout.state().settled);
}

TEST_CASE("rollout records each state before the effect that it announces",
          "[controller][rollout]") {
  Rollout rollout = NewRollout();
  auto actions = rollout.On(event::Resumed{});
  REQUIRE(actions.size() == 2);
  CHECK(std::get<action::Record>(actions[0]).state.step == Step::kAllocate);
  rollout.On(event::Allocated{kNew});
  actions = rollout.On(Saw(Absent()));
  REQUIRE(actions.size() == 2);
  CHECK(std::get<action::Record>(actions[0]).state.step == Step::kCreate);
  rollout.On(event::Done{});
  actions = rollout.On(Saw(Created()));
  REQUIRE(actions.size() == 2);
  CHECK(std::get<action::Record>(actions[0]).state.step == Step::kStart);
  CHECK(actions[1] == RolloutAction{action::Start{kNew}});
}

TEST_CASE("rollout stops the old version only after the new one is current",
          "[controller][rollout]") {
  RolloutState state;
  state.previous = kOld;
  Rollout rollout = NewRollout(state);
  Start(rollout);
  rollout.On(Saw(Running(true)));
  auto actions = rollout.On(Saw(Running(true), 2s));
  REQUIRE(actions.size() == 3);
  CHECK(std::get<action::Record>(actions[0]).state.status == Status::kSwitching);
  CHECK(std::get<action::Record>(actions[1]).state.status == Status::kHealthy);
  CHECK(actions[2] == RolloutAction{action::Observe{kOld}});
  CHECK_FALSE(rollout.state().settled);

  CHECK(Effects(rollout.On(Saw(Running(true), 0s, kOld))) == RolloutActions{action::Stop{kOld}});
  CHECK(Effects(rollout.On(event::Done{})) == RolloutActions{action::Observe{kOld, 50ms}});
  CHECK(Effects(rollout.On(Saw(Exited(0), 1s, kOld))) == RolloutActions{action::Remove{kOld}});
  CHECK(Effects(rollout.On(event::Done{})).empty());
  CHECK(rollout.state().status == Status::kHealthy);
  CHECK(rollout.state().settled);
  CHECK(rollout.state().warnings.empty());
}

TEST_CASE("rollout kills what outlives its grace period and says when even that fails",
          "[controller][rollout]") {
  RolloutState state;
  state.status = Status::kHealthy;
  state.step = Step::kCommit;
  state.container = kNew;
  state.previous = kOld;
  Rollout rollout = NewRollout(state);
  rollout.On(event::Resumed{});
  rollout.On(Saw(Running(true), 0s, kOld));
  rollout.On(event::Done{});
  CHECK(Effects(rollout.On(Saw(Running(true), 14s, kOld))) ==
        RolloutActions{action::Observe{kOld, 250ms}});
  CHECK(Effects(rollout.On(Saw(Running(true), 1s, kOld))) == RolloutActions{action::Kill{kOld}});
  rollout.On(event::Done{});
  CHECK(Effects(rollout.On(Saw(Running(true), 5s, kOld))).empty());
  CHECK(rollout.state().settled);
  CHECK(rollout.state().warnings == std::vector<std::string>{"previous_not_stopped"});
}

TEST_CASE("rollout stops a version that was asked to stop and keeps it STOPPED",
          "[controller][rollout]") {
  RolloutState state;
  state.status = Status::kStopped;
  state.step = Step::kStop;
  state.container = kNew;
  state.previous = kNew;
  Rollout rollout = NewRollout(state);
  CHECK(Effects(rollout.On(event::Resumed{})) == RolloutActions{action::Observe{kNew}});
  CHECK(Effects(rollout.On(Saw(Running(true)))) == RolloutActions{action::Stop{kNew}});
  rollout.On(event::Done{});
  CHECK(Effects(rollout.On(Saw(Exited(0)))) == RolloutActions{action::Remove{kNew}});
  rollout.On(event::Done{});
  CHECK(rollout.state().status == Status::kStopped);
  CHECK(rollout.state().settled);
}

TEST_CASE("rollout does not ask twice for a stop that an earlier run began",
          "[controller][rollout]") {
  RolloutState state;
  state.status = Status::kHealthy;
  state.step = Step::kStop;
  state.container = kNew;
  state.previous = kOld;
  Rollout rollout = NewRollout(state);
  rollout.On(event::Resumed{});
  Observation stopping = Running(false);
  stopping.stopping = true;
  CHECK(Effects(rollout.On(Saw(stopping, 0s, kOld))) ==
        RolloutActions{action::Observe{kOld, 250ms}});
}

TEST_CASE("rollout fails at once when the process exits while it is verified",
          "[controller][rollout]") {
  RolloutState state;
  state.previous = kOld;
  Rollout rollout = NewRollout(state);
  Start(rollout);
  rollout.On(Saw(Running(true)));
  auto actions = rollout.On(Saw(Exited(3), 500ms));
  REQUIRE(actions.size() == 2);
  CHECK(std::get<action::Record>(actions[0]).state.status == Status::kRollingBack);
  CHECK(actions[1] == RolloutAction{action::Collect{kNew}});
  CHECK(Effects(rollout.On(event::Collected{{"last words"}})) ==
        RolloutActions{action::Observe{kNew}});
  CHECK(Effects(rollout.On(Saw(Exited(3)))) == RolloutActions{action::Remove{kNew}});
  CHECK(Effects(rollout.On(event::Done{})).empty());

  CHECK(rollout.state().status == Status::kFailed);
  CHECK(rollout.state().settled);
  REQUIRE(rollout.state().reason);
  CHECK(rollout.state().reason->code == ReasonCode::kContainerExited);
  REQUIRE(rollout.state().evidence);
  CHECK(rollout.state().evidence->exit_code == 3);
  CHECK(rollout.state().evidence->last_logs == std::vector<std::string>{"last words"});
}

TEST_CASE("rollout tells a command that cannot be executed from one that exits",
          "[controller][rollout]") {
  auto [code, want] = GENERATE(table<int, ReasonCode>({{126, ReasonCode::kExecFailed},
                                                       {127, ReasonCode::kExecFailed},
                                                       {1, ReasonCode::kContainerExited},
                                                       {0, ReasonCode::kContainerExited}}));
  CAPTURE(code);
  Rollout rollout = NewRollout();
  Start(rollout);
  rollout.On(Saw(Exited(code)));
  REQUIRE(rollout.state().reason);
  CHECK(rollout.state().reason->code == want);
}

TEST_CASE("rollout gives the agent ten seconds to answer", "[controller][rollout]") {
  Rollout rollout = NewRollout();
  Start(rollout);
  CHECK(Effects(rollout.On(Saw(Silent(), 9s))) == RolloutActions{action::Observe{kNew, 250ms}});
  CHECK(Effects(rollout.On(Saw(Silent(), 1s))) == RolloutActions{action::Collect{kNew}});
  CHECK(rollout.state().reason->code == ReasonCode::kAgentUnreachable);
}

TEST_CASE("rollout refuses another program on the container's address", "[controller][rollout]") {
  Rollout rollout = NewRollout();
  Start(rollout);
  Observation stranger = Silent();
  stranger.agent = Agent::kMismatch;
  rollout.On(Saw(stranger));
  CHECK(rollout.state().reason->code == ReasonCode::kAgentIdentityMismatch);
}

TEST_CASE("rollout fails with health_timeout when the version is not ready by the deadline",
          "[controller][rollout]") {
  Rollout rollout = NewRollout();
  Start(rollout);
  Observation unready = Running(false);
  unready.detail = "GET / answered 500";
  rollout.On(Saw(unready));
  CHECK(Effects(rollout.On(Saw(unready, 9s))) == RolloutActions{action::Observe{kNew, 250ms}});
  rollout.On(Saw(unready, 1s));
  CHECK(rollout.state().status == Status::kRollingBack);
  CHECK(rollout.state().reason->code == ReasonCode::kHealthTimeout);
  CHECK(rollout.state().evidence->probe == "GET / answered 500");
}

TEST_CASE("rollout probes the process as often as its spec says", "[controller][rollout]") {
  Readiness readiness = QuickReadiness();
  readiness.kind = Readiness::Kind::kHttp;
  readiness.interval = 700ms;
  Rollout rollout({}, readiness, StopPlan{}, StopPlan{});
  Start(rollout);
  CHECK(Effects(rollout.On(Saw(Running(false)))) == RolloutActions{action::Observe{kNew, 700ms}});
  CHECK(Effects(rollout.On(Saw(Running(true), 700ms))) ==
        RolloutActions{action::Observe{kNew, 700ms}});
  CHECK(Effects(rollout.On(Saw(Running(true), 1500ms))) ==
        RolloutActions{action::Observe{kNew, 500ms}});
}

TEST_CASE("rollout starts min_healthy again after a break or a restart of the process",
          "[controller][rollout]") {
  Rollout rollout = NewRollout();
  Start(rollout);
  rollout.On(Saw(Running(true)));
  rollout.On(Saw(Running(true), 1900ms));
  SECTION("a look that finds it not ready") {
    rollout.On(Saw(Running(false), 100ms));
    rollout.On(Saw(Running(true), 100ms));
  }
  SECTION("a restarted process") {
    Observation restarted = Running(true);
    restarted.restarts = 1;
    rollout.On(Saw(restarted, 200ms));
  }
  CHECK(rollout.state().status == Status::kVerifying);
}

TEST_CASE("rollout lets a version that is ready finish its min_healthy past the deadline",
          "[controller][rollout]") {
  Rollout rollout = NewRollout();
  Start(rollout);
  rollout.On(Saw(Running(false)));
  rollout.On(Saw(Running(true), 9500ms));
  rollout.On(Saw(Running(true), 1s));
  CHECK(rollout.state().status == Status::kVerifying);
  rollout.On(Saw(Running(true), 1s));
  CHECK(rollout.state().status == Status::kHealthy);
}

TEST_CASE("rollout fails without a container when none can be allocated", "[controller][rollout]") {
  Rollout rollout = NewRollout();
  rollout.On(event::Resumed{});
  CHECK(Effects(rollout.On(event::Refused{{ReasonCode::kDriverUnavailable, "no"}})).empty());
  CHECK(rollout.state().status == Status::kFailed);
  CHECK(rollout.state().settled);
}

TEST_CASE("rollout undoes what a refused start left behind", "[controller][rollout]") {
  Rollout rollout = NewRollout();
  rollout.On(event::Resumed{});
  rollout.On(event::Allocated{kNew});
  rollout.On(Saw(Absent()));
  CHECK(Effects(rollout.On(event::Refused{{ReasonCode::kCreateFailed, "no such folder"}})) ==
        RolloutActions{action::Collect{kNew}});
  rollout.On(event::Collected{});
  CHECK(Effects(rollout.On(Saw(Absent()))) == RolloutActions{action::Remove{kNew}});
  rollout.On(event::Done{});
  CHECK(rollout.state().status == Status::kFailed);
}

TEST_CASE("rollout stores how much time is spent even when nothing else happens",
          "[controller][rollout]") {
  Rollout rollout = NewRollout();
  Start(rollout);
  rollout.On(Saw(Running(false)));
  auto actions = rollout.On(Saw(Running(false), 6s));
  REQUIRE(actions.size() == 2);
  const auto& record = std::get<action::Record>(actions[0]);
  CHECK(record.state.step_spent == 6s);
  CHECK(record.note.empty());
}

TEST_CASE("rollout that is over answers no event", "[controller][rollout]") {
  RolloutState state;
  state.status = Status::kFailed;
  state.settled = true;
  Rollout rollout = NewRollout(state);
  CHECK(rollout.On(event::Resumed{}).empty());
  CHECK(rollout.On(Saw(Running(true))).empty());
}

}  // namespace dunlin::controller
