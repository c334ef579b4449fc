#include "collector/descriptor_limit.h"

#include <sys/resource.h>

#include <algorithm>

namespace dunlin::collector {
namespace {

/// HTTP clients (1,024 at most), segments being read, the log, the loop. Where there are few, a
/// quarter of them has to do.
constexpr std::uint64_t kKept = 1536;

}  // namespace

std::uint64_t RaiseDescriptorLimit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  const rlim_t before = limit.rlim_cur;
  limit.rlim_cur = limit.rlim_max;
  return ::setrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_max : before;
}

std::size_t AgentsWithin(std::uint64_t descriptors, std::size_t wanted) {
  const std::uint64_t kept = std::min(kKept, descriptors / 4);
  return static_cast<std::size_t>(std::min<std::uint64_t>(wanted, descriptors - kept));
}

std::uint64_t DescriptorsFor(std::size_t wanted) {
  return std::min(wanted + kKept, wanted + (wanted + 2) / 3);
}

}  // namespace dunlin::collector
