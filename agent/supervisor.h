#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

#include "protocol/base/clock.h"
#include "protocol/net/child_process.h"

namespace dunlin::agent {

struct SupervisorOptions {
  int stop_signal = 15;  // SIGTERM: what the process gets when it is to stop
  /// What the container's runtime waits between its stop signal and SIGKILL; it cannot be seen from
  /// inside, so it is configuration.
  std::chrono::nanoseconds stop_grace = std::chrono::seconds(10);
};

/// The one deadline of a stop, cut into parts. With a grace under five seconds the parts shrink
/// with it.
struct StopPlan {
  std::chrono::nanoseconds kill_after;   // from the stop request: SIGKILL to the group
  std::chrono::nanoseconds flush_until;  // from the stop request: the last moment to send
  static StopPlan For(std::chrono::nanoseconds grace);
};

/// What may still come through the pipes of a process that has ended: a descendant may hold them
/// open for ever.
inline constexpr std::chrono::milliseconds kDrainLimit{300};
inline constexpr std::chrono::milliseconds kDrainIdle{100};
/// A killed process that does not go (uninterruptible sleep) is waited for no longer than this.
inline constexpr std::chrono::milliseconds kKillLimit{1000};

/// Decides the life of one process: which signals it gets and when, when its outputs are read for
/// the last time, when the agent ends and with which code. Holds no process and reads no clock: the
/// driver reports events, performs the returned actions in order and calls OnTimer at deadline().
/// Loop thread only.
class Supervisor {
 public:
  enum class State { kStarting, kRunning, kStopping, kKilling, kDraining, kFlushing, kExited };

  struct SignalGroup {
    int signal;
    friend bool operator==(const SignalGroup&, const SignalGroup&) = default;
  };
  /// Read what the outputs hold without holding off.
  struct Drain {
    friend bool operator==(const Drain&, const Drain&) = default;
  };
  /// No more output is read; send what there is.
  struct Flush {
    friend bool operator==(const Flush&, const Flush&) = default;
  };
  /// End the agent now.
  struct Exit {
    int code;
    friend bool operator==(const Exit&, const Exit&) = default;
  };
  using Action = std::variant<SignalGroup, Drain, Flush, Exit>;
  using Actions = std::vector<Action>;

  explicit Supervisor(SupervisorOptions options) : options_(options) {}

  Actions OnStarted(SteadyTime now);
  /// The process could not be started; 126 or 127 is the agent's code too.
  Actions OnStartFailed(int exit_code, SteadyTime now);
  /// The agent received a signal that can be forwarded.
  Actions OnSignal(int signal, SteadyTime now);
  /// Somebody asks over the control API; `grace` replaces the configured one.
  Actions OnStopRequested(std::optional<std::chrono::nanoseconds> grace, SteadyTime now);
  Actions OnChildExited(net::ExitStatus status, SteadyTime now);
  /// Bytes were read from an output.
  void OnOutput(SteadyTime now);
  /// No process holds the outputs any more.
  Actions OnOutputsEnded(SteadyTime now);
  /// Nothing waits to be sent any more.
  Actions OnFlushed();
  Actions OnTimer(SteadyTime now);

  std::optional<SteadyTime> deadline() const { return deadline_; }
  State state() const { return state_; }
  bool stop_requested() const { return plan_.has_value(); }
  const std::optional<net::ExitStatus>& exit_status() const { return exit_status_; }

 private:
  bool IsStopSignal(int signal) const;
  Actions BeginStop(int signal, std::chrono::nanoseconds grace, SteadyTime now);
  Actions Kill(SteadyTime now);
  Actions BeginDrain(SteadyTime now);
  Actions BeginFlush();
  Actions End();
  SteadyTime FlushDeadline() const;

  SupervisorOptions options_;
  State state_ = State::kStarting;
  std::optional<StopPlan> plan_;
  SteadyTime stop_requested_at_{};
  SteadyTime exited_at_{};
  SteadyTime drain_until_{};
  std::optional<net::ExitStatus> exit_status_;
  bool outputs_ended_ = false;
  std::optional<SteadyTime> deadline_;
};

/// "starting", "running", "stopping" or "exited", as /v1/status says it.
std::string_view StateName(Supervisor::State state);

}  // namespace dunlin::agent
