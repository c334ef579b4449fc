#include <algorithm>
#include <utility>

#include "collector/logql/evaluate.h"
#include "collector/logql/range_aggregation.h"
#include "collector/logql/step_grid.h"
#include "collector/logql/vector_operations.h"
#include "protocol/base/text.h"
#include "protocol/base/units.h"

namespace dunlin::logql {
namespace {

void AddStats(SourceStats& total, SourceStats part) {
  total.bytes += part.bytes;
  total.lines += part.lines;
  total.segments += part.segments;
  total.blocks += part.blocks;
  for (std::string& warning : part.warnings) {
    auto known = std::find(total.warnings.begin(), total.warnings.end(), warning);
    if (known == total.warnings.end()) total.warnings.push_back(std::move(warning));
  }
}

/// Walks a metric query from its leaves up, all steps at once.
class Evaluator {
 public:
  Evaluator(EntrySource& source, const StepGrid& grid, const EvaluationLimits& limits,
            const std::atomic<bool>* cancelled)
      : source_(source), grid_(grid), limits_(limits), cancelled_(cancelled) {}

  Result<StepValue> Run(const MetricQuery& query) {
    auto value = std::visit([this](const auto& node) { return Evaluate(node); }, query.node);
    if (!value) return value;
    held_bytes_ += ApproximateBytes(*value);
    if (held_bytes_ > limits_.max_working_bytes) {
      return Error(ErrorCode::kExhausted,
                   Join("the query needs more than ", FormatSize(limits_.max_working_bytes),
                        " of memory: narrow the selector or group by fewer labels"));
    }
    return value;
  }

  SourceStats TakeStats() { return std::move(stats_); }

 private:
  Result<StepValue> Evaluate(const Number& number) { return StepValue(number.value); }

  Result<StepValue> Evaluate(const ConstantVector& constant) {
    StepSeries series;
    for (std::size_t step = 0; step < grid_.count; ++step) {
      series.points.push_back({step, constant.value});
    }
    return StepValue(StepVector{std::move(series)});
  }

  Result<StepValue> Evaluate(const RangeAggregation& aggregation) {
    return EvaluateRange(aggregation, std::nullopt);
  }

  Result<StepValue> Evaluate(const VectorAggregation& aggregation) {
    const auto* range = std::get_if<RangeAggregation>(&aggregation.operand->node);
    if (range != nullptr && aggregation.op == VectorOp::kSum) {
      // Entries can be counted into their groups at once, without ever making the series apart.
      return EvaluateRange(*range, aggregation.grouping.value_or(Grouping{}));
    }
    auto operand = Run(*aggregation.operand);
    if (!operand) return operand;
    StepVector out = Aggregate(aggregation, std::get<StepVector>(*operand), grid_.count);
    held_bytes_ -= ApproximateBytes(*operand);
    return StepValue(std::move(out));
  }

  Result<StepValue> Evaluate(const BinaryOperation& operation) {
    auto left = Run(*operation.left);
    if (!left) return left;
    auto right = Run(*operation.right);
    if (!right) return right;
    StepValue out = Combine(operation, *left, *right);
    held_bytes_ -= ApproximateBytes(*left) + ApproximateBytes(*right);
    return out;
  }

  Result<StepValue> EvaluateRange(const RangeAggregation& aggregation,
                                  const std::optional<Grouping>& grouping) {
    RangeAggregationInput input{source_, grid_, limits_.max_working_bytes - held_bytes_,
                                cancelled_};
    auto output = EvaluateRangeAggregation(aggregation, grouping, input);
    if (!output) return std::move(output).error();
    AddStats(stats_, std::move(output->stats));
    return StepValue(std::move(output->vector));
  }

  EntrySource& source_;
  StepGrid grid_;
  const EvaluationLimits& limits_;
  const std::atomic<bool>* cancelled_;
  std::uint64_t held_bytes_ = 0;  // by the values that are alive
  SourceStats stats_;
};

Result<void> CheckSeriesCount(const StepVector& vector, const EvaluationLimits& limits) {
  if (vector.size() <= limits.max_series) return {};
  return Error(ErrorCode::kExhausted,
               Join("maximum number of series (", limits.max_series,
                    ") reached for a single query: the result has ", vector.size(),
                    "; narrow the selector or group by fewer labels"));
}

Result<StepGrid> MakeGrid(const RangeQueryParams& params) {
  if (params.step.count() <= 0) {
    return Error(ErrorCode::kInvalidArgument, "the step must be longer than zero");
  }
  if (params.end_ns < params.start_ns) {
    return Error(ErrorCode::kInvalidArgument, "the end is before the start");
  }
  std::uint64_t span =
      static_cast<std::uint64_t>(params.end_ns) - static_cast<std::uint64_t>(params.start_ns);
  std::uint64_t intervals = span / static_cast<std::uint64_t>(params.step.count());
  if (intervals > params.limits.max_points) {
    return Error(
        ErrorCode::kExhausted,
        Join("the query asks for ", intervals, " points per series, more than the allowed ",
             params.limits.max_points, ": widen the step or shorten the time range"));
  }
  return StepGrid{params.start_ns, params.step.count(), static_cast<std::size_t>(intervals) + 1};
}

}  // namespace

Result<RangeQueryResult> RunRangeQuery(EntrySource& source, const MetricQuery& query,
                                       const RangeQueryParams& params) {
  auto grid = MakeGrid(params);
  if (!grid) return std::move(grid).error();
  Evaluator evaluator(source, *grid, params.limits, params.cancelled);
  auto value = evaluator.Run(query);
  if (!value) return std::move(value).error();
  if (const double* number = std::get_if<double>(&*value)) {
    value = evaluator.Run(MetricQuery{ConstantVector{*number}});
    if (!value) return std::move(value).error();
  }
  const auto& vector = std::get<StepVector>(*value);
  if (auto checked = CheckSeriesCount(vector, params.limits); !checked) {
    return std::move(checked).error();
  }
  RangeQueryResult result{{}, evaluator.TakeStats()};
  result.series.reserve(vector.size());
  for (const StepSeries& from : vector) {
    Series series{from.labels, {}};
    series.samples.reserve(from.points.size());
    for (const Point& point : from.points) {
      series.samples.push_back({grid->At(point.step), point.value});
    }
    result.series.push_back(std::move(series));
  }
  return result;
}

Result<InstantQueryResult> RunInstantQuery(EntrySource& source, const MetricQuery& query,
                                           const InstantQueryParams& params) {
  StepGrid grid{params.time_ns, 1, 1};
  Evaluator evaluator(source, grid, params.limits, params.cancelled);
  auto value = evaluator.Run(query);
  if (!value) return std::move(value).error();
  InstantQueryResult result{0.0, evaluator.TakeStats()};
  if (const double* number = std::get_if<double>(&*value)) {
    result.value = *number;
    return result;
  }
  const auto& vector = std::get<StepVector>(*value);
  if (auto checked = CheckSeriesCount(vector, params.limits); !checked) {
    return std::move(checked).error();
  }
  std::vector<InstantSample> samples;
  samples.reserve(vector.size());
  for (const StepSeries& series : vector) {
    samples.push_back({series.labels, series.points.front().value});
  }
  result.value = std::move(samples);
  return result;
}

}  // namespace dunlin::logql
