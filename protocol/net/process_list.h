#pragma once

#include <sys/types.h>

#include <optional>
#include <string_view>
#include <vector>

namespace dunlin::net {

/// One process, as its /proc/PID/stat says (proc(5)).
struct ProcessEntry {
  pid_t pid = 0;
  pid_t parent = 0;
  pid_t group = 0;
  bool zombie = false;
  friend bool operator==(const ProcessEntry&, const ProcessEntry&) = default;
};

/// Nothing when `stat` is not such a line.
std::optional<ProcessEntry> ParseProcessStat(std::string_view stat);

/// Every process that can be seen; nothing without /proc. Those that come or go meanwhile may be
/// missing.
std::optional<std::vector<ProcessEntry>> ListProcesses();

/// The children that this thread started or was given as orphans, dead ones that were not reaped
/// included; nothing without /proc. Costs as much as there are children where the kernel lists them
/// (proc(5), /proc/PID/task/TID/children), else as much as there are processes. Complete, because
/// none leaves the list but by our reaping.
std::optional<std::vector<ProcessEntry>> ListChildren();

/// Whether this process has any child, dead ones that were not reaped included.
bool HasChildren();
/// The same for children in one process group. While there is one, nobody else can get the group's
/// number, because only we reap it.
bool HasChildrenInGroup(pid_t group);

}  // namespace dunlin::net
