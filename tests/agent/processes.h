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
