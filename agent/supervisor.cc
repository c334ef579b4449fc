#include "agent/supervisor.h"

#include <algorithm>
#include <csignal>
#include <utility>

#include "protocol/base/check.h"

namespace dunlin::agent {
namespace {

Supervisor::Actions operator+(Supervisor::Actions first, Supervisor::Actions second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

}  // namespace

Supervisor::Supervisor(SupervisorOptions options)
    : options_(std::move(options)), policy_(options_.restart) {}

Supervisor::Actions Supervisor::Begin(SteadyTime now) { return BeginStart(now); }

void Supervisor::OnStarted(SteadyTime now) {
  Check(state_ == State::kStarting, "started without being asked to");
  state_ = State::kRunning;
  ever_started_ = true;
  outputs_ended_ = false;
  policy_.OnStarted(now);
}

Supervisor::Actions Supervisor::OnStartFailed(int exit_code, SteadyTime now) {
  Check(state_ == State::kStarting, "failed to start without being asked to");
  return NotStarted(exit_code, now);
}

Supervisor::Actions Supervisor::OnHookEnded(std::optional<net::ExitStatus> status, SteadyTime now) {
  if (state_ == State::kCleaning) return BeginFlush();  // its failure is the driver's to report
  if (state_ != State::kPreparing) return {};           // it was ended
  if (!status || status->ShellCode() != 0) return NotStarted(kNotStarted, now);
  state_ = State::kStarting;
  deadline_.reset();
  return {CloseOutputs{}, StartProcess{}};
}

Supervisor::Actions Supervisor::OnSignal(int signal, SteadyTime now) {
  std::optional<int> sent = signal == SIGTERM ? options_.stop_signal : signal;
  for (const SignalRewrite& rewrite : options_.signal_rewrites) {
    if (rewrite.from == signal) sent = rewrite.to;
  }
  if (!sent) return {};
  // Ctrl-C stays Ctrl-C; a runtime's SIGTERM becomes what the process understands.
  if (IsStopSignal(signal) || IsStopSignal(*sent)) {
    return BeginStop(*sent, options_.stop_grace, now);
  }
  switch (state_) {
    case State::kRunning:
    case State::kStopping:
      return {SendSignal{*sent, own_target()}};
    case State::kPreparing:
    case State::kStarting:
    case State::kBackingOff:
      break;  // nobody is there yet
    case State::kKilling:
    case State::kLeaving:
    case State::kSweeping:
    case State::kDraining:
    case State::kCleaning:
    case State::kFlushing:
    case State::kExited:
      break;  // nobody is there any more that it was meant for
  }
  return {};
}

Supervisor::Actions Supervisor::OnParentDied(int signal, SteadyTime now) {
  if (stopping_for_good_) return {};
  return BeginStop(signal, options_.stop_grace, now);
}

Supervisor::Actions Supervisor::OnStopRequested(std::optional<std::chrono::nanoseconds> grace,
                                                SteadyTime now) {
  // Asking twice is not a second signal: a client repeats a request whose answer it did not get.
  if (stopping_for_good_) return {};
  return BeginStop(options_.stop_signal, grace.value_or(options_.stop_grace), now);
}

Supervisor::Actions Supervisor::OnRestartRequested(RestartCause cause, SteadyTime now) {
  if (!can_restart()) return {};
  const bool at_once = cause == RestartCause::kCommand;
  switch (state_) {
    case State::kRunning:
      requested_ = cause;
      plan_ = StopPlan::For(options_.stop_grace, now);
      return TellToStop(options_.stop_signal);
    case State::kBackingOff:
      return at_once ? BeginStart(now) : Actions{};
    case State::kLeaving:
    case State::kSweeping:
    case State::kDraining:
      if (at_once) restart_->pause = {};
      break;
    case State::kPreparing:
    case State::kStarting:
    case State::kStopping:
    case State::kKilling:
      break;  // on its way
    case State::kCleaning:
    case State::kFlushing:
    case State::kExited:
      break;
  }
  return {};
}

Supervisor::Actions Supervisor::OnStartRequested(SteadyTime now) {
  if (state_ != State::kBackingOff) return {};
  return BeginStart(now);
}

Supervisor::Actions Supervisor::OnChildExited(net::ExitStatus status, bool out_of_memory,
                                              SteadyTime now) {
  switch (state_) {
    case State::kRunning:
    case State::kStopping:
    case State::kKilling:
      break;
    case State::kPreparing:
    case State::kStarting:
    case State::kLeaving:
    case State::kSweeping:
    case State::kDraining:  // given up before it went; its code is settled
    case State::kBackingOff:
    case State::kCleaning:
    case State::kFlushing:
    case State::kExited:
      return {};
  }
  exit_status_ = status;
  exit_code_ = CodeOf(status);
  out_of_memory_ = out_of_memory;
  if (!plan_) plan_ = StopPlan::For(options_.stop_grace, now);
  Decide(out_of_memory        ? RestartCause::kOom
         : status.signal != 0 ? RestartCause::kSignal
                              : RestartCause::kExit,
         now);
  return BeginLeaving(/*told=*/state_ != State::kRunning, now);
}

Supervisor::Actions Supervisor::OnRemaining(Remaining who, SteadyTime now) {
  if (!waits_for_others()) return {};
  if (who == Remaining::kNobody) return BeginDrain(now);
  if (who == Remaining::kOutsiders) {
    // They are nothing to a restart.
    if (restart_) return BeginDrain(now);
    if (!outsiders_until_) outsiders_until_ = now + kOutsiderLimit;
    deadline_ = std::min(*deadline_, *outsiders_until_);
  }
  if (state_ == State::kLeaving) {
    return std::exchange(strays_untold_, false) ? TellToEnd(Target::kStrays) : Actions{};
  }
  // Those whose parent has just been killed have become strays.
  return {SendSignal{SIGKILL, Target::kAll, reach()}};
}

void Supervisor::OnOutput(SteadyTime now) {
  if (state_ == State::kDraining) deadline_ = std::min(drain_until_, now + kDrainIdle);
}

Supervisor::Actions Supervisor::OnOutputsEnded(SteadyTime now) {
  switch (state_) {
    case State::kRunning:  // a process may close its outputs and go on running
    case State::kStopping:
    case State::kKilling:
    case State::kLeaving:
    case State::kSweeping:
      outputs_ended_ = true;
      return {};
    case State::kDraining:
      return AfterDrain(now);
    case State::kPreparing:  // a hook's
    case State::kStarting:
    case State::kBackingOff:
    case State::kCleaning:
    case State::kFlushing:
    case State::kExited:
      return {};
  }
  return {};
}

Supervisor::Actions Supervisor::OnFlushed() {
  if (state_ != State::kFlushing) return {};
  return End();
}

Supervisor::Actions Supervisor::OnTimer(SteadyTime now) {
  if (!deadline_ || now < *deadline_) return {};
  switch (state_) {
    case State::kPreparing:
      return Actions{EndHook{}} + NotStarted(kNotStarted, now);
    case State::kStopping:
      return Kill(now);
    case State::kKilling:
      // It cannot be killed, so there must not be a second one of it.
      exit_status_ = net::ExitStatus{.signal = SIGKILL};
      exit_code_ = CodeOf(*exit_status_);
      requested_.reset();
      return BeginDrain(now);
    case State::kLeaving:
      return Sweep(now);
    case State::kSweeping:
      return BeginDrain(now);
    case State::kDraining:
      return AfterDrain(now);
    case State::kBackingOff:
      return BeginStart(now);
    case State::kCleaning:
      return Actions{EndHook{}} + BeginFlush();
    case State::kFlushing:
      return End();
    case State::kStarting:
    case State::kRunning:
    case State::kExited:
      break;
  }
  return {};
}

bool Supervisor::can_restart() const {
  if (stopping_for_good_) return false;
  switch (state_) {
    case State::kPreparing:
    case State::kStarting:
    case State::kRunning:
    case State::kStopping:
    case State::kKilling:
    case State::kBackingOff:
      return true;
    case State::kLeaving:
    case State::kSweeping:
    case State::kDraining:
      return restart_.has_value();
    case State::kCleaning:
    case State::kFlushing:
    case State::kExited:
      return false;
  }
  return false;
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
      return Actions{EndHook{}} + EndForGood(now);
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
      return Actions{SendSignal{SIGTERM, Target::kAll, Reach::kNamespace}} + EndForGood(now);
    case State::kCleaning:
      if (again) return Actions{EndHook{}} + BeginFlush();
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
    if (strays_untold_) actions = actions + TellToEnd(Target::kStrays);
    return actions + BeginDrain(now);
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
  if (restart_->pause.count() == 0) return Actions{CloseOutputs{}} + BeginStart(now);
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

std::string_view StateName(Supervisor::State state) {
  switch (state) {
    case Supervisor::State::kPreparing:
    case Supervisor::State::kStarting:
      return "starting";
    case Supervisor::State::kRunning:
      return "running";
    case Supervisor::State::kStopping:
    case Supervisor::State::kKilling:
      return "stopping";
    case Supervisor::State::kBackingOff:
      return "backing-off";
    case Supervisor::State::kLeaving:
    case Supervisor::State::kSweeping:
    case Supervisor::State::kDraining:
    case Supervisor::State::kCleaning:
    case Supervisor::State::kFlushing:
    case Supervisor::State::kExited:
      return "exited";
  }
  return "unknown";
}

}  // namespace dunlin::agent
