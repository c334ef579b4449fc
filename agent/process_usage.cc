#include "agent/process_usage.h"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <string_view>

#include "agent/system_file.h"
#include "protocol/base/text.h"

namespace dunlin::agent {
namespace {

double Seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

void ReadMemory(ProcessUsage& usage) {
  auto text = ReadSystemFile("/proc/self/statm");
  if (!text) return;
  // proc(5): size, resident, then resident pages of files and shared memory.
  auto fields = Split(*text, ' ');
  if (fields.size() < 3) return;
  auto resident = ParseInteger<std::uint64_t>(fields[1]);
  auto shared = ParseInteger<std::uint64_t>(fields[2]);
  if (!resident) return;
  const auto page = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  usage.resident_bytes = *resident * page;
  if (shared && *shared <= *resident) usage.anonymous_bytes = (*resident - *shared) * page;
}

std::optional<std::uint64_t> CountDescriptors() {
  DIR* folder = opendir("/proc/self/fd");
  if (folder == nullptr) return std::nullopt;
  std::uint64_t count = 0;
  while (const dirent* entry = readdir(folder)) {
    if (entry->d_name[0] != '.') ++count;
  }
  closedir(folder);
  return count - 1;  // not the one that reads the folder
}

}  // namespace

ProcessUsage ReadProcessUsage() {
  ProcessUsage usage;
  rusage own{};
  if (getrusage(RUSAGE_SELF, &own) == 0) {
    usage.cpu_seconds = Seconds(own.ru_utime) + Seconds(own.ru_stime);
  }
  ReadMemory(usage);
  usage.open_descriptors = CountDescriptors();
  return usage;
}

}  // namespace dunlin::agent
