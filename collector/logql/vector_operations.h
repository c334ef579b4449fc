#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include "collector/logql/ast.h"
#include "protocol/base/label_set.h"

namespace dunlin::logql {

/// The value of one series at one step.
struct Point {
  std::size_t step = 0;
  double value = 0;
  friend bool operator==(const Point&, const Point&) = default;
};

struct StepSeries {
  LabelSet labels;
  std::vector<Point> points;  // ascending; steps without a value are absent
  friend bool operator==(const StepSeries&, const StepSeries&) = default;
};

/// Ordered by label set, each of which occurs once; no series is without points.
using StepVector = std::vector<StepSeries>;

/// What a metric expression is at all steps: the same number, or a vector at each.
using StepValue = std::variant<double, StepVector>;

/// Combines at each step the series that fall into one group.
StepVector Aggregate(const VectorAggregation& aggregation, const StepVector& operand,
                     std::size_t step_count);

/// Vectors are matched by their complete label sets; what has no partner vanishes. Comparisons keep
/// or drop samples of the (left) vector, or with `bool` become 0 and 1.
StepValue Combine(const BinaryOperation& operation, const StepValue& left, const StepValue& right);

/// About what a value occupies.
std::uint64_t ApproximateBytes(const StepValue& value);

}  // namespace dunlin::logql
