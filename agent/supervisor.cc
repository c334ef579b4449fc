#include "agent/supervisor.h"

#include <algorithm>
#include <csignal>
#include <utility>

#include "protocol/base/check.h"

namespace dunlin::agent {
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
      return Then({EndHook{}}, NotStarted(kNotStarted, now));
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
      return Then({EndHook{}}, BeginFlush());
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
