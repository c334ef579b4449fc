#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
#include <utility>

#include "protocol/net/child_process.h"

namespace dunlin::agent {

/// Who awaits the end of which child: the agent has one reaper, and children beside the process
/// itself (exec probes, hooks). Loop thread only.
class ChildExits {
 public:
  using OnExit = std::function<void(net::ExitStatus)>;

  /// `on_exit` runs once, while `pid` is still a zombie: its group can be signalled until it
  /// returns. Call this right after starting the child, before the loop turns.
  void Await(pid_t pid, OnExit on_exit) { awaited_[pid] = std::move(on_exit); }

  /// Its end no longer matters to anybody, but it remains a child of ours and no orphan. Without
  /// effect when nobody awaits it.
  void Ignore(pid_t pid) {
    if (auto found = awaited_.find(pid); found != awaited_.end()) found->second = nullptr;
  }

  /// Whether `pid` is such a child.
  bool Awaits(pid_t pid) const { return awaited_.count(pid) != 0; }

  /// From the reaper, for every child. False: nobody asked for this one.
  bool Report(pid_t pid, net::ExitStatus status) {
    auto entry = awaited_.extract(pid);
    if (entry.empty()) return false;
    if (entry.mapped()) entry.mapped()(status);
    return true;
  }

 private:
  std::map<pid_t, OnExit> awaited_;
};

}  // namespace dunlin::agent
