#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "controller/model/deployment.h"
#include "controller/model/spec.h"

namespace dunlin::controller {

/// How a container looks from outside at one moment: the driver's word and the agent's.
struct Observation {
  enum class Presence {
    kAbsent,   // the driver knows nothing of it
    kCreated,  // prepared, never started
    kRunning,
    kExited,
  };
  enum class Agent {
    kSilent,    // no answer, or not a sensible one
    kMismatch,  // somebody else answers on its address
    kAnswers,
  };

  Presence presence = Presence::kAbsent;
  // When it has exited; both empty when nobody saw how.
  std::optional<int> exit_code;
  std::optional<int> signal;
  // While it runs:
  Agent agent = Agent::kSilent;
  bool ready = false;     // the agent's word and the probe's
  bool stopping = false;  // its stop plan is under way
  unsigned restarts = 0;  // of its process by the agent
  std::string detail;     // what the last probe or the agent met, for people

  friend bool operator==(const Observation&, const Observation&) = default;
};

/// What happened, reported to a Rollout.
namespace event {
/// First event of a run: begin, or go on after a crash.
struct Resumed {
  friend bool operator==(const Resumed&, const Resumed&) = default;
};
struct Allocated {
  ContainerId container;
  friend bool operator==(const Allocated&, const Allocated&) = default;
};
/// Create, Start, Stop, Kill or Remove took effect.
struct Done {
  friend bool operator==(const Done&, const Done&) = default;
};
/// Allocate, Create or Start cannot take effect, however often it is tried.
struct Refused {
  Reason reason;
  friend bool operator==(const Refused&, const Refused&) = default;
};
struct Observed {
  ContainerId container;
  Observation observation;
  std::chrono::nanoseconds elapsed{0};  // since the last event of this run
  friend bool operator==(const Observed&, const Observed&) = default;
};
struct Collected {
  std::vector<std::string> last_logs;
  friend bool operator==(const Collected&, const Collected&) = default;
};
}  // namespace event
using RolloutEvent = std::variant<event::Resumed, event::Allocated, event::Done, event::Refused,
                                  event::Observed, event::Collected>;

/// What to do, in order. Every action may be repeated after a crash and then changes nothing more.
namespace action {
/// Store the state and a line of the step log, durably, before any later action.
struct Record {
  RolloutState state;
  std::string note;
  friend bool operator==(const Record&, const Record&) = default;
};
/// Fix the container's id and address in the database. Answer: Allocated or Refused.
struct Allocate {
  friend bool operator==(const Allocate&, const Allocate&) = default;
};
/// Answer: Done or Refused.
struct Create {
  ContainerId container;
  friend bool operator==(const Create&, const Create&) = default;
};
/// Answer: Done or Refused.
struct Start {
  ContainerId container;
  friend bool operator==(const Start&, const Start&) = default;
};
/// Look at the container after a while. Answer: Observed.
struct Observe {
  ContainerId container;
  std::chrono::nanoseconds after{0};
  friend bool operator==(const Observe&, const Observe&) = default;
};
/// Fetch the last lines of its output. Answer: Collected.
struct Collect {
  ContainerId container;
  friend bool operator==(const Collect&, const Collect&) = default;
};
/// Ask it to stop by its stop plan, without waiting. Answer: Done.
struct Stop {
  ContainerId container;
  friend bool operator==(const Stop&, const Stop&) = default;
};
/// End it and everything it started at once. Answer: Done.
struct Kill {
  ContainerId container;
  friend bool operator==(const Kill&, const Kill&) = default;
};
/// Forget it: folder, address. Answer: Done.
struct Remove {
  ContainerId container;
  friend bool operator==(const Remove&, const Remove&) = default;
};
}  // namespace action
using RolloutAction =
    std::variant<action::Record, action::Allocate, action::Create, action::Start, action::Observe,
                 action::Collect, action::Stop, action::Kill, action::Remove>;
using RolloutActions = std::vector<RolloutAction>;

/// Every wait of a rollout that the spec does not set.
struct RolloutLimits {
  std::chrono::nanoseconds hello = 10s;         // for the agent to answer
  std::chrono::nanoseconds whole = 30min;       // up to the switch
  std::chrono::nanoseconds stop_margin = 5s;    // beyond the grace period, before killing
  std::chrono::nanoseconds kill_margin = 5s;    // for a kill to show
  std::chrono::nanoseconds poll = 250ms;        // between looks at a container
  std::chrono::nanoseconds save_interval = 5s;  // how much spent time a crash may forget
};

/// Decides the steps of one deployment: start the new version beside the old one, verify it, make
/// it the current one, stop the old one; on failure remove the new one and leave the old one
/// untouched. A STOPPED version is brought to an end the same way. Does nothing itself and reads no
/// clock: the conductor reports events and performs the returned actions in order. At most one
/// action of a list awaits an answer, and it is the last.
///
/// Effects are observed, then acted upon, then recorded, so a run may end anywhere and a new
/// Rollout made from the last recorded state goes on from there. One thread.
class Rollout {
 public:
  /// `state` as last recorded; `readiness` and `stop` of the new version, `previous_stop` of the
  /// old one.
  Rollout(RolloutState state, Readiness readiness, StopPlan stop, StopPlan previous_stop,
          RolloutLimits limits = {});

  /// Nothing when there is nothing to do or the event comes too late to matter.
  RolloutActions On(const RolloutEvent& event);

  const RolloutState& state() const { return state_; }

 private:
  RolloutActions Resume();
  RolloutActions OnAllocated(const event::Allocated& allocated);
  RolloutActions OnDone();
  RolloutActions OnRefused(const event::Refused& refused);
  RolloutActions OnObserved(const event::Observed& observed);
  RolloutActions OnCollected(const event::Collected& collected);

  RolloutActions Prepare(const Observation& seen);
  RolloutActions AwaitHello(const Observation& seen);
  RolloutActions Verify(const Observation& seen, std::chrono::nanoseconds elapsed);
  RolloutActions Switch();
  RolloutActions StopPrevious(const Observation& seen);
  RolloutActions Undo(const Observation& seen);
  /// The common part of the last two: brings `container` to an end. Nothing: it cannot be.
  std::optional<RolloutActions> BringToEnd(const ContainerId& container, const Observation& seen,
                                           const StopPlan& plan);
  RolloutActions Settle();
  RolloutActions FinishUndo();
  RolloutActions Exited(const Observation& seen);
  RolloutActions Fail(ReasonCode code, std::string detail);

  /// Between looks while verifying; each makes the spec's probe.
  std::chrono::nanoseconds ProbeInterval() const;
  void Enter(Status status, Step step);
  action::Record Record(std::string note) const { return {state_, std::move(note)}; }
  action::Observe ObserveLater(const ContainerId& container) const {
    return {container, limits_.poll};
  }

  RolloutState state_;
  Readiness readiness_;
  StopPlan stop_;
  StopPlan previous_stop_;
  RolloutLimits limits_;

  // Of this run only; a new run finds them out by observing.
  std::optional<std::chrono::nanoseconds> ready_for_;  // without a break
  unsigned restarts_ = 0;
  std::string last_probe_;
  std::chrono::nanoseconds unsaved_{0};
  bool stop_asked_ = false;
  bool kill_asked_ = false;
  bool removing_ = false;
  bool gave_up_ = false;  // a container did not end even by force
};

}  // namespace dunlin::controller
