#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "collector/logql/ast.h"
#include "collector/logql/entry_source.h"
#include "protocol/base/label_set.h"
#include "protocol/base/result.h"
#include "protocol/base/units.h"

namespace dunlin::logql {

/// What one evaluation may cost. Beyond it the answer is kExhausted with a sentence that says what
/// to change, never a part of the result.
struct EvaluationLimits {
  std::size_t max_series = 500;               // in the result of a metric query
  std::size_t max_points = 11000;             // steps of a metric query
  std::uint64_t max_bytes = 100_MiB;          // text and labels of a log query's result
  std::uint64_t max_working_bytes = 256_MiB;  // held while computing a metric query
};

struct LogQueryParams {
  std::int64_t start_ns = 0;         // inclusive
  std::int64_t end_ns = 0;           // exclusive
  std::size_t limit = 100;           // above zero
  Order order = Order::kDescending;  // not kUnordered
  /// Above zero: the first entry, then only those at least this far from the last one kept.
  std::chrono::nanoseconds interval{};
  const std::atomic<bool>* cancelled = nullptr;
  EvaluationLimits limits;
};

/// An entry as the query leaves it. The three kinds of labels are apart; where a name occurs in
/// several, parsed wins over metadata, and metadata over stream.
struct ResultEntry {
  std::int64_t time_ns = 0;
  std::string line;
  LabelSet stream;
  LabelSet metadata;
  LabelSet parsed;  // made by the query, such as __error__
};

struct LogQueryResult {
  std::vector<ResultEntry> entries;  // in the asked order; equal times as the source gave them
  SourceStats stats;
};

/// Entries of all matching streams in time order until `limit` have passed the stages.
/// Errors: those of EntrySource::Read, kInvalidArgument for a bad regular expression, kExhausted.
Result<LogQueryResult> RunLogQuery(EntrySource& source, const LogQuery& query,
                                   const LogQueryParams& params);

/// How the labels of an entry appear in an answer.
enum class LabelView {
  kFolded,       // all kinds as the labels of the stream
  kCategorized,  // the stream's own labels; metadata and parsed labels stay with the entry
};

struct ResultStream {
  LabelSet labels;
  std::vector<const ResultEntry*> entries;  // in the order of the result
};

/// Groups a result into streams, ordered by label set. Points into `entries`.
std::vector<ResultStream> GroupByStream(const std::vector<ResultEntry>& entries, LabelView view);

/// All labels of an entry as one set.
LabelSet FoldLabels(const LabelSet& stream, const LabelSet& metadata, const LabelSet& parsed);

struct Sample {
  std::int64_t time_ns = 0;
  double value = 0;
  friend bool operator==(const Sample&, const Sample&) = default;
};

struct Series {
  LabelSet labels;
  std::vector<Sample> samples;  // ascending in time; steps without data are absent
  friend bool operator==(const Series&, const Series&) = default;
};

struct RangeQueryParams {
  std::int64_t start_ns = 0;        // first step
  std::int64_t end_ns = 0;          // steps go up to and including it
  std::chrono::nanoseconds step{};  // above zero
  const std::atomic<bool>* cancelled = nullptr;
  EvaluationLimits limits;
};

struct RangeQueryResult {
  std::vector<Series> series;  // ordered by label set; none is without samples
  SourceStats stats;
};

/// The value of `query` at start, start+step, ... <= end; a number is one series without labels.
/// A range aggregation sees at step t the entries with t - offset - range < time <= t - offset.
/// Errors: those of EntrySource::Read, kInvalidArgument, kExhausted.
Result<RangeQueryResult> RunRangeQuery(EntrySource& source, const MetricQuery& query,
                                       const RangeQueryParams& params);

struct InstantQueryParams {
  std::int64_t time_ns = 0;
  const std::atomic<bool>* cancelled = nullptr;
  EvaluationLimits limits;
};

struct InstantSample {
  LabelSet labels;
  double value = 0;
  friend bool operator==(const InstantSample&, const InstantSample&) = default;
};

struct InstantQueryResult {
  /// A number for a query that is one, else samples ordered by label set.
  std::variant<double, std::vector<InstantSample>> value;
  SourceStats stats;
};

/// The value of `query` at one time. Errors: as RunRangeQuery.
Result<InstantQueryResult> RunInstantQuery(EntrySource& source, const MetricQuery& query,
                                           const InstantQueryParams& params);

}  // namespace dunlin::logql
