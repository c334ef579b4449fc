#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

#include "agent/configuration.h"
#include "agent/restart_cause.h"
#include "agent/restart_policy.h"
#include "agent/stop_plan.h"
#include "protocol/base/clock.h"
#include "protocol/net/child_process.h"

namespace dunlin::agent {

struct SupervisorOptions {
  int stop_signal = 15;  // SIGTERM: what the process gets when it is to stop
  std::chrono::nanoseconds stop_grace = std::chrono::seconds(10);
  StopMode stop_mode = StopMode::kGroup;
  bool wait_for_all = true;
  std::vector<SignalRewrite> signal_rewrites;
  std::vector<ExitRemap> exit_remaps;
  RestartConfiguration restart;
  bool pre_start = false;  // whether there is such a hook
  bool post_stop = false;
  std::chrono::nanoseconds hook_timeout = std::chrono::seconds(10);
};

/// What may still come through the pipes of a process that has ended: a descendant may hold them
/// open for ever.
inline constexpr std::chrono::milliseconds kDrainLimit{300};
inline constexpr std::chrono::milliseconds kDrainIdle{100};
/// Killed processes that do not go (uninterruptible sleep) are waited for no longer than this, nor
/// than half of the time that is left to send.
inline constexpr std::chrono::milliseconds kKillLimit{1000};
/// Processes that others started beside ours (a shell of `docker exec`) are told to end too, but
/// must not use up the whole time.
inline constexpr std::chrono::milliseconds kOutsiderLimit{1000};
/// The agent's exit code when the pre-start hook fails; docker and timeout(1) use it for a command
/// that was not started.
inline constexpr int kNotStarted = 125;

enum class Hook { kPreStart, kPostStop };

/// Who is left besides the agent, once the process itself is gone.
enum class Remaining {
  kNobody,
  kOutsiders,    // only processes that are no descendants; as PID 1 only
  kDescendants,  // some descendants
};

/// Decides the life of the process: when it is started, which signals it and its descendants get
/// and when, when its outputs are read for the last time, whether it is started again, when the
/// agent ends and with which code. Holds no process and reads no clock: the driver reports events,
/// performs the returned actions in order and calls OnTimer at deadline(). Loop thread only.
class Supervisor {
 public:
  enum class State {
    kPreparing,  // the pre-start hook runs
    kStarting,   // waits for the driver to say how the start went
    kRunning,
    kStopping,    // was told to stop
    kKilling,     // was killed
    kLeaving,     // has ended; its descendants were told to, or are waited for
    kSweeping,    // these were killed
    kDraining,    // all have ended; what is in the pipes is read
    kBackingOff,  // the pause before a restart
    kCleaning,    // the post-stop hook runs
    kFlushing,    // the last lines are sent
    kExited
  };

  enum class Target {
    kLeader,  // the process itself
    kGroup,   // its process group
    kStrays,  // descendants outside of it that have lost their parent
    kAll,     // kGroup and kStrays
  };
  enum class Reach {
    kDescendants,
    kNamespace,  // being PID 1, every other process; else as kDescendants
  };

  struct StartProcess {
    friend bool operator==(const StartProcess&, const StartProcess&) = default;
  };
  struct RunHook {
    Hook hook;
    friend bool operator==(const RunHook&, const RunHook&) = default;
  };
  /// Kill the hook that runs; its end is not reported any more.
  struct EndHook {
    friend bool operator==(const EndHook&, const EndHook&) = default;
  };
  struct SendSignal {
    int signal;
    Target target = Target::kGroup;
    Reach reach = Reach::kDescendants;
    friend bool operator==(const SendSignal&, const SendSignal&) = default;
  };
  /// Read what the outputs hold without holding off.
  struct Drain {
    friend bool operator==(const Drain&, const Drain&) = default;
  };
  /// Read what the outputs hold now, and no more after it.
  struct CloseOutputs {
    friend bool operator==(const CloseOutputs&, const CloseOutputs&) = default;
  };
  /// Send what there is.
  struct Flush {
    friend bool operator==(const Flush&, const Flush&) = default;
  };
  /// End the agent now.
  struct Exit {
    int code;
    friend bool operator==(const Exit&, const Exit&) = default;
  };
  /// StartProcess and RunHook come last among the actions of one event.
  using Action =
      std::variant<StartProcess, RunHook, EndHook, SendSignal, Drain, CloseOutputs, Flush, Exit>;
  using Actions = std::vector<Action>;

