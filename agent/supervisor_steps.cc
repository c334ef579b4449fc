// What the supervisor goes through from one state to the next; its events are in supervisor.cc.
#include <algorithm>
#include <csignal>
#include <utility>

#include "agent/supervisor.h"

namespace dunlin::agent {

Supervisor::Actions Supervisor::Then(Actions first, const Actions& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

bool Supervisor::IsStopSignal(int signal) const {
  return signal == SIGTERM || signal == SIGINT || signal == options_.stop_signal;
}

Supervisor::Target Supervisor::own_target() const {
  return options_.stop_mode == StopMode::kLeader ? Target::kLeader : Target::kGroup;
}

Supervisor::Actions Supervisor::BeginStart(SteadyTime now) {
  if (restart_) ++restarts_[static_cast<std::size_t>(restart_->cause)];
  restart_.reset();
  requested_.reset();
  plan_.reset();
  outsiders_until_.reset();
  if (options_.pre_start) {
    state_ = State::kPreparing;
    deadline_ = now + options_.hook_timeout;
    return {RunHook{Hook::kPreStart}};
  }
  state_ = State::kStarting;
  deadline_.reset();
  return {StartProcess{}};
}

Supervisor::Actions Supervisor::BeginStop(int signal, std::chrono::nanoseconds grace,
                                          SteadyTime now) {
  const bool again = std::exchange(stopping_for_good_, true);
  if (!again) {
    auto plan = StopPlan::For(grace, now);
    if (plan_) {
      // After a stop for a restart only its end has changed; after the process's own end, no part
      // may become later.
      const bool for_restart = requested_ || restart_;
      plan = for_restart ? StopPlan{.kill_at = std::min(plan.kill_at, plan_->kill_at),
                                    .sweep_at = plan.sweep_at,
                                    .hook_at = plan.hook_at,
                                    .flush_at = plan.flush_at}
                         : StopPlan::Earlier(plan, *plan_);
    }
    plan_ = plan;
    requested_.reset();
    restart_.reset();
  }
  switch (state_) {
    case State::kPreparing:
      if (!exit_status_) {
        exit_status_ = net::ExitStatus{.signal = signal};
        exit_code_ = CodeOf(*exit_status_);
      }
      return Then({EndHook{}}, EndForGood(now));
    case State::kRunning:
      return TellToStop(signal);
    case State::kStopping:
      if (again) return Kill(now);
      deadline_ = plan_->kill_at;  // it was told already
      return {};
    case State::kLeaving:
      if (again) return Sweep(now);
      deadline_ = std::min(*deadline_, plan_->kill_at);
      return {};
    case State::kBackingOff:
      return Then({SendSignal{SIGTERM, Target::kAll, Reach::kNamespace}}, EndForGood(now));
    case State::kCleaning:
      if (again) return Then({EndHook{}}, BeginFlush());
      deadline_ = std::min(*deadline_, plan_->hook_at);
      return {};
    case State::kFlushing:
      // The first one bounds the sending by its own grace, another ends it.
      if (again) return End();
      deadline_ = std::min(*deadline_, plan_->flush_at);
      return {};
    case State::kStarting:  // lasts no turn of the loop
    case State::kKilling:   // bounded already
    case State::kSweeping:
    case State::kDraining:
    case State::kExited:
      return {};
  }
  return {};
}

Supervisor::Actions Supervisor::TellToStop(int signal) {
  state_ = State::kStopping;
  deadline_ = plan_->kill_at;
  // A stopped process acts on a signal only once it is continued.
  return {SendSignal{signal, own_target()}, SendSignal{SIGCONT, own_target()}};
}

Supervisor::Actions Supervisor::Kill(SteadyTime now) {
  state_ = State::kKilling;
  deadline_ = KillDeadline(now);
  return {SendSignal{SIGKILL, own_target()}};
}

/// Whether the process that has just ended will be started again.
void Supervisor::Decide(RestartCause cause, SteadyTime now) {
  restart_.reset();
  if (stopping_for_good_) return;
  cause = std::exchange(requested_, std::nullopt).value_or(cause);
  const auto decision = policy_.OnEnded(cause, exit_code_, now);
  switch (decision.verdict) {
    case RestartPolicy::Verdict::kRestart:
      restart_ = PlannedRestart{cause, decision.pause};
      break;
    case RestartPolicy::Verdict::kEnd:
      break;
    case RestartPolicy::Verdict::kExhausted:
      exhausted_ = true;
      break;
  }
}

Supervisor::Actions Supervisor::NotStarted(int exit_code, SteadyTime now) {
  exit_status_ = net::ExitStatus{.code = exit_code};
  exit_code_ = exit_code;
  out_of_memory_ = false;
  plan_ = StopPlan::For(options_.stop_grace, now);
  Decide(RestartCause::kExit, now);
  return AfterDrain(now);
}

/// The process itself has ended. `told`: it was told to stop, and with it its group.
Supervisor::Actions Supervisor::BeginLeaving(bool told, SteadyTime now) {
  const bool killed = state_ == State::kKilling;
  Actions actions;
  // A second signal may mean something else to the group than the first.
  if (!told) actions = TellToEnd(Target::kGroup);
  strays_untold_ = !told || options_.stop_mode == StopMode::kGroup;
  // Before a restart they are waited for in any case: they may hold what the next one needs.
  if (!options_.wait_for_all && !restart_) {
    if (strays_untold_) actions = Then(std::move(actions), TellToEnd(Target::kStrays));
    return Then(std::move(actions), BeginDrain(now));
  }
  // The strays hear of it once it is known that there are any: most processes leave nobody, and
  // looking for them takes longer than all else at the end.
  state_ = State::kLeaving;
  deadline_ = killed ? now + (plan_->sweep_at - plan_->kill_at) : std::max(now, plan_->kill_at);
  return actions;
}

Supervisor::Actions Supervisor::TellToEnd(Target target) const {
  return {SendSignal{SIGTERM, target, reach()}, SendSignal{SIGCONT, target, reach()}};
}

Supervisor::Actions Supervisor::Sweep(SteadyTime now) {
  state_ = State::kSweeping;
  deadline_ = KillDeadline(now);
  return {SendSignal{SIGKILL, Target::kAll, reach()}};
}

Supervisor::Actions Supervisor::BeginDrain(SteadyTime now) {
  if (outputs_ended_) return AfterDrain(now);
  state_ = State::kDraining;
  drain_until_ = std::max(now, std::min(now + kDrainLimit, plan_->flush_at));
  deadline_ = std::min(drain_until_, now + kDrainIdle);
  return {Drain{}};
}

Supervisor::Actions Supervisor::AfterDrain(SteadyTime now) {
  if (!restart_) return EndForGood(now);
  if (restart_->pause.count() == 0) return Then({CloseOutputs{}}, BeginStart(now));
  state_ = State::kBackingOff;
  deadline_ = now + restart_->pause;
  return {CloseOutputs{}};
}

Supervisor::Actions Supervisor::EndForGood(SteadyTime now) {
  if (!options_.post_stop || !ever_started_) return BeginFlush();
  state_ = State::kCleaning;
  deadline_ = std::min(now + options_.hook_timeout, plan_->hook_at);
  return {CloseOutputs{}, RunHook{Hook::kPostStop}};
}

Supervisor::Actions Supervisor::BeginFlush() {
  state_ = State::kFlushing;
  deadline_ = plan_->flush_at;
  return {CloseOutputs{}, Flush{}};
}

Supervisor::Actions Supervisor::End() {
  state_ = State::kExited;
  deadline_.reset();
  return {SendSignal{SIGKILL, Target::kAll, Reach::kNamespace}, Exit{exit_code_}};
}

SteadyTime Supervisor::KillDeadline(SteadyTime now) const {
  const auto left = std::max<std::chrono::nanoseconds>(plan_->flush_at - now, {});
  return now + std::min<std::chrono::nanoseconds>(kKillLimit, left / 2);
}

int Supervisor::CodeOf(const net::ExitStatus& status) const {
  const int code = status.ShellCode();
  for (const ExitRemap& remap : options_.exit_remaps) {
    if (remap.from == code) return remap.to;
  }
  return code;
}

}  // namespace dunlin::agent
