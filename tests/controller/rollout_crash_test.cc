#include <map>
#include <utility>

#include "controller/rollout/rollout.h"
#include "tests/support/catch.h"

namespace dunlin::controller {
namespace {

using Presence = Observation::Presence;

const ContainerId kNew("ctr_new");
const ContainerId kOld("ctr_old");

/// A machine and a database that outlive the controller: containers as they are, the state as last
/// recorded.
struct World {
  std::map<ContainerId, Presence> containers = {{kOld, Presence::kRunning}};
  RolloutState recorded;
  ContainerId allocated;
  bool new_version_fails = false;
  int starts = 0;
  int actions = 0;        // performed so far, over all runs
  int least_running = 1;  // fewest containers ever running at once

  World() { recorded.previous = kOld; }

  Observation Look(const ContainerId& id) {
    Observation seen;
    auto found = containers.find(id);
    if (found == containers.end()) return seen;
    seen.presence = found->second;
    if (seen.presence == Presence::kExited) seen.exit_code = 3;
    if (seen.presence == Presence::kRunning) {
      seen.agent = Observation::Agent::kAnswers;
      seen.ready = true;
    }
    return seen;
  }

  /// Performs one action; answers the event it leads to, if any.
  std::optional<RolloutEvent> Perform(const RolloutAction& action) {
    ++actions;
    std::optional<RolloutEvent> event;
    if (const auto* record = std::get_if<action::Record>(&action)) {
      recorded = record->state;
      recorded.container = allocated;  // as the store reads it back
    } else if (std::holds_alternative<action::Allocate>(action)) {
      allocated = kNew;
      event = event::Allocated{kNew};
    } else if (const auto* create = std::get_if<action::Create>(&action)) {
      containers.try_emplace(create->container, Presence::kCreated);
      event = event::Done{};
    } else if (const auto* start = std::get_if<action::Start>(&action)) {
      Presence& presence = containers.at(start->container);
      if (presence == Presence::kCreated) {
        ++starts;
        presence = new_version_fails ? Presence::kExited : Presence::kRunning;
      }
      event = event::Done{};
    } else if (const auto* observe = std::get_if<action::Observe>(&action)) {
      event = event::Observed{observe->container, Look(observe->container), observe->after};
    } else if (std::holds_alternative<action::Collect>(action)) {
      event = event::Collected{{"the last line"}};
    } else if (const auto* stop = std::get_if<action::Stop>(&action)) {
      containers.at(stop->container) = Presence::kExited;
      event = event::Done{};
    } else if (const auto* kill = std::get_if<action::Kill>(&action)) {
      containers.at(kill->container) = Presence::kExited;
      event = event::Done{};
    } else if (const auto* remove = std::get_if<action::Remove>(&action)) {
      containers.erase(remove->container);
      event = event::Done{};
    }
    int running = 0;
    for (const auto& [id, presence] : containers) running += presence == Presence::kRunning;
    least_running = std::min(least_running, running);
    return event;
  }

  /// One life of the controller: from the recorded state until there is nothing to do, or until
  /// `crash_after` actions have been performed in all.
  void Run(int crash_after) {
    Readiness readiness;
    readiness.min_healthy = 1s;
    Rollout rollout(recorded, readiness, StopPlan{}, StopPlan{});
    std::optional<RolloutEvent> event = event::Resumed{};
    while (event) {
      RolloutActions todo = rollout.On(*event);
      event.reset();
      for (const RolloutAction& action : todo) {
        if (actions == crash_after) return;
        event = Perform(action);
      }
    }
  }
};

constexpr int kNever = -1;

int ActionsWithoutCrash(bool fails) {
  World world;
  world.new_version_fails = fails;
  world.Run(kNever);
  return world.actions;
}

}  // namespace

TEST_CASE("rollout ends with exactly one active version wherever the controller is killed",
          "[controller][rollout]") {
  bool fails = GENERATE(false, true);
  int total = ActionsWithoutCrash(fails);
  REQUIRE(total > 10);
  // A crash after action n is a crash before action n + 1; each is tried, and each with a second
  // one at every distance.
  for (int first = 0; first <= total; ++first) {
    for (int second = first; second <= first + total; ++second) {
      CAPTURE(fails, first, second);
      World world;
      world.new_version_fails = fails;
      world.Run(first);
      world.Run(second);
      world.Run(kNever);
      if (fails) {
        REQUIRE(world.recorded.status == Status::kFailed);
        REQUIRE(world.recorded.reason);
        REQUIRE(world.recorded.reason->code == ReasonCode::kContainerExited);
        REQUIRE(world.recorded.evidence->last_logs.size() == 1);
        REQUIRE(world.containers == std::map<ContainerId, Presence>{{kOld, Presence::kRunning}});
      } else {
        REQUIRE(world.recorded.status == Status::kHealthy);
        REQUIRE(world.containers == std::map<ContainerId, Presence>{{kNew, Presence::kRunning}});
      }
      REQUIRE(world.recorded.settled);
      REQUIRE(world.starts == 1);
      REQUIRE(world.least_running == 1);
    }
  }
}

}  // namespace dunlin::controller
