#include "agent/process_tree.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

namespace dunlin::agent {

void ProcessTree::Send(const Supervisor::SendSignal& order) {
  const bool everybody = options_.first_process && order.reach == Supervisor::Reach::kNamespace;
  switch (order.target) {
    case Supervisor::Target::kLeader:
      if (leader_ != 0) kill(leader_, order.signal);
      return;
    case Supervisor::Target::kGroup:
      SignalGroup(order.signal);
      return;
    case Supervisor::Target::kStrays:
      SignalStrays(order.signal, order.reach);
      return;
    case Supervisor::Target::kAll:
      // From any other process this would reach the whole machine.
      if (everybody) {
        kill(-1, order.signal);
        return;
      }
      SignalGroup(order.signal);
      SignalStrays(order.signal, order.reach);
      return;
  }
}

Remaining ProcessTree::WhoRemains() {
  if (options_.first_process) {
    if (kill(-1, 0) != 0 && errno == ESRCH) return Remaining::kNobody;
    return HasDescendants() ? Remaining::kDescendants : Remaining::kOutsiders;
  }
  if (options_.subreaper) return HasDescendants() ? Remaining::kDescendants : Remaining::kNobody;
  if (group_ != 0 && kill(-group_, 0) != 0 && errno == ESRCH) group_ = 0;
  return group_ != 0 ? Remaining::kDescendants : Remaining::kNobody;
}

void ProcessTree::SignalGroup(int signal) {
  if (group_ == 0) return;
  // While the leader is not reaped the group's number is its own. Later, one of our children in it
  // keeps it so; without any it may have become somebody else's. Whoever is still in it has a
  // parent, and becomes a stray when that ends.
  const bool ours = leader_ != 0 || net::HasChildrenInGroup(group_) ||
                    (!options_.first_process && !options_.subreaper);
  if (!ours || (kill(-group_, signal) != 0 && errno == ESRCH)) group_ = 0;
}

void ProcessTree::SignalStrays(int signal, Supervisor::Reach reach) {
  if (options_.first_process && reach == Supervisor::Reach::kNamespace) {
    const auto processes = net::ListProcesses();
    // Without /proc the group cannot be left out.
    processes ? SignalOthers(signal, *processes) : static_cast<void>(kill(-1, signal));
    return;
  }
  // Without a look at every process where there is nobody to be found.
  if (!net::HasChildren()) return;
  if (const auto children = net::ListChildren()) SignalOrphans(signal, *children);
}

/// Children of ours outside of the group, with the groups that they are in: those numbers are
/// theirs because only we reap them.
void ProcessTree::SignalOrphans(int signal, const std::vector<net::ProcessEntry>& children) {
  std::vector<pid_t> groups;
  for (const net::ProcessEntry& process : children) {
    if (process.group == group_) continue;
    if (options_.is_apart(process.pid)) continue;
    if (process.group == getpgrp()) {
      kill(process.pid, signal);
    } else if (std::find(groups.begin(), groups.end(), process.group) == groups.end()) {
      groups.push_back(process.group);
      kill(-process.group, signal);
    }
  }
}

/// Everybody in the namespace outside of the group, each once.
void ProcessTree::SignalOthers(int signal, const std::vector<net::ProcessEntry>& processes) {
  for (const net::ProcessEntry& process : processes) {
    if (process.pid == getpid() || process.zombie) continue;
    if (group_ != 0 && process.group == group_) continue;
    if (!options_.is_apart(process.pid)) kill(process.pid, signal);
  }
}

bool ProcessTree::HasDescendants() const {
  if (!net::HasChildren()) return false;
  const auto children = net::ListChildren();
  if (!children) return true;
  return std::any_of(children->begin(), children->end(), [this](const net::ProcessEntry& child) {
    return !options_.is_apart(child.pid);
  });
}

}  // namespace dunlin::agent
