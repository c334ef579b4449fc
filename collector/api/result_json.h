#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "collector/logql/evaluate.h"

namespace dunlin::api {

/// What a query did, for the `stats` of an answer.
struct QueryStats {
  logql::SourceStats source;
  std::size_t entries_returned = 0;
  double exec_seconds = 0;
  double queue_seconds = 0;
};

/// How a log query's answer is written.
struct StreamsStyle {
  bool categorize_labels = false;  // X-Loki-Response-Encoding-Flags: categorize-labels
  bool base64_lines = false;       // X-Dunlin-Line-Encoding: base64
};

/// The bodies of query and query_range, as Loki writes them. Lines are bytes: what is not UTF-8 is
/// written as U+FFFD, unless lines are asked for in base64.
std::string StreamsJson(const std::vector<logql::ResultEntry>& entries, const QueryStats& stats,
                        const StreamsStyle& style);
std::string MatrixJson(const std::vector<logql::Series>& series, const QueryStats& stats);
std::string VectorJson(const std::vector<logql::InstantSample>& samples, std::int64_t time_ns,
                       const QueryStats& stats);
std::string ScalarJson(double value, std::int64_t time_ns, const QueryStats& stats);

/// {"status":"success","data":["a","b"]}
std::string StringsJson(const std::vector<std::string>& values);
/// {"status":"success","data":[{"a":"b"}]}
std::string SeriesJson(const std::vector<LabelSet>& sets);

}  // namespace dunlin::api
