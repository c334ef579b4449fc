#pragma once

#include <sys/types.h>

#include <functional>
#include <vector>

#include "agent/supervisor.h"
#include "protocol/net/process_list.h"

namespace dunlin::agent {

/// The process that runs, its group and its descendants: how signals reach them and who is left.
/// As PID 1, or as a subreaper, every descendant that loses its parent becomes a child of the
/// agent, so nobody is left once there are no children. Loop thread only.
class ProcessTree {
 public:
  struct Options {
    bool first_process = false;  // PID 1 of its namespace
    bool subreaper = false;
    /// Children with an owner of their own (hooks, exec probes): neither signalled nor waited for.
    std::function<bool(pid_t)> is_apart;
  };

  explicit ProcessTree(Options options) : options_(std::move(options)) {}

  /// A process was started, the leader of a group of its own.
  void Begin(pid_t leader) { leader_ = group_ = leader; }
  /// It has ended and is about to be reaped; another one may have been begun.
  void OnReaped(pid_t leader) {
    if (leader_ == leader) leader_ = 0;
  }
  /// 0 while none runs.
  pid_t leader() const { return leader_; }

  /// Whom it cannot reach has gone, which is no error.
  void Send(const Supervisor::SendSignal& order);
  Remaining WhoRemains();

 private:
  void SignalGroup(int signal);
  void SignalStrays(int signal, Supervisor::Reach reach);
  void SignalOrphans(int signal, const std::vector<net::ProcessEntry>& children);
  void SignalOthers(int signal, const std::vector<net::ProcessEntry>& processes);
  bool HasDescendants() const;

  Options options_;
  pid_t leader_ = 0;
  pid_t group_ = 0;  // while there may be somebody in it
};

}  // namespace dunlin::agent
