#include <algorithm>
#include <optional>
#include <unordered_map>

#include "collector/logql/evaluate.h"
#include "collector/logql/pipeline.h"
#include "collector/logql/read_plan.h"
#include "protocol/base/text.h"

namespace dunlin::logql {
namespace {

std::uint64_t TextBytes(const LabelSet& labels) {
  std::uint64_t bytes = 0;
  for (const auto& [name, value] : labels) bytes += name.size() + value.size();
  return bytes;
}

/// True when `a` and `b` are at least `interval` apart.
bool Apart(std::int64_t a, std::int64_t b, std::chrono::nanoseconds interval) {
  // The difference of any two times fits into the unsigned type.
  std::uint64_t distance =
      static_cast<std::uint64_t>(std::max(a, b)) - static_cast<std::uint64_t>(std::min(a, b));
  return distance >= static_cast<std::uint64_t>(interval.count());
}

/// Keeps the entries of a result until one of its bounds is reached.
class Collector {
 public:
  explicit Collector(const LogQueryParams& params) : params_(params) {}

  /// False when there is no need for more.
  bool Add(std::int64_t time_ns, const ProcessedEntry& entry) {
    if (params_.interval.count() > 0 && !entries_.empty() &&
        !Apart(time_ns, entries_.back().time_ns, params_.interval)) {
      return true;
    }
    entries_.push_back({time_ns, std::string(entry.line), entry.labels.Stream(),
                        entry.labels.Metadata(), entry.labels.Parsed()});
    const ResultEntry& kept = entries_.back();
    bytes_ += kept.line.size() + TextBytes(kept.stream) + TextBytes(kept.metadata) +
              TextBytes(kept.parsed);
    return bytes_ <= params_.limits.max_bytes && entries_.size() < params_.limit;
  }

  bool too_large() const { return bytes_ > params_.limits.max_bytes; }
  std::vector<ResultEntry> Take() { return std::move(entries_); }

 private:
  const LogQueryParams& params_;
  std::vector<ResultEntry> entries_;
  std::uint64_t bytes_ = 0;
};

}  // namespace

Result<LogQueryResult> RunLogQuery(EntrySource& source, const LogQuery& query,
                                   const LogQueryParams& params) {
  ReadPlan plan = PlanRead(query);
  auto pipeline = Pipeline::Compile(plan.stages);
  if (!pipeline) return std::move(pipeline).error();
  Selection selection{params.start_ns,         params.end_ns, std::move(plan.matchers),
                      std::move(plan.filters), params.order,  params.cancelled};
  // Each entry that the source shows is one of the result.
  if (plan.stages.empty() && params.interval.count() == 0) selection.limit = params.limit;
  Collector collector(params);
  ProcessedEntry processed;
  auto stats = source.Read(selection, [&](const Entry& entry) {
    return !pipeline->Process(entry, processed) || collector.Add(entry.time_ns, processed);
  });
  if (!stats) return std::move(stats).error();
  if (collector.too_large()) {
    return Error(ErrorCode::kExhausted,
                 Join("the result is larger than ", FormatSize(params.limits.max_bytes),
                      ": lower the limit or narrow the selector"));
  }
  return LogQueryResult{collector.Take(), *std::move(stats)};
}

LabelSet FoldLabels(const LabelSet& stream, const LabelSet& metadata, const LabelSet& parsed) {
  LabelSet folded = stream;
  for (const auto& [name, value] : metadata) folded.Set(name, value);
  for (const auto& [name, value] : parsed) folded.Set(name, value);
  return folded;
}

std::vector<ResultStream> GroupByStream(const std::vector<ResultEntry>& entries, LabelView view) {
  std::vector<ResultStream> streams;
  std::unordered_map<LabelSet, std::size_t> index;
  for (const ResultEntry& entry : entries) {
    LabelSet labels = view == LabelView::kCategorized
                          ? entry.stream
                          : FoldLabels(entry.stream, entry.metadata, entry.parsed);
    auto [at, added] = index.emplace(labels, streams.size());
    if (added) streams.push_back({std::move(labels), {}});
    streams[at->second].entries.push_back(&entry);
  }
  std::sort(streams.begin(), streams.end(),
            [](const ResultStream& a, const ResultStream& b) { return a.labels < b.labels; });
  return streams;
}

}  // namespace dunlin::logql
