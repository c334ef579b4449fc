#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace dunlin::agent {

/// Where the files of this process's control group are, by what they tell; empty: nowhere. Under
/// version 1 every controller has a tree of its own, under version 2 all share one, and in between
/// (systemd's hybrid layout) there are both.
struct CgroupFolders {
  std::string cpu{};  // version 1: cpu, cpuacct, memory, pids, blkio
  std::string cpuacct{};
  std::string memory{};
  std::string pids{};
  std::string blkio{};
  std::string unified{};  // version 2

  bool has_version_1() const {
    return !(cpu.empty() && cpuacct.empty() && memory.empty() && pids.empty() && blkio.empty());
  }
  friend bool operator==(const CgroupFolders&, const CgroupFolders&) = default;
};

/// Finds them by the texts of /proc/self/cgroup and /proc/self/mountinfo (cgroups(7), proc(5));
/// where those do not say, under /sys/fs/cgroup, which in a container shows the container's own
/// group. `exists` tells whether there is such a path.
CgroupFolders FindCgroupFolders(std::string_view memberships, std::string_view mounts,
                                const std::function<bool(const std::string&)>& exists);

}  // namespace dunlin::agent
