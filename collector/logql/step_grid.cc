#include "collector/logql/step_grid.h"

#include <algorithm>
#include <limits>

namespace dunlin::logql {
namespace {

using Limits = std::numeric_limits<std::int64_t>;

std::int64_t ClampedAdd(std::int64_t a, std::int64_t b) {
  std::int64_t sum = 0;
  if (__builtin_add_overflow(a, b, &sum)) return b > 0 ? Limits::max() : Limits::min();
  return sum;
}

std::int64_t ClampedSubtract(std::int64_t a, std::int64_t b) {
  std::int64_t difference = 0;
  if (__builtin_sub_overflow(a, b, &difference)) return b < 0 ? Limits::max() : Limits::min();
  return difference;
}

}  // namespace

std::int64_t StepGrid::At(std::size_t step) const {
  // The result is in range although the distance from the start may not be: unsigned arithmetic.
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(start_ns) +
                                   step * static_cast<std::uint64_t>(step_ns));
}

Windows::Windows(const StepGrid& grid, std::chrono::nanoseconds range,
                 std::chrono::nanoseconds offset)
    : first_edge_ns_(ClampedSubtract(grid.start_ns, offset.count())),
      step_ns_(grid.step_ns),
      range_ns_(range.count()),
      count_(grid.count),
      start_ns_(ClampedAdd(ClampedSubtract(first_edge_ns_, range.count()), 1)),
      end_ns_(ClampedAdd(ClampedSubtract(grid.At(grid.count - 1), offset.count()), 1)) {}

std::optional<StepSpan> Windows::StepsSeeing(std::int64_t time_ns) const {
  // Relative to the first right edge, the window of step k is (k * step - range, k * step].
  std::int64_t time = ClampedSubtract(time_ns, first_edge_ns_);
  std::int64_t reach =
      ClampedAdd(time, range_ns_);  // the windows that start before: k * step < reach
  if (reach <= 0) return std::nullopt;
  std::int64_t first = time <= 0 ? 0 : (time - 1) / step_ns_ + 1;
  std::int64_t last = std::min((reach - 1) / step_ns_, static_cast<std::int64_t>(count_) - 1);
  if (first > last) return std::nullopt;
  return StepSpan{static_cast<std::size_t>(first), static_cast<std::size_t>(last)};
}

}  // namespace dunlin::logql
