#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "protocol/base/check.h"

namespace dunlin {

/// Observations counted under fixed upper bounds, with their sum: what a Prometheus histogram
/// shows. A value type without memory of its own, so a snapshot of it is a copy. One thread.
class Histogram {
 public:
  static constexpr std::size_t kMaxBounds = 12;

  /// `bounds` rise, are at most kMaxBounds and live for the whole process.
  explicit Histogram(std::span<const double> bounds) : bounds_(bounds) {
    Check(bounds.size() <= kMaxBounds, "too many bounds for a histogram");
  }

  void Observe(double value) {
    std::size_t bucket = 0;
    while (bucket < bounds_.size() && !(value <= bounds_[bucket])) ++bucket;
    ++counts_[bucket];
    sum_ += value;
  }

  std::span<const double> bounds() const { return bounds_; }
  /// Observations under bound `bucket` and over the one before; the last one, at bounds().size(),
  /// is all that is over every bound.
  std::uint64_t count(std::size_t bucket) const { return counts_[bucket]; }
  std::uint64_t total() const {
    std::uint64_t total = 0;
    for (std::uint64_t count : counts_) total += count;
    return total;
  }
  double sum() const { return sum_; }

 private:
  std::span<const double> bounds_;
  std::array<std::uint64_t, kMaxBounds + 1> counts_{};
  double sum_ = 0;
};

}  // namespace dunlin
