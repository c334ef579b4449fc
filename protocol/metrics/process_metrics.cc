#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <string>

#include "protocol/base/text.h"
#include "protocol/metrics/process_stat.h"
#include "protocol/metrics/registry.h"

namespace dunlin::metrics {
namespace {

// Files of /proc have no size, so they are read until they end. An unreadable one is empty: a
// process without /proc serves the rest of the page.
std::string ReadProc(const char* path) {
  std::string text;
  int fd = ::open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return text;
  char buffer[4096];
  ssize_t n;
  while ((n = ::read(fd, buffer, sizeof buffer)) > 0) {
    text.append(buffer, static_cast<std::size_t>(n));
  }
  ::close(fd);
  return text;
}

std::optional<std::uint64_t> CountOpenDescriptors() {
  DIR* folder = ::opendir("/proc/self/fd");
  if (folder == nullptr) return std::nullopt;
  std::uint64_t entries = 0;
  while (::readdir(folder) != nullptr) ++entries;
  ::closedir(folder);
  return entries - 3;  // ".", ".." and the folder's own descriptor
}

double AsDouble(std::uint64_t value) { return static_cast<double>(value); }

double LimitOf(int resource) {
  rlimit limit{};
  if (::getrlimit(static_cast<__rlimit_resource_t>(resource), &limit) != 0) return 0;
  // Prometheus's own clients show "unlimited" as -1 for memory; descriptors always have a number.
  return limit.rlim_cur == RLIM_INFINITY ? -1 : static_cast<double>(limit.rlim_cur);
}

void FillProcess(Snapshot& snapshot, double boot_time) {
  if (auto stat = ParseProcessStat(ReadProc("/proc/self/stat"))) {
    auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
    auto page = static_cast<double>(::sysconf(_SC_PAGESIZE));
    snapshot.Counter("process_cpu_seconds_total", "User and system CPU time of this process.",
                     AsDouble(stat->cpu_ticks) / ticks);
    snapshot.Gauge("process_start_time_seconds", "When this process started, as Unix time.",
                   boot_time + AsDouble(stat->start_ticks) / ticks);
    snapshot.Gauge("process_resident_memory_bytes", "Memory of this process in RAM.",
                   AsDouble(stat->resident_pages) * page);
    snapshot.Gauge("process_virtual_memory_bytes", "Address space of this process.",
                   AsDouble(stat->virtual_bytes));
    snapshot.Gauge("process_threads", "Threads of this process.", AsDouble(stat->threads));
  }
  snapshot.Gauge("process_virtual_memory_max_bytes",
                 "Limit of the address space of this process, -1 when there is none.",
                 LimitOf(RLIMIT_AS));
  if (auto open = CountOpenDescriptors()) {
    snapshot.Gauge("process_open_fds", "File descriptors in use.", AsDouble(*open));
  }
  snapshot.Gauge("process_max_fds", "Limit of file descriptors.", LimitOf(RLIMIT_NOFILE));
}

}  // namespace

void AddProcessMetrics(Registry& registry, std::string_view program) {
  double boot_time = AsDouble(ParseKeyedNumber(ReadProc("/proc/stat"), "btime").value_or(0));
  std::string build_info = Join("dunlin_", program, "_build_info");
  registry.OnScrape([boot_time, build_info](Snapshot& snapshot) {
    snapshot.Gauge(build_info, "Version of this program; the value is always 1.", 1,
                   {{"version", DUNLIN_VERSION}, {"compiler", "gcc " __VERSION__}});
    FillProcess(snapshot, boot_time);
  });
}

}  // namespace dunlin::metrics
