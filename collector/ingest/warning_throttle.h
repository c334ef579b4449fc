#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "protocol/base/clock.h"

namespace dunlin::ingest {

/// Lets one warning of a kind through per interval, so that a broken peer cannot fill our own log.
/// One thread.
class WarningThrottle {
 public:
  explicit WarningThrottle(std::chrono::seconds interval) : interval_(interval) {}

  /// Whether to warn now: how many warnings were held back since the last one.
  std::optional<std::uint64_t> Allow(SteadyTime now) {
    if (last_ && now - *last_ < interval_) {
      ++held_back_;
      return std::nullopt;
    }
    last_ = now;
    std::uint64_t held_back = held_back_;
    held_back_ = 0;
    return held_back;
  }

 private:
  std::chrono::seconds interval_;
  std::optional<SteadyTime> last_;
  std::uint64_t held_back_ = 0;
};

}  // namespace dunlin::ingest
