#pragma once

#include <chrono>
#include <cstdint>

namespace dunlin {

/// Log time: wall clock, nanoseconds since 1970-01-01 UTC. It may jump; waiting uses the steady
/// clock.
using LogTime = std::chrono::sys_time<std::chrono::nanoseconds>;
using SteadyTime = std::chrono::steady_clock::time_point;

/// Both clocks behind one interface, so that tests turn the hands. Any thread.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual LogTime Now() const = 0;
  virtual SteadyTime Steady() const = 0;
};

/// The machine's own clocks; lives for the whole process.
const Clock& SystemClock();

inline std::int64_t NanosecondsOf(LogTime time) { return time.time_since_epoch().count(); }
inline LogTime LogTimeOf(std::int64_t time_ns) {
  return LogTime(std::chrono::nanoseconds(time_ns));
}

}  // namespace dunlin
