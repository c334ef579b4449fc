#include "agent/process_usage.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <string_view>

#include "protocol/base/text.h"

namespace dunlin::agent {
namespace {

double Seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

std::optional<std::uint64_t> ReadResidentBytes() {
  int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return std::nullopt;
  char buffer[128];
  ssize_t got = read(fd, buffer, sizeof buffer);
  close(fd);
  if (got <= 0) return std::nullopt;
  // proc(5): size, then resident, in pages.
  auto fields = Split(std::string_view(buffer, static_cast<std::size_t>(got)), ' ');
  if (fields.size() < 2) return std::nullopt;
  auto pages = ParseInteger<std::uint64_t>(fields[1]);
  if (!pages) return std::nullopt;
  return *pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
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
  usage.resident_bytes = ReadResidentBytes();
  usage.open_descriptors = CountDescriptors();
  return usage;
}

}  // namespace dunlin::agent
