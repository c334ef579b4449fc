#include "agent/supervisor.h"

#include <algorithm>
#include <csignal>

#include "protocol/base/check.h"

namespace dunlin::agent {

StopPlan StopPlan::For(std::chrono::nanoseconds grace) {
  using std::chrono::milliseconds;
  return {.kill_after = grace - std::min<std::chrono::nanoseconds>(milliseconds(2500), grace / 2),
          .flush_until = grace - std::min<std::chrono::nanoseconds>(milliseconds(700), grace / 5)};
}

Supervisor::Actions Supervisor::OnStarted(SteadyTime) {
  Check(state_ == State::kStarting, "started twice");
  state_ = State::kRunning;
  return {};
}

Supervisor::Actions Supervisor::OnStartFailed(int exit_code, SteadyTime now) {
  Check(state_ == State::kStarting, "started twice");
  exit_status_ = net::ExitStatus{.code = exit_code};
  exited_at_ = now;
  outputs_ended_ = true;
  return BeginFlush();
}

Supervisor::Actions Supervisor::OnSignal(int signal, SteadyTime now) {
  if (IsStopSignal(signal)) {
    // Ctrl-C stays Ctrl-C; a runtime's SIGTERM becomes what the process understands.
    return BeginStop(signal == SIGTERM ? options_.stop_signal : signal, options_.stop_grace, now);
  }
  switch (state_) {
    case State::kRunning:
    case State::kStopping:
      return {SignalGroup{signal}};
    case State::kStarting:  // the driver starts before it listens
    case State::kKilling:   // nothing there that could act on it
    case State::kDraining:
    case State::kFlushing:
    case State::kExited:
      break;
  }
  return {};
}

Supervisor::Actions Supervisor::OnStopRequested(std::optional<std::chrono::nanoseconds> grace,
                                                SteadyTime now) {
  // Asking twice is not a second signal: a client repeats a request whose answer it did not get.
  if (plan_) return {};
  return BeginStop(options_.stop_signal, grace.value_or(options_.stop_grace), now);
}

Supervisor::Actions Supervisor::OnChildExited(net::ExitStatus status, SteadyTime now) {
  switch (state_) {
    case State::kRunning:
    case State::kStopping:
    case State::kKilling:
      break;
    case State::kStarting:
    case State::kDraining:  // given up before it went; its code is settled
    case State::kFlushing:
    case State::kExited:
      return {};
  }
  exit_status_ = status;
  return BeginDrain(now);
}

void Supervisor::OnOutput(SteadyTime now) {
  if (state_ == State::kDraining) deadline_ = std::min(drain_until_, now + kDrainIdle);
}

Supervisor::Actions Supervisor::OnOutputsEnded(SteadyTime) {
  outputs_ended_ = true;
  // A process may close its outputs and go on running.
  if (state_ != State::kDraining) return {};
  return BeginFlush();
}

Supervisor::Actions Supervisor::OnFlushed() {
  if (state_ != State::kFlushing) return {};
  return End();
}

Supervisor::Actions Supervisor::OnTimer(SteadyTime now) {
  if (!deadline_ || now < *deadline_) return {};
  switch (state_) {
    case State::kStopping:
      return Kill(now);
    case State::kKilling:
      exit_status_ = net::ExitStatus{.signal = SIGKILL};
      return BeginDrain(now);
    case State::kDraining:
      return BeginFlush();
    case State::kFlushing:
      return End();
    case State::kStarting:
    case State::kRunning:
    case State::kExited:
      break;
  }
  return {};
}

bool Supervisor::IsStopSignal(int signal) const {
  return signal == SIGTERM || signal == SIGINT || signal == options_.stop_signal;
}

Supervisor::Actions Supervisor::BeginStop(int signal, std::chrono::nanoseconds grace,
                                          SteadyTime now) {
  const bool again = plan_.has_value();
  if (!again) {
    plan_ = StopPlan::For(grace);
    stop_requested_at_ = now;
  }
  switch (state_) {
    case State::kStarting:
      return {};  // the driver starts before it listens
    case State::kRunning:
      state_ = State::kStopping;
      deadline_ = now + plan_->kill_after;
      // A stopped process acts on a signal only once it is continued.
      return {SignalGroup{signal}, SignalGroup{SIGCONT}};
    case State::kStopping:
      return Kill(now);
    case State::kKilling:
    case State::kDraining:
      return {};  // bounded already
    case State::kFlushing:
      // The first one bounds the sending by its own grace, another ends it.
      if (again) return End();
      deadline_ = std::min(*deadline_, FlushDeadline());
      return {};
    case State::kExited:
      return {};
  }
  return {};
}

Supervisor::Actions Supervisor::Kill(SteadyTime now) {
  state_ = State::kKilling;
  deadline_ = now + kKillLimit;
  return {SignalGroup{SIGKILL}};
}

Supervisor::Actions Supervisor::BeginDrain(SteadyTime now) {
  exited_at_ = now;
  if (outputs_ended_) return BeginFlush();
  state_ = State::kDraining;
  drain_until_ = now + kDrainLimit;
  deadline_ = now + kDrainIdle;
  return {Drain{}};
}

Supervisor::Actions Supervisor::BeginFlush() {
  state_ = State::kFlushing;
  deadline_ = FlushDeadline();
  // What is left of the group may end in order while the last lines go out.
  return {SignalGroup{SIGTERM}, Flush{}};
}

Supervisor::Actions Supervisor::End() {
  state_ = State::kExited;
  deadline_.reset();
  return {SignalGroup{SIGKILL}, Exit{exit_status_->ShellCode()}};
}

SteadyTime Supervisor::FlushDeadline() const {
  const SteadyTime by_exit = exited_at_ + StopPlan::For(options_.stop_grace).flush_until;
  return plan_ ? std::min(by_exit, stop_requested_at_ + plan_->flush_until) : by_exit;
}

std::string_view StateName(Supervisor::State state) {
  switch (state) {
    case Supervisor::State::kStarting:
      return "starting";
    case Supervisor::State::kRunning:
      return "running";
    case Supervisor::State::kStopping:
    case Supervisor::State::kKilling:
      return "stopping";
    case Supervisor::State::kDraining:
    case Supervisor::State::kFlushing:
    case Supervisor::State::kExited:
      return "exited";
  }
  return "unknown";
}

}  // namespace dunlin::agent
