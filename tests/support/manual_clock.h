#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

#include "protocol/base/clock.h"

namespace dunlin::testing {

/// A clock whose hands the test turns; both move together. Starts at 2026-01-01 00:00:00 UTC. Any
/// thread.
class ManualClock final : public Clock {
 public:
  static constexpr std::int64_t kStartNs = 1'767'225'600'000'000'000;

  LogTime Now() const override { return LogTimeOf(wall_ns_.load()); }
  SteadyTime Steady() const override {
    return SteadyTime(std::chrono::nanoseconds(steady_ns_.load()));
  }

  void Advance(std::chrono::nanoseconds by) {
    wall_ns_ += by.count();
    steady_ns_ += by.count();
  }
  /// Sets the wall clock only, as an administrator or NTP would; waiting is not disturbed.
  void SetWall(LogTime time) { wall_ns_ = NanosecondsOf(time); }

 private:
  std::atomic<std::int64_t> wall_ns_{kStartNs};
  std::atomic<std::int64_t> steady_ns_{1'000'000'000};
};

}  // namespace dunlin::testing
