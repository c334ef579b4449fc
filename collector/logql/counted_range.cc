#include "collector/logql/counted_range.h"

#include <algorithm>
#include <limits>
#include <set>
#include <utility>

#include "collector/logql/entry_fault.h"
#include "collector/logql/pipeline.h"
#include "collector/logql/series_table.h"

namespace dunlin::logql {
namespace {

/// Windows have two edges each; more are too many to be worth it.
constexpr std::size_t kMaxSteps = 500'000;

/// Labels that decide about a stage's outcome, or how it is judged afterwards.
class NamesRead {
 public:
  void Add(const LabelFilter& filter) {
    names_.insert({"__error__", "__preserve_error__"});
    std::visit([this](const auto& node) { AddNode(node); }, filter.node);
  }
  bool Has(const std::string& name) const { return names_.contains(name); }
  const std::set<std::string>& names() const { return names_; }

 private:
  void AddNode(const Matcher& matcher) { names_.insert(matcher.name); }
  void AddNode(const LabelComparison& comparison) { names_.insert(comparison.name); }
  void AddNode(const LabelAllOf& all) { AddTerms(all.terms); }
  void AddNode(const LabelAnyOf& any) { AddTerms(any.terms); }
  void AddTerms(const std::vector<LabelFilter>& terms) {
    for (const LabelFilter& term : terms) Add(term);
  }

  std::set<std::string> names_;
};

/// The windows of all steps as the sums of intervals between their edges.
class WindowEdges {
 public:
  /// Nothing when an edge is out of reach of 64 bits.
  static std::optional<WindowEdges> Create(const StepGrid& grid, const LogRange& range) {
    std::int64_t first = 0;
    std::int64_t length = 0;
    std::int64_t last = 0;
    std::int64_t begin = 0;
    if (grid.count > kMaxSteps ||
        __builtin_sub_overflow(grid.start_ns, range.offset.count(), &first) ||
        __builtin_mul_overflow(grid.step_ns, grid.count - 1, &length) ||
        __builtin_add_overflow(first, length, &last) ||
        __builtin_sub_overflow(first, range.range.count(), &begin) ||
        last == std::numeric_limits<std::int64_t>::max()) {
      return std::nullopt;
    }
    return WindowEdges(grid, first, range.range.count());
  }

  const std::vector<std::int64_t>& edges() const { return edges_; }

  /// Calls visit(step, sum) for the steps whose windows have entries of the group.
  template <typename Visit>
  void ForEachStep(const GroupCounts& group, Visit visit) const {
    std::size_t end = group.first + group.intervals.size();
    std::vector<IntervalCount> before(group.intervals.size() + 1);  // sums of all earlier ones
    for (std::size_t i = 0; i < group.intervals.size(); ++i) {
      before[i + 1] = {before[i].entries + group.intervals[i].entries,
                       before[i].bytes + group.intervals[i].bytes};
    }
    auto sum_before = [&](std::size_t interval) -> const IntervalCount& {
      return before[std::clamp(interval, group.first, end) - group.first];
    };
    auto first = std::upper_bound(right_.begin(), right_.end(), group.first);
    for (auto step = static_cast<std::size_t>(first - right_.begin());
         step < left_.size() && left_[step] < end; ++step) {
      const IntervalCount& upto = sum_before(right_[step]);
      const IntervalCount& from = sum_before(left_[step]);
      IntervalCount sum{upto.entries - from.entries, upto.bytes - from.bytes};
      if (sum.entries > 0) visit(step, sum);
    }
  }

 private:
  WindowEdges(const StepGrid& grid, std::int64_t first, std::int64_t range) {
    std::vector<std::int64_t> ends;
    for (std::size_t step = 0; step < grid.count; ++step) {
      ends.push_back(first + static_cast<std::int64_t>(step) * grid.step_ns);
    }
    edges_ = ends;
    for (std::int64_t end : ends) edges_.push_back(end - range);
    std::sort(edges_.begin(), edges_.end());
    edges_.erase(std::unique(edges_.begin(), edges_.end()), edges_.end());
    auto index_of = [&](std::int64_t edge) {
      return static_cast<std::size_t>(std::lower_bound(edges_.begin(), edges_.end(), edge) -
                                      edges_.begin());
    };
    for (std::int64_t end : ends) {
      left_.push_back(index_of(end - range));
      right_.push_back(index_of(end));
    }
  }

