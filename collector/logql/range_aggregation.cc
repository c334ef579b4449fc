#include "collector/logql/range_aggregation.h"

#include <algorithm>
#include <utility>

#include "collector/logql/counted_range.h"
#include "collector/logql/entry_fault.h"
#include "collector/logql/pipeline.h"
#include "collector/logql/read_plan.h"
#include "collector/logql/series_table.h"
#include "collector/logql/window_sums.h"
#include "protocol/base/text.h"
#include "protocol/base/units.h"

namespace dunlin::logql {
namespace {

bool IsRate(RangeOp op) { return op == RangeOp::kRate || op == RangeOp::kBytesRate; }

/// Per series and step: how many entries its window holds, and if asked, their bytes.
class Totals {
 public:
  Totals(const RangeAggregation& aggregation, const std::optional<Grouping>& grouping,
         const RangeAggregationInput& input)
      : aggregation_(aggregation),
        step_count_(input.grid.count),
        max_bytes_(input.max_bytes),
        windows_(input.grid, aggregation.log_range.range, aggregation.log_range.offset),
        table_(grouping) {}

  const Windows& windows() const { return windows_; }
  bool too_large() const { return series_bytes_ + table_.bytes() > max_bytes_; }

  void Add(std::int64_t time_ns, const ProcessedEntry& entry) {
    auto span = windows_.StepsSeeing(time_ns);
    if (!span) return;
    std::size_t index = table_.IndexOf(entry.labels);
    if (index == series_.size()) series_.emplace_back();
    Sums& sums = series_[index];
    std::uint64_t before = sums.entries.bytes() + sums.bytes.bytes();
    sums.entries.Add(*span, 1, step_count_);
    if (CountsBytes(aggregation_.op)) {
      sums.bytes.Add(*span, static_cast<std::int64_t>(entry.line.size()), step_count_);
    }
    series_bytes_ += sums.entries.bytes() + sums.bytes.bytes() - before;
  }

  StepVector Take() {
    StepVector vector;
    vector.reserve(series_.size());
    for (std::size_t i = 0; i < series_.size(); ++i) {
      vector.push_back({table_.labels(i), Points(series_[i])});
      series_[i] = {};  // at most one series exists twice
    }
    std::sort(vector.begin(), vector.end(),
              [](const StepSeries& a, const StepSeries& b) { return a.labels < b.labels; });
    return vector;
  }

 private:
  struct Sums {
    WindowSums entries;
    WindowSums bytes;
  };

  std::vector<Point> Points(const Sums& sums) const {
    std::vector<Point> points;
    sums.entries.ForEach([&](std::size_t step, std::int64_t entries) {
      if (entries > 0) points.push_back({step, static_cast<double>(entries)});
    });
    if (CountsBytes(aggregation_.op)) {
      // Both sums touch the same steps; an entry without bytes still makes a point.
      auto point = points.begin();
      sums.bytes.ForEach([&](std::size_t step, std::int64_t bytes) {
        if (point == points.end() || point->step != step) return;
        point->value = static_cast<double>(bytes);
        ++point;
      });
    }
    for (Point& point : points) point.value = ValueOf(aggregation_, point.value);
    return points;
  }

  const RangeAggregation& aggregation_;
  std::size_t step_count_;
  std::uint64_t max_bytes_;
  Windows windows_;
  SeriesTable table_;
  std::vector<Sums> series_;
  std::uint64_t series_bytes_ = 0;
};

std::optional<Error> CheckFault(const EntryLabels& labels) {
  std::string_view fault = FaultOf(labels);
  if (fault.empty()) return std::nullopt;
  return Error(ErrorCode::kInvalidArgument,
               Join("pipeline error: ", fault, " for series ", labels.Folded().ToString(),
                    ": add | __error__=\"\" to leave such entries out"));
}

}  // namespace

bool CountsBytes(RangeOp op) { return op == RangeOp::kBytesOverTime || op == RangeOp::kBytesRate; }

double ValueOf(const RangeAggregation& aggregation, double amount) {
  if (!IsRate(aggregation.op)) return amount;
  return amount / std::chrono::duration<double>(aggregation.log_range.range).count();
}

Result<RangeAggregationOutput> EvaluateRangeAggregation(const RangeAggregation& aggregation,
                                                        const std::optional<Grouping>& grouping,
                                                        const RangeAggregationInput& input) {
  ReadPlan plan = PlanRead(aggregation.log_range.query);
  auto counted = EvaluateByCounting(aggregation, grouping, input, plan);
  if (!counted) return std::move(counted).error();
  if (*counted) return **std::move(counted);
  auto pipeline = Pipeline::Compile(plan.stages);
  if (!pipeline) return std::move(pipeline).error();
  Totals totals(aggregation, grouping, input);
  Selection selection{totals.windows().start_ns(), totals.windows().end_ns(),
                      std::move(plan.matchers),    std::move(plan.filters),
                      Order::kUnordered,           input.cancelled};
  ProcessedEntry processed;
  std::optional<Error> fault;
  auto stats = input.source.Read(selection, [&](const Entry& entry) {
    if (!pipeline->Process(entry, processed)) return true;
    fault = CheckFault(processed.labels);
    if (fault) return false;
    totals.Add(entry.time_ns, processed);
    return !totals.too_large();
  });
  if (!stats) return std::move(stats).error();
  if (fault) return *std::move(fault);
  if (totals.too_large()) {
    return Error(ErrorCode::kExhausted,
                 Join("the query needs more than ", FormatSize(input.max_bytes),
                      " of memory: narrow the selector, group by fewer labels or widen the step"));
  }
  return RangeAggregationOutput{totals.Take(), *std::move(stats)};
}

}  // namespace dunlin::logql
