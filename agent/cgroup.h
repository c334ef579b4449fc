#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/cgroup_folders.h"

namespace dunlin::agent {

/// What the container uses and may use, as its control group says. Nothing: there is no such file,
/// it cannot be read (pressure answers EOPNOTSUPP where it is off), or there is no such limit.
struct CgroupUsage {
  std::optional<double> cpu_seconds;
  std::optional<double> cpu_user_seconds;
  std::optional<double> cpu_system_seconds;
  std::optional<std::uint64_t> cpu_periods;  // of the quota: passed, and those it was used up in
  std::optional<std::uint64_t> cpu_throttled_periods;
  std::optional<double> cpu_throttled_seconds;

  std::optional<std::uint64_t> memory_bytes;
  std::optional<std::uint64_t> memory_working_set_bytes;  // without files not used lately
  std::optional<std::uint64_t> memory_rss_bytes;
  std::optional<std::uint64_t> memory_cache_bytes;
  std::optional<std::uint64_t> memory_swap_bytes;
  std::optional<std::uint64_t> memory_peak_bytes;
  std::optional<std::uint64_t> memory_limit_bytes;
  std::optional<std::uint64_t> memory_limit_hits;
  std::optional<std::uint64_t> oom_kills;

  std::optional<std::uint64_t> processes;
  std::optional<std::uint64_t> threads;
  std::optional<std::uint64_t> threads_limit;

  struct Device {
    std::string name;  // "/dev/sda", or "8:0" when that is not known
    std::uint64_t read_bytes = 0;
    std::uint64_t written_bytes = 0;
    std::uint64_t reads = 0;
    std::uint64_t writes = 0;
  };
  std::vector<Device> devices;

  /// Time in which some task, or every task, waited for the resource.
  struct Pressure {
    std::optional<double> waiting_seconds;
    std::optional<double> stalled_seconds;
  };
  Pressure cpu_pressure;
  Pressure memory_pressure;
  Pressure io_pressure;
};

/// Reads the control group that this process is in, found once. Under version 1 and 2 alike:
/// whatever a version, kernel or container lacks is absent. Never fails and never waits.
class Cgroup {
 public:
  /// Tests put a folder in front of /proc and /sys.
  explicit Cgroup(std::string root = {});

  CgroupUsage Read();
  /// How many processes of the group the kernel has killed for want of memory.
  std::optional<std::uint64_t> OomKills() const;
  const CgroupFolders& folders() const { return folders_; }

 private:
  std::optional<std::string> Text(const std::string& folder, const char* file) const;
  std::optional<std::uint64_t> Number(const std::string& folder, const char* file) const;
  std::optional<std::uint64_t> Limit(const std::string& folder, const char* file) const;
  void ReadCpu1(CgroupUsage& usage) const;
  void ReadMemory1(CgroupUsage& usage) const;
  void ReadDevices1(CgroupUsage& usage);
  void ReadCpu2(CgroupUsage& usage) const;
  void ReadMemory2(CgroupUsage& usage) const;
  void ReadDevices2(CgroupUsage& usage);
  void ReadTasks(CgroupUsage& usage) const;
  CgroupUsage::Pressure ReadPressure(const char* file) const;
  const std::string& DeviceName(std::string_view number);
  CgroupUsage::Device* Place(CgroupUsage& usage, std::string_view number);

  std::string root_;
  CgroupFolders folders_;
  std::vector<std::pair<std::string, std::string>> device_names_;  // number and name
};

}  // namespace dunlin::agent
