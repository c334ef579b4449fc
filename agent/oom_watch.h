#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "protocol/base/clock.h"

namespace dunlin::agent {

/// Tells a process that the kernel killed for want of memory from one that somebody sent SIGKILL.
/// Both end alike, but the kernel counts what it kills in a control group. The count is that of the
/// whole group, so only a rise close to the process's end is taken for it: a worker that was killed
/// a minute ago does not explain the end of its master. Pure; one thread.
class OomWatch {
 public:
  /// A process with much memory takes its time to go after it was killed.
  static constexpr std::chrono::seconds kWindow{5};

  /// The group's count as it is now; the first one is where counting starts. Nothing: not known.
  void Note(std::optional<std::uint64_t> kills, SteadyTime now);
  /// The process was ended by SIGKILL, seen just now: whether that was the kernel. One rise
  /// explains one end.
  bool Explains(std::optional<std::uint64_t> kills, SteadyTime now);

 private:
  std::optional<std::uint64_t> kills_;
  std::optional<SteadyTime> risen_;
};

}  // namespace dunlin::agent
