#pragma once

#include <cstdint>
#include <optional>

namespace dunlin::agent {

/// What the agent itself uses. Without /proc only the time is known.
struct ProcessUsage {
  double cpu_seconds = 0;
  std::optional<std::uint64_t> resident_bytes;
  std::optional<std::uint64_t> anonymous_bytes;  // of them: not of a file
  std::optional<std::uint64_t> open_descriptors;
};

ProcessUsage ReadProcessUsage();

}  // namespace dunlin::agent
