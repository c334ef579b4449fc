#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "protocol/base/clock.h"

namespace dunlin::shipper {

/// Keeps what passes below a rate, over any longer time: tokens come at that rate, and those of one
/// second are kept for a burst. What is larger than what is left still passes as long as anything
/// is left, and is paid back later, so that nothing is too large for ever. Reads no clock.
class TokenBucket {
 public:
  /// Full at first. `rate` is in tokens a second, at least one.
  explicit TokenBucket(std::uint64_t rate)
      : rate_(static_cast<double>(rate)), tokens_(static_cast<double>(rate)) {}

  /// What has come by `now`; a time before the last one changes nothing.
  void Refill(SteadyTime now) {
    if (last_ != SteadyTime{} && now > last_) {
      tokens_ += rate_ * std::chrono::duration<double>(now - last_).count();
      tokens_ = std::min(tokens_, rate_);
    }
    last_ = std::max(last_, now);
  }
  /// Takes `tokens` if any are left.
  bool Take(std::uint64_t tokens) {
    if (tokens_ <= 0) return false;
    Charge(tokens);
    return true;
  }
  /// Takes them in any case.
  void Charge(std::uint64_t tokens) { tokens_ -= static_cast<double>(tokens); }

 private:
  double rate_;
  double tokens_;
  SteadyTime last_{};
};

}  // namespace dunlin::shipper
