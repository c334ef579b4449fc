#include "agent/cgroup.h"

#include <unistd.h>

#include <algorithm>

#include "agent/system_file.h"
#include "protocol/base/text.h"

namespace dunlin::agent {
namespace {

/// Version 1 says "no limit" as the largest number of whole pages, which depends on the page size
/// and the kernel; nobody has this much memory.
constexpr std::uint64_t kNoLimit = std::uint64_t{1} << 60;
/// A machine with many disks shows the first of them.
constexpr std::size_t kMaxDevices = 32;

std::optional<double> Scaled(std::optional<std::uint64_t> number, double per_second) {
  if (!number) return std::nullopt;
  return static_cast<double>(*number) / per_second;
}

std::optional<double> Nanoseconds(std::optional<std::uint64_t> n) { return Scaled(n, 1e9); }
std::optional<double> Microseconds(std::optional<std::uint64_t> n) { return Scaled(n, 1e6); }

std::optional<std::uint64_t> WorkingSet(std::optional<std::uint64_t> used,
                                        std::optional<std::uint64_t> inactive_file) {
  if (!used || !inactive_file) return std::nullopt;
  return *used - std::min(*used, *inactive_file);
}

bool IsDeviceNumber(std::string_view text) {
  return text.find(':') != std::string_view::npos &&
         text.find_first_not_of("0123456789:") == std::string_view::npos;
}

}  // namespace

Cgroup::Cgroup(std::string root) : root_(std::move(root)) {
  constexpr std::size_t kMaxMounts = 1 << 20;
  folders_ = FindCgroupFolders(
      ReadSystemFile(root_ + "/proc/self/cgroup").value_or(""),
      ReadSystemFile(root_ + "/proc/self/mountinfo", kMaxMounts).value_or(""),
      [this](const std::string& path) { return access((root_ + path).c_str(), F_OK) == 0; });
}

CgroupUsage Cgroup::Read() {
  CgroupUsage usage;
  folders_.cpu.empty() && folders_.cpuacct.empty() ? ReadCpu2(usage) : ReadCpu1(usage);
  folders_.memory.empty() ? ReadMemory2(usage) : ReadMemory1(usage);
  folders_.blkio.empty() ? ReadDevices2(usage) : ReadDevices1(usage);
  ReadTasks(usage);
  usage.oom_kills = OomKills();
  // Beside version 1 the tree of version 2 may hold everything in its root, whose pressure is the
  // machine's; cgroup.events is in every group but the root.
  if (!folders_.has_version_1() || Text(folders_.unified, "cgroup.events")) {
    usage.cpu_pressure = ReadPressure("cpu.pressure");
    usage.memory_pressure = ReadPressure("memory.pressure");
    usage.io_pressure = ReadPressure("io.pressure");
  }
  return usage;
}

std::optional<std::uint64_t> Cgroup::OomKills() const {
  const bool version_1 = !folders_.memory.empty();
  auto text = version_1 ? Text(folders_.memory, "memory.oom_control")
                        : Text(folders_.unified, "memory.events");
  return text ? NumberOf("oom_kill", *text) : std::nullopt;
}

std::optional<std::string> Cgroup::Text(const std::string& folder, const char* file) const {
  if (folder.empty()) return std::nullopt;
  return ReadSystemFile(Join(root_, folder, "/", file));
}

std::optional<std::uint64_t> Cgroup::Number(const std::string& folder, const char* file) const {
  auto text = Text(folder, file);
  return text ? NumberIn(*text) : std::nullopt;
}

/// "max", which is no number, and version 1's largest number are no limits.
std::optional<std::uint64_t> Cgroup::Limit(const std::string& folder, const char* file) const {
  auto limit = Number(folder, file);
  if (limit && *limit >= kNoLimit) return std::nullopt;
  return limit;
}

void Cgroup::ReadCpu1(CgroupUsage& usage) const {
  usage.cpu_seconds = Nanoseconds(Number(folders_.cpuacct, "cpuacct.usage"));
  if (auto stat = Text(folders_.cpuacct, "cpuacct.stat")) {
    const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
    usage.cpu_user_seconds = Scaled(NumberOf("user", *stat), ticks);
    usage.cpu_system_seconds = Scaled(NumberOf("system", *stat), ticks);
  }
  if (auto stat = Text(folders_.cpu, "cpu.stat")) {
    usage.cpu_periods = NumberOf("nr_periods", *stat);
    usage.cpu_throttled_periods = NumberOf("nr_throttled", *stat);
    usage.cpu_throttled_seconds = Nanoseconds(NumberOf("throttled_time", *stat));
  }
}

void Cgroup::ReadCpu2(CgroupUsage& usage) const {
  auto stat = Text(folders_.unified, "cpu.stat");
  if (!stat) return;
  usage.cpu_seconds = Microseconds(NumberOf("usage_usec", *stat));
  usage.cpu_user_seconds = Microseconds(NumberOf("user_usec", *stat));
  usage.cpu_system_seconds = Microseconds(NumberOf("system_usec", *stat));
  usage.cpu_periods = NumberOf("nr_periods", *stat);
  usage.cpu_throttled_periods = NumberOf("nr_throttled", *stat);
  usage.cpu_throttled_seconds = Microseconds(NumberOf("throttled_usec", *stat));
}

void Cgroup::ReadMemory1(CgroupUsage& usage) const {
  const std::string& folder = folders_.memory;
  usage.memory_bytes = Number(folder, "memory.usage_in_bytes");
  usage.memory_peak_bytes = Number(folder, "memory.max_usage_in_bytes");
  usage.memory_limit_bytes = Limit(folder, "memory.limit_in_bytes");
  usage.memory_limit_hits = Number(folder, "memory.failcnt");
  auto stat = Text(folder, "memory.stat");
  if (!stat) return;
  usage.memory_working_set_bytes =
      WorkingSet(usage.memory_bytes, NumberOf("total_inactive_file", *stat));
  usage.memory_rss_bytes = NumberOf("total_rss", *stat);
  usage.memory_cache_bytes = NumberOf("total_cache", *stat);
  usage.memory_swap_bytes = NumberOf("total_swap", *stat);
}

void Cgroup::ReadMemory2(CgroupUsage& usage) const {
  const std::string& folder = folders_.unified;
  usage.memory_bytes = Number(folder, "memory.current");
  usage.memory_peak_bytes = Number(folder, "memory.peak");
  usage.memory_limit_bytes = Limit(folder, "memory.max");
  usage.memory_swap_bytes = Number(folder, "memory.swap.current");
  if (auto events = Text(folder, "memory.events")) {
    usage.memory_limit_hits = NumberOf("max", *events);
  }
  // The root has this file, but tells of the whole machine there, and has no memory.current.
  auto stat = usage.memory_bytes ? Text(folder, "memory.stat") : std::nullopt;
  if (!stat) return;
  usage.memory_working_set_bytes = WorkingSet(usage.memory_bytes, NumberOf("inactive_file", *stat));
  usage.memory_rss_bytes = NumberOf("anon", *stat);
  usage.memory_cache_bytes = NumberOf("file", *stat);
}

/// The name of a device, by its number; the number itself where /sys does not tell.
const std::string& Cgroup::DeviceName(std::string_view number) {
  auto known = std::find_if(device_names_.begin(), device_names_.end(),
                            [number](const auto& device) { return device.first == number; });
  if (known != device_names_.end()) return known->second;
  // Devices come and go; what is gone is forgotten with the rest.
  if (device_names_.size() >= 4 * kMaxDevices) device_names_.clear();
  std::string name(number);
  const std::string text =
      ReadSystemFile(Join(root_, "/sys/dev/block/", number, "/uevent")).value_or("");
  for (std::string_view rest = text; !rest.empty();) {
    constexpr std::string_view kKey = "DEVNAME=";
    std::string_view line = TakeLine(rest);
    if (line.starts_with(kKey)) name = Join("/dev/", line.substr(kKey.size()));
  }
  return device_names_.emplace_back(number, std::move(name)).second;
}

/// The device's place in the usage, made when it is new; null when there are too many.
CgroupUsage::Device* Cgroup::Place(CgroupUsage& usage, std::string_view number) {
  if (!IsDeviceNumber(number)) return nullptr;
  const std::string& name = DeviceName(number);
  for (CgroupUsage::Device& device : usage.devices) {
    if (device.name == name) return &device;
  }
  if (usage.devices.size() >= kMaxDevices) return nullptr;
  return &usage.devices.emplace_back(CgroupUsage::Device{.name = name});
}

void Cgroup::ReadDevices1(CgroupUsage& usage) {
  // "8:0 Read 4096", one line for each device and kind of operation, then a total.
  auto read = [&](const char* file, auto read_member, auto write_member) {
    auto text = Text(folders_.blkio, file);
    if (!text) return false;
    for (std::string_view rest = *text; !rest.empty();) {
      std::string_view line = TakeLine(rest);
      std::string_view number = TakeWord(line);
      std::string_view operation = TakeWord(line);
      auto value = NumberIn(line);
      CgroupUsage::Device* device = value ? Place(usage, number) : nullptr;
      if (device == nullptr) continue;
      if (operation == "Read") device->*read_member = *value;
      if (operation == "Write") device->*write_member = *value;
    }
    return true;
  };
  using Device = CgroupUsage::Device;
  if (!read("blkio.throttle.io_service_bytes_recursive", &Device::read_bytes,
            &Device::written_bytes)) {
    read("blkio.throttle.io_service_bytes", &Device::read_bytes, &Device::written_bytes);
  }
  if (!read("blkio.throttle.io_serviced_recursive", &Device::reads, &Device::writes)) {
    read("blkio.throttle.io_serviced", &Device::reads, &Device::writes);
  }
}

void Cgroup::ReadDevices2(CgroupUsage& usage) {
  auto text = Text(folders_.unified, "io.stat");
  if (!text) return;
  // "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6"
  for (std::string_view rest = *text; !rest.empty();) {
    std::string_view line = TakeLine(rest);
    std::string_view number = TakeWord(line);
    CgroupUsage::Device* device = Place(usage, number);
    if (device == nullptr) continue;
    for (std::string_view word = TakeWord(line); !word.empty(); word = TakeWord(line)) {
      const std::size_t equals = word.find('=');
      if (equals == std::string_view::npos) continue;
      auto value = NumberIn(word.substr(equals + 1));
      if (!value) continue;
      std::string_view key = word.substr(0, equals);
      if (key == "rbytes") device->read_bytes = *value;
      if (key == "wbytes") device->written_bytes = *value;
      if (key == "rios") device->reads = *value;
      if (key == "wios") device->writes = *value;
    }
  }
}

void Cgroup::ReadTasks(CgroupUsage& usage) const {
  const std::string& folder = folders_.pids.empty() ? folders_.unified : folders_.pids;
  usage.threads = Number(folder, "pids.current");
  usage.threads_limit = Limit(folder, "pids.max");
  const std::string& members = folders_.memory.empty() ? folders_.unified : folders_.memory;
  if (auto text = Text(members, "cgroup.procs")) {
    usage.processes = static_cast<std::uint64_t>(std::count(text->begin(), text->end(), '\n'));
  }
}

CgroupUsage::Pressure Cgroup::ReadPressure(const char* file) const {
  CgroupUsage::Pressure pressure;
  auto text = Text(folders_.unified, file);
  if (!text) return pressure;
  // "some avg10=0.00 avg60=0.00 avg300=0.00 total=1234", microseconds, and the same with "full".
  for (std::string_view rest = *text; !rest.empty();) {
    std::string_view line = TakeLine(rest);
    std::string_view kind = TakeWord(line);
    const std::size_t total = line.find("total=");
    if (total == std::string_view::npos) continue;
    auto seconds = Microseconds(NumberIn(line.substr(total + 6)));
    if (kind == "some") pressure.waiting_seconds = seconds;
    if (kind == "full") pressure.stalled_seconds = seconds;
  }
  return pressure;
}

}  // namespace dunlin::agent
