#include "agent/cgroup_metrics.h"

namespace dunlin::agent {
namespace {

void AddCpu(Families& out, const CgroupUsage& usage) {
  out.Counter("container_cpu_usage_seconds_total", "CPU time of the container.", usage.cpu_seconds);
  out.Counter("container_cpu_user_seconds_total", "CPU time of the container in user mode.",
              usage.cpu_user_seconds);
  out.Counter("container_cpu_system_seconds_total", "CPU time of the container in the kernel.",
              usage.cpu_system_seconds);
  out.Counter("container_cpu_cfs_periods_total", "Periods of the CPU quota that have passed.",
              usage.cpu_periods);
  out.Counter("container_cpu_cfs_throttled_periods_total",
              "Periods in which the quota was used up.", usage.cpu_throttled_periods);
  out.Counter("container_cpu_cfs_throttled_seconds_total",
              "Time for which the container was not run because of it.",
              usage.cpu_throttled_seconds);
}

void AddMemory(Families& out, const CgroupUsage& usage) {
  out.Gauge("container_memory_usage_bytes", "Memory of the container, file cache included.",
            usage.memory_bytes);
  out.Gauge("container_memory_working_set_bytes", "The same without inactive file cache.",
            usage.memory_working_set_bytes);
  out.Gauge("container_memory_rss", "Anonymous memory, in bytes.", usage.memory_rss_bytes);
  out.Gauge("container_memory_cache", "File cache, in bytes.", usage.memory_cache_bytes);
  out.Gauge("container_memory_swap", "Swap used, in bytes.", usage.memory_swap_bytes);
  out.Gauge("container_memory_max_usage_bytes", "The most memory the container ever used.",
            usage.memory_peak_bytes);
  out.Gauge("container_spec_memory_limit_bytes", "Memory the container may use.",
            usage.memory_limit_bytes);
  out.Untyped("container_memory_failcnt", "Times the container met its memory limit.",
              usage.memory_limit_hits);
  out.Counter("container_oom_events_total",
              "Processes of the container that the kernel killed for want of memory.",
              usage.oom_kills);
}

void AddTasks(Families& out, const CgroupUsage& usage) {
  out.Gauge("container_processes", "Processes in the container.", usage.processes);
  out.Gauge("container_threads", "Threads in the container.", usage.threads);
  out.Gauge("container_threads_max", "Threads the container may have.", usage.threads_limit);
}

void AddDevices(Families& out, const CgroupUsage& usage) {
  using Device = CgroupUsage::Device;
  auto add = [&](std::string_view name, std::string_view help, std::uint64_t Device::*member) {
    out.BeginCounter(name, help);
    for (const Device& device : usage.devices) {
      out.Sample(device.*member, {{"device", device.name}});
    }
  };
  add("container_fs_reads_bytes_total", "Bytes read from a device.", &Device::read_bytes);
  add("container_fs_writes_bytes_total", "Bytes written to a device.", &Device::written_bytes);
  add("container_fs_reads_total", "Reads from a device.", &Device::reads);
  add("container_fs_writes_total", "Writes to a device.", &Device::writes);
}

void AddPressure(Families& out, const CgroupUsage& usage) {
  out.Counter("container_pressure_cpu_waiting_seconds_total",
              "Time in which some task waited for a CPU.", usage.cpu_pressure.waiting_seconds);
  out.Counter("container_pressure_cpu_stalled_seconds_total", "Time in which every task did.",
              usage.cpu_pressure.stalled_seconds);
  out.Counter("container_pressure_memory_waiting_seconds_total",
              "Time in which some task waited for memory.", usage.memory_pressure.waiting_seconds);
  out.Counter("container_pressure_memory_stalled_seconds_total", "Time in which every task did.",
              usage.memory_pressure.stalled_seconds);
  out.Counter("container_pressure_io_waiting_seconds_total",
              "Time in which some task waited for a device.", usage.io_pressure.waiting_seconds);
  out.Counter("container_pressure_io_stalled_seconds_total", "Time in which every task did.",
              usage.io_pressure.stalled_seconds);
}

}  // namespace

void AddCgroup(Families& out, const CgroupUsage& usage) {
  AddCpu(out, usage);
  AddMemory(out, usage);
  AddTasks(out, usage);
  AddDevices(out, usage);
  AddPressure(out, usage);
}

}  // namespace dunlin::agent
