#pragma once

#include <sys/types.h>

#include <vector>

#include "protocol/net/process_list.h"
#include "tests/support/catch.h"

namespace dunlin::testing {

/// Zombies included.
inline std::vector<pid_t> ChildrenOf(pid_t parent) {
  const auto processes = net::ListProcesses();
  REQUIRE(processes);
  std::vector<pid_t> children;
  for (const auto& process : *processes) {
    if (process.parent == parent) children.push_back(process.pid);
  }
  return children;
}

/// Children, their children, and so on; of what can be seen. Never fails.
inline std::vector<pid_t> DescendantsOf(pid_t ancestor) {
  const auto processes = net::ListProcesses();
  std::vector<pid_t> found{ancestor};
  for (std::size_t i = 0; processes && i < found.size(); ++i) {
    for (const auto& process : *processes) {
      if (process.parent == found[i]) found.push_back(process.pid);
    }
  }
  found.erase(found.begin());
  return found;
}

/// Whether a process of this number lives; a zombie does not.
inline bool Lives(pid_t pid) {
  const auto processes = net::ListProcesses();
  REQUIRE(processes);
  for (const auto& process : *processes) {
    if (process.pid == pid) return !process.zombie;
  }
  return false;
}

}  // namespace dunlin::testing
