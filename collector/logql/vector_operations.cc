#include "collector/logql/vector_operations.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <string>

#include "collector/logql/binary_ops.h"
#include "collector/logql/series_table.h"

namespace dunlin::logql {
namespace {

/// What the samples of one group amount to so far, at one step.
class Accumulator {
 public:
  void Add(VectorOp op, double value) {
    ++count_;
    if (count_ == 1) {
      value_ = value;
      return;
    }
    switch (op) {
      case VectorOp::kSum:
      case VectorOp::kAvg:
        value_ += value;
        break;
      case VectorOp::kMin:
        if (value < value_ || std::isnan(value_)) value_ = value;
        break;
      case VectorOp::kMax:
        if (value > value_ || std::isnan(value_)) value_ = value;
        break;
      case VectorOp::kCount:
        break;
    }
  }

  bool empty() const { return count_ == 0; }

  double Total(VectorOp op) const {
    if (op == VectorOp::kCount) return static_cast<double>(count_);
    if (op == VectorOp::kAvg) return value_ / static_cast<double>(count_);
    return value_;
  }

 private:
  std::size_t count_ = 0;
  double value_ = 0;
};

/// The accumulators of one group after another.
class GroupAggregator {
 public:
  GroupAggregator(VectorOp op, std::size_t step_count) : op_(op), accumulators_(step_count) {}

  std::vector<Point> Run(const std::vector<const StepSeries*>& members) {
    std::size_t first = accumulators_.size();
    std::size_t last = 0;
    for (const StepSeries* member : members) {
      for (const Point& point : member->points) accumulators_[point.step].Add(op_, point.value);
      first = std::min(first, member->points.front().step);
      last = std::max(last, member->points.back().step);
    }
    std::vector<Point> points;
    for (std::size_t step = first; step <= last; ++step) {
      Accumulator& accumulator = accumulators_[step];
      if (!accumulator.empty()) points.push_back({step, accumulator.Total(op_)});
      accumulator = {};
    }
    return points;
  }

 private:
  VectorOp op_;
  std::vector<Accumulator> accumulators_;
};

/// What `a op b` leaves of a sample whose own value is `kept`.
std::optional<double> CombineSample(const BinaryOperation& operation, double a, double b,
                                    double kept) {
  double result = Compute(operation.op, a, b);
  if (!IsComparison(operation.op) || operation.return_bool) return result;
  if (result == 0) return std::nullopt;
  return kept;
}

template <typename CombineOne>
StepVector Transform(const StepVector& vector, CombineOne combine_one) {
  StepVector out;
  for (const StepSeries& series : vector) {
    StepSeries left{series.labels, {}};
    for (const Point& point : series.points) {
      if (auto value = combine_one(point.value)) left.points.push_back({point.step, *value});
    }
    if (!left.points.empty()) out.push_back(std::move(left));
  }
  return out;
}

std::vector<Point> CombinePoints(const BinaryOperation& operation, const std::vector<Point>& left,
                                 const std::vector<Point>& right) {
  std::vector<Point> out;
  auto b = right.begin();
  for (const Point& a : left) {
    while (b != right.end() && b->step < a.step) ++b;
    if (b == right.end()) break;
    if (b->step != a.step) continue;
    if (auto value = CombineSample(operation, a.value, b->value, a.value)) {
      out.push_back({a.step, *value});
    }
  }
  return out;
}

StepVector CombineVectors(const BinaryOperation& operation, const StepVector& left,
                          const StepVector& right) {
  StepVector out;
  auto b = right.begin();
  for (const StepSeries& a : left) {
    while (b != right.end() && b->labels < a.labels) ++b;
    if (b == right.end()) break;
    if (b->labels != a.labels) continue;
    StepSeries series{a.labels, CombinePoints(operation, a.points, b->points)};
    if (!series.points.empty()) out.push_back(std::move(series));
  }
  return out;
}

}  // namespace

StepVector Aggregate(const VectorAggregation& aggregation, const StepVector& operand,
                     std::size_t step_count) {
  std::map<LabelSet, std::vector<const StepSeries*>> groups;
  const Grouping everything{Grouping::Kind::kBy, {}};
  const Grouping& grouping = aggregation.grouping ? *aggregation.grouping : everything;
  for (const StepSeries& series : operand) {
    groups[GroupLabels(grouping, series.labels)].push_back(&series);
  }
  GroupAggregator aggregator(aggregation.op, step_count);
  StepVector out;
  for (const auto& [labels, members] : groups) out.push_back({labels, aggregator.Run(members)});
  return out;
}

StepValue Combine(const BinaryOperation& operation, const StepValue& left, const StepValue& right) {
  const double* a = std::get_if<double>(&left);
  const double* b = std::get_if<double>(&right);
  if (a != nullptr && b != nullptr) return Compute(operation.op, *a, *b);
  if (a != nullptr) {
    return Transform(std::get<StepVector>(right),
                     [&](double value) { return CombineSample(operation, *a, value, value); });
  }
  if (b != nullptr) {
    return Transform(std::get<StepVector>(left),
                     [&](double value) { return CombineSample(operation, value, *b, value); });
  }
  return CombineVectors(operation, std::get<StepVector>(left), std::get<StepVector>(right));
}

std::uint64_t ApproximateBytes(const StepValue& value) {
  const auto* vector = std::get_if<StepVector>(&value);
  if (vector == nullptr) return sizeof(double);
  std::uint64_t bytes = 0;
  for (const StepSeries& series : *vector) {
    bytes += sizeof(StepSeries) + series.points.capacity() * sizeof(Point);
    for (const auto& [name, text] : series.labels) {
      bytes += sizeof(LabelSet::Label) + name.size() + text.size();
    }
  }
  return bytes;
}

}  // namespace dunlin::logql