  std::vector<std::int64_t> edges_;
  std::vector<std::size_t> left_;   // per step: its window is the intervals [left, right)
  std::vector<std::size_t> right_;  // ascending, as left
};

/// Numbers the series of entries, and sees when that is not enough to answer.
class SeriesNumbers {
 public:
  SeriesNumbers(const Pipeline& pipeline, const std::optional<Grouping>& grouping,
                std::uint64_t max_bytes)
      : pipeline_(pipeline), table_(grouping), max_bytes_(max_bytes) {}

  std::optional<std::size_t> Of(const LabelSet& stream, const LabelSet& metadata) {
    if (failed_ || !pipeline_.Process({0, stream, metadata, {}}, processed_)) return std::nullopt;
    failed_ = !FaultOf(processed_.labels).empty();
    if (failed_) return std::nullopt;
    std::size_t number = table_.IndexOf(processed_.labels);
    failed_ = table_.bytes() > max_bytes_;
    return number;
  }

  bool failed() const { return failed_; }
  const LabelSet& labels(std::size_t number) const { return table_.labels(number); }

 private:
  const Pipeline& pipeline_;
  SeriesTable table_;
  const std::uint64_t max_bytes_;
  ProcessedEntry processed_;
  bool failed_ = false;
};

}  // namespace

std::optional<LabelNames> MetadataInPlay(const std::vector<Stage>& stages,
                                         const std::optional<Grouping>& grouping) {
  NamesRead read;
  std::vector<std::string> dropped;  // whatever their values
  for (const Stage& stage : stages) {
    if (std::holds_alternative<LineFilterStage>(stage)) return std::nullopt;
    if (const auto* filter = std::get_if<LabelFilter>(&stage)) read.Add(*filter);
    if (const auto* drop = std::get_if<DropStage>(&stage)) {
      for (const LabelSelection& label : drop->labels) {
        if (!label.condition) dropped.push_back(label.name);
      }
    }
  }
  if (grouping && grouping->kind == Grouping::Kind::kBy) {
    LabelNames names{LabelNames::Kind::kListed, {read.names().begin(), read.names().end()}};
    names.names.insert(names.names.end(), grouping->labels.begin(), grouping->labels.end());
    return names;
  }
  LabelNames names{LabelNames::Kind::kAllBut, std::move(dropped)};
  if (grouping) {
    names.names.insert(names.names.end(), grouping->labels.begin(), grouping->labels.end());
  }
  std::erase_if(names.names, [&](const std::string& name) { return read.Has(name); });
  return names;
}

Result<std::optional<RangeAggregationOutput>> EvaluateByCounting(
    const RangeAggregation& aggregation, const std::optional<Grouping>& grouping,
    const RangeAggregationInput& input, const ReadPlan& plan) {
  std::optional<RangeAggregationOutput> none;
  EntryCounter* counter = input.source.counter();
  if (counter == nullptr) return none;
  auto metadata = MetadataInPlay(plan.stages, grouping);
  auto windows = WindowEdges::Create(input.grid, aggregation.log_range);
  if (!metadata || !windows) return none;
  auto pipeline = Pipeline::Compile(plan.stages);
  if (!pipeline) return std::move(pipeline).error();

  SeriesNumbers series(*pipeline, grouping, input.max_bytes);
  bool bytes = CountsBytes(aggregation.op);
  CountSelection selection{
      windows->edges(),
      plan.matchers,
      plan.filters,
      *std::move(metadata),
      [&](const LabelSet& stream, const LabelSet& shown) { return series.Of(stream, shown); },
      bytes,
      input.max_bytes,
      input.cancelled};
  auto counts = counter->Count(selection);
  if (!counts && counts.error().code() != ErrorCode::kExhausted) return std::move(counts).error();
  if (!counts || series.failed()) return none;

  RangeAggregationOutput output{{}, std::move(counts->stats)};
  for (std::size_t number = 0; number < counts->groups.size(); ++number) {
    std::vector<Point> points;
    windows->ForEachStep(counts->groups[number], [&](std::size_t step, const IntervalCount& sum) {
      double amount = static_cast<double>(bytes ? sum.bytes : sum.entries);
      points.push_back({step, ValueOf(aggregation, amount)});
    });
    counts->groups[number] = {};  // at most one series exists twice
    if (!points.empty()) output.vector.push_back({series.labels(number), std::move(points)});
  }
  std::sort(output.vector.begin(), output.vector.end(),
            [](const StepSeries& a, const StepSeries& b) { return a.labels < b.labels; });
  return std::optional(std::move(output));
}

}  // namespace dunlin::logql
