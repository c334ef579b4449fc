#include "controller/rollout/rollout.h"

#include <algorithm>
#include <utility>

#include "protocol/base/text.h"
#include "protocol/base/units.h"

namespace dunlin::controller {
namespace {

using Presence = Observation::Presence;
using Agent = Observation::Agent;

template <typename... Fs>
struct Overloaded : Fs... {
  using Fs::operator()...;
};

/// Shells and the agent alike: 127 no such program, 126 not executable.
bool MeansNotStarted(const Observation& seen) {
  return seen.exit_code == 126 || seen.exit_code == 127;
}

std::string DescribeExit(const Observation& seen) {
  if (seen.signal) return Join("the process was ended by signal ", *seen.signal);
  if (seen.exit_code) return Join("the process exited with code ", *seen.exit_code);
  return "the process is gone and nobody saw how it ended";
}

}  // namespace

Rollout::Rollout(RolloutState state, Readiness readiness, StopPlan stop, StopPlan previous_stop,
                 RolloutLimits limits)
    : state_(std::move(state)),
      readiness_(std::move(readiness)),
      stop_(std::move(stop)),
      previous_stop_(std::move(previous_stop)),
      limits_(limits) {}

RolloutActions Rollout::On(const RolloutEvent& event) {
  if (state_.status != Status::kPending && !IsActive(state_)) return {};  // it is over
  return std::visit(
      Overloaded{
          [this](const event::Resumed&) { return Resume(); },
          [this](const event::Allocated& allocated) { return OnAllocated(allocated); },
          [this](const event::Done&) { return OnDone(); },
          [this](const event::Refused& refused) { return OnRefused(refused); },
          [this](const event::Observed& observed) { return OnObserved(observed); },
          [this](const event::Collected& collected) { return OnCollected(collected); },
      },
      event);
}

RolloutActions Rollout::Resume() {
  switch (state_.status) {
    case Status::kPending:
    case Status::kPreparing:
      if (!state_.container.empty()) return {action::Observe{state_.container}};
      Enter(Status::kPreparing, Step::kAllocate);
      return {Record("allocating a container"), action::Allocate{}};
    case Status::kStarting:
    case Status::kVerifying:
      return {action::Observe{state_.container}};
    case Status::kSwitching:
      return Switch();
    case Status::kHealthy:
    case Status::kUnhealthy:
    case Status::kStopped:
      if (state_.previous.empty()) return Settle();
      return {action::Observe{state_.previous}};
    case Status::kRollingBack:
    case Status::kCancelling:
      if (state_.container.empty()) return FinishUndo();
      if (!state_.evidence || state_.evidence->last_logs.empty()) {
        return {action::Collect{state_.container}};
      }
      return {action::Observe{state_.container}};
    case Status::kRetired:
    case Status::kFailed:
    case Status::kCancelled:
    case Status::kSuperseded:
      return {};
  }
  return {};
}

RolloutActions Rollout::OnAllocated(const event::Allocated& allocated) {
  state_.container = allocated.container;
  Enter(Status::kPreparing, Step::kCreate);
  return {Record(Join("allocated ", state_.container.text())), action::Observe{state_.container}};
}

RolloutActions Rollout::OnDone() {
  bool ending_previous = state_.status == Status::kHealthy || state_.status == Status::kUnhealthy ||
                         state_.status == Status::kStopped;
  if (removing_) {
    removing_ = false;
    return ending_previous ? Settle() : FinishUndo();
  }
  const ContainerId& container = ending_previous ? state_.previous : state_.container;
  // What the action did is seen, not believed; a stop needs a moment to show.
  if (stop_asked_) return {action::Observe{container, std::min(limits_.poll, 50ms + 0ns)}};
  return {action::Observe{container}};
}

RolloutActions Rollout::OnRefused(const event::Refused& refused) {
  return Fail(refused.reason.code, refused.reason.detail);
}

RolloutActions Rollout::OnObserved(const event::Observed& observed) {
  state_.step_spent += observed.elapsed;
  state_.total_spent += observed.elapsed;
  unsaved_ += observed.elapsed;
  const Observation& seen = observed.observation;
  RolloutActions actions;
  switch (state_.status) {
    case Status::kPending:
    case Status::kPreparing:
      actions = Prepare(seen);
      break;
    case Status::kStarting:
      actions = AwaitHello(seen);
      break;
    case Status::kVerifying:
      actions = Verify(seen, observed.elapsed);
      break;
    case Status::kHealthy:
    case Status::kUnhealthy:
    case Status::kStopped:
      actions = StopPrevious(seen);
      break;
    case Status::kRollingBack:
    case Status::kCancelling:
      actions = Undo(seen);
      break;
    case Status::kSwitching:  // awaits nothing
    case Status::kRetired:
    case Status::kFailed:
    case Status::kCancelled:
    case Status::kSuperseded:
      return {};
  }
  bool records = std::any_of(actions.begin(), actions.end(), [](const RolloutAction& action) {
    return std::holds_alternative<action::Record>(action);
  });
  if (records) {
    unsaved_ = {};
  } else if (unsaved_ >= limits_.save_interval) {
    unsaved_ = {};
    actions.insert(actions.begin(), Record(""));
  }
  return actions;
}

RolloutActions Rollout::Prepare(const Observation& seen) {
  if (seen.presence == Presence::kAbsent) {
    Enter(Status::kPreparing, Step::kCreate);
    return {Record("creating the container"), action::Create{state_.container}};
  }
  // Created now, or by a run that ended before it could say so.
  Enter(Status::kStarting, Step::kStart);
  RolloutActions actions = {Record("starting the container")};
  for (auto& action : AwaitHello(seen)) actions.push_back(std::move(action));
  return actions;
}

RolloutActions Rollout::AwaitHello(const Observation& seen) {
  switch (seen.presence) {
    case Presence::kAbsent:
      return Fail(ReasonCode::kInternal, "the container was removed by somebody else");
    case Presence::kExited:
      return Exited(seen);
    case Presence::kCreated:
      if (state_.step_spent >= limits_.hello) {
        return Fail(ReasonCode::kDriverUnavailable,
                    Join("the container did not start within ", FormatDuration(limits_.hello)));
      }
      return {action::Start{state_.container}};
    case Presence::kRunning:
      break;
  }
  switch (seen.agent) {
    case Agent::kMismatch:
      return Fail(ReasonCode::kAgentIdentityMismatch, seen.detail);
    case Agent::kSilent:
      if (state_.step_spent >= limits_.hello) {
        return Fail(ReasonCode::kAgentUnreachable,
                    Join("the agent did not answer within ", FormatDuration(limits_.hello), ": ",
                         seen.detail));
      }
      return {ObserveLater(state_.container)};
    case Agent::kAnswers:
      break;
  }
  Enter(Status::kVerifying, Step::kVerify);
  restarts_ = seen.restarts;
  RolloutActions actions = {Record("the agent answers; verifying")};
  for (auto& action : Verify(seen, {})) actions.push_back(std::move(action));
  return actions;
}

RolloutActions Rollout::Verify(const Observation& seen, std::chrono::nanoseconds elapsed) {
  if (seen.presence == Presence::kExited) return Exited(seen);
  if (seen.presence != Presence::kRunning) {
    return Fail(ReasonCode::kInternal, "the container was removed by somebody else");
  }
  if (seen.agent == Agent::kMismatch) {
    return Fail(ReasonCode::kAgentIdentityMismatch, seen.detail);
  }
  if (!seen.detail.empty()) last_probe_ = seen.detail;

  if (seen.agent == Agent::kAnswers && seen.ready) {
    bool same_process = ready_for_ && restarts_ == seen.restarts;
    ready_for_ = same_process ? *ready_for_ + elapsed : 0ns;
    restarts_ = seen.restarts;
    if (*ready_for_ >= readiness_.min_healthy) return Switch();
    // A version that is ready may use up its min_healthy even past the deadline: only a look that
    // finds it not ready fails it.
    auto remaining = readiness_.min_healthy - *ready_for_;
    return {action::Observe{state_.container, std::min(ProbeInterval(), remaining)}};
  }
  ready_for_.reset();
  if (state_.total_spent >= limits_.whole) {
    return Fail(ReasonCode::kDeadlineExceeded,
                Join("the deployment was not done within ", FormatDuration(limits_.whole)));
  }
  if (state_.step_spent >= readiness_.deadline) {
    bool silent = seen.agent == Agent::kSilent;
    return Fail(silent ? ReasonCode::kAgentUnreachable : ReasonCode::kHealthTimeout,
                Join("not ready for ", FormatDuration(readiness_.min_healthy), " within ",
                     FormatDuration(readiness_.deadline),
                     last_probe_.empty() ? "" : Join("; last: ", last_probe_)));
  }
  return {action::Observe{state_.container, ProbeInterval()}};
}

std::chrono::nanoseconds Rollout::ProbeInterval() const {
  // Without a probe a look costs the process nothing.
  return readiness_.kind == Readiness::Kind::kUptime ? limits_.poll : readiness_.interval;
}

RolloutActions Rollout::Switch() {
  RolloutActions actions;
  if (state_.status != Status::kSwitching) {
    Enter(Status::kSwitching, Step::kSwitch);
    actions.push_back(Record("verified; switching"));
  }
  // Storing HEALTHY is the commit: it makes this the service's current version and retires the one
  // before, in one transaction.
  Enter(Status::kHealthy, Step::kCommit);
  actions.push_back(Record("current version"));
  if (state_.previous.empty()) {
    for (auto& action : Settle()) actions.push_back(std::move(action));
  } else {
    actions.push_back(action::Observe{state_.previous});
  }
  return actions;
}

RolloutActions Rollout::StopPrevious(const Observation& seen) {
  if (state_.step != Step::kStop) Enter(state_.status, Step::kStop);
  auto actions = BringToEnd(state_.previous, seen, previous_stop_);
  if (!actions) return Settle();
  return std::move(*actions);
}

RolloutActions Rollout::Undo(const Observation& seen) {
  auto actions = BringToEnd(state_.container, seen, stop_);
  if (!actions) return FinishUndo();
  return std::move(*actions);
}

std::optional<RolloutActions> Rollout::BringToEnd(const ContainerId& container,
                                                  const Observation& seen, const StopPlan& plan) {
  if (seen.presence != Presence::kRunning) {
    // Also when the driver knows nothing of it: its address is still taken.
    removing_ = true;
    return RolloutActions{action::Remove{container}};
  }
  if (!stop_asked_) {
    stop_asked_ = true;
    state_.step_spent = {};
    RolloutActions actions = {Record(Join("stopping ", container.text()))};
    // Asking again would cut short a stop plan that a run before this one began.
    if (seen.stopping) {
      actions.push_back(ObserveLater(container));
    } else {
      actions.push_back(action::Stop{container});
    }
    return actions;
  }
  auto patience = plan.grace + limits_.stop_margin;
  if (state_.step_spent < patience) return RolloutActions{ObserveLater(container)};
  if (!kill_asked_) {
    kill_asked_ = true;
    return RolloutActions{
        Record(Join("killing ", container.text(), ", which outlived its grace period")),
        action::Kill{container}};
  }
  if (state_.step_spent < patience + limits_.kill_margin) {
    return RolloutActions{ObserveLater(container)};
  }
  gave_up_ = true;
  return std::nullopt;
}

RolloutActions Rollout::Settle() {
  if (gave_up_) state_.warnings.push_back("previous_not_stopped");
  Enter(state_.status, Step::kSettle);
  state_.settled = true;
  return {Record(gave_up_ ? "settled; the previous container could not be ended" : "settled")};
}

RolloutActions Rollout::FinishUndo() {
  if (gave_up_) state_.warnings.push_back("container_not_stopped");
  Enter(Status::kFailed, Step::kUndo);
  state_.settled = true;
  return {Record("failed")};
}

RolloutActions Rollout::Exited(const Observation& seen) {
  state_.evidence = Evidence{seen.exit_code, seen.signal, last_probe_, {}};
  if (MeansNotStarted(seen)) {
    return Fail(ReasonCode::kExecFailed,
                Join("the command could not be executed (exit code ", *seen.exit_code, ")"));
  }
  return Fail(ReasonCode::kContainerExited, DescribeExit(seen));
}

RolloutActions Rollout::Fail(ReasonCode code, std::string detail) {
  state_.reason = Reason{code, std::move(detail)};
  if (!state_.evidence && !last_probe_.empty()) {
    state_.evidence = Evidence{std::nullopt, std::nullopt, last_probe_, {}};
  }
  Enter(Status::kRollingBack, Step::kUndo);
  RolloutActions actions = {Record(state_.reason->detail)};
  if (state_.container.empty()) {
    for (auto& action : FinishUndo()) actions.push_back(std::move(action));
  } else {
    actions.push_back(action::Collect{state_.container});
  }
  return actions;
}

RolloutActions Rollout::OnCollected(const event::Collected& collected) {
  if (!state_.evidence) state_.evidence.emplace();
  state_.evidence->last_logs = collected.last_logs;
  return {Record("collected the last lines of output"), action::Observe{state_.container}};
}

void Rollout::Enter(Status status, Step step) {
  if (state_.step != step) state_.step_spent = {};
  state_.status = status;
  state_.step = step;
}

}  // namespace dunlin::controller
