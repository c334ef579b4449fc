#pragma once

#include <cstdint>
#include <optional>

namespace dunlin::agent {

/// What the agent itself uses. Without /proc the last two are not known.
struct ProcessUsage {
  double cpu_seconds = 0;
  std::optional<std::uint64_t> resident_bytes;
  std::optional<std::uint64_t> open_descriptors;
};

ProcessUsage ReadProcessUsage();

}  // namespace dunlin::agent
