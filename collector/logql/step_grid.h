#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace dunlin::logql {

/// The times a metric query is evaluated at: start, start + step, ... `count` of them.
struct StepGrid {
  std::int64_t start_ns = 0;
  std::int64_t step_ns = 1;  // above zero
  std::size_t count = 1;     // at least one

  std::int64_t At(std::size_t step) const;
};

/// Steps first..last, both included.
struct StepSpan {
  std::size_t first = 0;
  std::size_t last = 0;
  friend bool operator==(const StepSpan&, const StepSpan&) = default;
};

/// The windows of a range aggregation: at step t it sees the entries with
/// t - offset - range < time <= t - offset. Times out of reach of 64 bits are clamped.
class Windows {
 public:
  Windows(const StepGrid& grid, std::chrono::nanoseconds range, std::chrono::nanoseconds offset);

  /// What there is to read for all steps.
  std::int64_t start_ns() const { return start_ns_; }  // inclusive
  std::int64_t end_ns() const { return end_ns_; }      // exclusive

  /// The steps that see an entry of this time: always neighbours.
  std::optional<StepSpan> StepsSeeing(std::int64_t time_ns) const;

 private:
  std::int64_t first_edge_ns_;  // the right edge of the first window
  std::int64_t step_ns_;
  std::int64_t range_ns_;
  std::size_t count_;
  std::int64_t start_ns_;
  std::int64_t end_ns_;
};

}  // namespace dunlin::logql