  explicit Supervisor(SupervisorOptions options);

  Actions Begin(SteadyTime now);
  void OnStarted(SteadyTime now);
  /// The process could not be started; 126 or 127 is the agent's code too.
  Actions OnStartFailed(int exit_code, SteadyTime now);
  /// Nothing: the hook could not be started.
  Actions OnHookEnded(std::optional<net::ExitStatus> status, SteadyTime now);

  /// The agent received a signal that can be forwarded.
  Actions OnSignal(int signal, SteadyTime now);
  /// The agent's own parent has ended: a stop by `signal`.
  Actions OnParentDied(int signal, SteadyTime now);
  /// Somebody asks over the control API; `grace` replaces the configured one.
  Actions OnStopRequested(std::optional<std::chrono::nanoseconds> grace, SteadyTime now);
  /// Stop and start again; has no effect unless can_restart().
  Actions OnRestartRequested(RestartCause cause, SteadyTime now);
  /// End the pause before a restart; has no effect in other states.
  Actions OnStartRequested(SteadyTime now);

  /// `out_of_memory`: the kernel killed it for that.
  Actions OnChildExited(net::ExitStatus status, bool out_of_memory, SteadyTime now);
  /// The driver reports it again and again while waits_for_others().
  Actions OnRemaining(Remaining who, SteadyTime now);
  /// Bytes were read from an output.
  void OnOutput(SteadyTime now);
  /// No process holds the outputs any more.
  Actions OnOutputsEnded(SteadyTime now);
  /// Nothing waits to be sent any more.
  Actions OnFlushed();
  Actions OnTimer(SteadyTime now);

  std::optional<SteadyTime> deadline() const { return deadline_; }
  State state() const { return state_; }
  bool waits_for_others() const { return state_ == State::kLeaving || state_ == State::kSweeping; }
  /// A stop of the agent, not one before a restart.
  bool stop_requested() const { return stopping_for_good_; }
  bool can_restart() const;
  /// Of the process's latest end, or of its failed start.
  const std::optional<net::ExitStatus>& exit_status() const { return exit_status_; }
  bool out_of_memory() const { return out_of_memory_; }
  const RestartsByCause& restarts() const { return restarts_; }
  /// The limit of restarts kept the process from being started again.
  bool exhausted() const { return exhausted_; }

 private:
  struct PlannedRestart {
    RestartCause cause;
    std::chrono::nanoseconds pause;
  };

  static Actions Then(Actions first, const Actions& second);
  bool IsStopSignal(int signal) const;
  Target own_target() const;
  Reach reach() const { return restart_ ? Reach::kDescendants : Reach::kNamespace; }
  Actions BeginStart(SteadyTime now);
  Actions BeginStop(int signal, std::chrono::nanoseconds grace, SteadyTime now);
  Actions TellToStop(int signal);
  Actions Kill(SteadyTime now);
  void Decide(RestartCause cause, SteadyTime now);
  Actions NotStarted(int exit_code, SteadyTime now);
  Actions BeginLeaving(bool told, SteadyTime now);
  Actions TellToEnd(Target target) const;
  Actions Sweep(SteadyTime now);
  Actions BeginDrain(SteadyTime now);
  Actions AfterDrain(SteadyTime now);
  Actions EndForGood(SteadyTime now);
  Actions BeginFlush();
  Actions End();
  SteadyTime KillDeadline(SteadyTime now) const;
  int CodeOf(const net::ExitStatus& status) const;

  SupervisorOptions options_;
  RestartPolicy policy_;
  State state_ = State::kStarting;
  std::optional<SteadyTime> deadline_;
  std::optional<StopPlan> plan_;  // from the first reason to stop, or the process's own end
  bool stopping_for_good_ = false;
  std::optional<RestartCause> requested_;  // the process is being stopped for this
  std::optional<PlannedRestart> restart_;  // it has ended and will be started again
  std::optional<SteadyTime> outsiders_until_;
  bool strays_untold_ = false;
  bool ever_started_ = false;
  bool outputs_ended_ = false;
  SteadyTime drain_until_{};
  std::optional<net::ExitStatus> exit_status_;
  bool out_of_memory_ = false;
  bool exhausted_ = false;
  int exit_code_ = 0;
  RestartsByCause restarts_{};
};

/// "starting", "running", "stopping", "backing-off" or "exited", as /v1/status says it.
std::string_view StateName(Supervisor::State state);

}  // namespace dunlin::agent
