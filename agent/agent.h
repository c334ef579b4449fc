#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/captures.h"
#include "agent/cgroup.h"
#include "agent/child_exits.h"
#include "agent/configuration.h"
#include "agent/control_api.h"
#include "agent/credentials.h"
#include "agent/oom_watch.h"
#include "agent/probes.h"
#include "agent/process_tree.h"
#include "agent/restart_cause.h"
#include "agent/snapshot.h"
#include "agent/standard_outputs.h"
#include "agent/supervisor.h"
#include "agent/terminal.h"
#include "protocol/base/clock.h"
#include "protocol/base/random.h"
#include "protocol/base/result.h"
#include "protocol/net/child_process.h"
#include "protocol/net/loop.h"
#include "protocol/net/signals.h"
#include "shipper/shipper.h"

namespace dunlin::agent {

/// The whole agent on one loop: starts the process, then the rest; ends with the process. One per
/// operating system process, because children and signals belong to that.
class Agent {
 public:
  Agent(net::Loop& loop, const Clock& clock, StandardOutputs& outputs, Configuration configuration,
        Credentials credentials);
  ~Agent();
  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;

  /// Runs the loop until the process has ended and its lines are sent, or their time is up. Returns
  /// the exit code of the agent.
  int Run();
  /// Whether the disk still holds on to a thread of this process: its end is not to be waited for.
  bool disk_busy() const { return shipper_.disk_busy(); }

  /// What others ask of the process, over the control API or because of a probe. Asking is all:
  /// what follows takes its time and shows in the snapshot. Errors say why it does not apply now:
  /// kUnavailable in this state, kUnsupported as configured, kInvalidArgument, kExhausted.

  /// Ends the pause before a restart. Applies to nothing else: a stop ends the agent.
  Result<void> Start();
  /// Stops the process by the stop plan and starts it again, whatever --restart says. By command:
  /// at once; for its health: with the pause and within the limit of restarts.
  Result<void> Restart(RestartCause cause);
  /// Begins the stop plan; the agent ends with the process. Asking again changes nothing.
  Result<void> Stop(std::optional<std::chrono::nanoseconds> grace);
  /// Sends a signal as it is: no rewriting, and a term is no stop.
  Result<void> Signal(int signal);
  /// Writes `line` (without newline) to the process's input, whole or not at all; needs --stdin
  /// pipe.
  Result<void> Command(std::string_view line);
  /// Makes the process count as not ready from now until it is started again, so that nobody sends
  /// it new work.
  Result<void> Drain();

 private:
  void BecomeSubreaper();
  void WatchSignals();
  void WatchParent();
  bool ParentDied() const;
  void OnSignal(int signal);
  void WatchStops();
  void StartControl();
  std::string MetricsAddress() const;

  void Perform(const Supervisor::Actions& actions);
  void OnStateChange();
  void StartProcess();
  void RunHook(Hook hook);
  void EndHook();
  net::SpawnOptions OptionsFor(const std::vector<std::string>& command) const;
  void ReportFailedStart(std::string_view what, const net::SpawnFailure& failure);
  void Flush();
  void CheckFlushed();
  void Exit(int code);
  void ReportLosses() const;

  void OnReaped(pid_t pid, net::ExitStatus status);
  void OnProcessEnded(pid_t pid, net::ExitStatus status);
  void OnHookEnded(net::ExitStatus status);
  void OnChunk();
  void OnDead();
  Snapshot TakeSnapshot() const;
  std::vector<wire::MetricFamily> CollectMetrics();
  bool KilledForMemory(net::ExitStatus status);

  net::Loop& loop_;
  const Clock& clock_;
  StandardOutputs& outputs_;
  Configuration configuration_;
  Credentials credentials_;
  RandomId agent_id_ = NewRandomId();
  RandomId boot_id_ = NewRandomId();
  LogTime agent_started_at_;
  Terminal terminal_;

  Supervisor supervisor_;
  net::Timer deadline_timer_;
  net::Timer remaining_timer_;
  net::Timer passthrough_timer_;
  net::Timer memory_timer_;
  shipper::Shipper shipper_;
  Captures captures_;
  ChildExits child_exits_;
  Probes probes_;
  std::optional<Cgroup> cgroup_;  // once the process has been started: it does not wait for files
  OomWatch oom_watch_;
  std::optional<ProcessTree> tree_;
  std::unique_ptr<net::Reaper> reaper_;
  std::vector<std::unique_ptr<net::SignalWatcher>> signals_;
  std::unique_ptr<net::SignalWatcher> stops_;  // with a terminal
  std::unique_ptr<ControlApi> control_;

  net::Descriptor process_input_;  // with --stdin pipe, while the process runs
  pid_t hook_ = 0;                 // while one runs
  Hook running_hook_ = Hook::kPreStart;
  pid_t parent_;  // of the agent, when its end matters
  Supervisor::State state_ = Supervisor::State::kStarting;
  LogTime state_since_;
  std::optional<LogTime> started_at_;
  LogTime ended_at_{};
  SignalCounts signals_forwarded_{};
  std::uint64_t orphans_reaped_ = 0;
  bool draining_ = false;
  bool found_dead_ = false;  // by its live check, in this run
  bool lines_flushed_ = false;
  bool ended_ = false;
  bool passthrough_given_up_ = false;
  int exit_code_ = 0;
};

}  // namespace dunlin::agent
