#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/label_set.h"
#include "protocol/base/result.h"

namespace dunlin::cli {

/// One line found, with its stream's and its own labels.
struct FoundEntry {
  std::int64_t time_ns = 0;
  LabelSet labels;
  std::string line;

  friend bool operator==(const FoundEntry&, const FoundEntry&) = default;
};

/// One value of a metric query.
struct Sample {
  std::int64_t time_ns = 0;
  LabelSet labels;
  std::string value;  // as the collector writes it

  friend bool operator==(const Sample&, const Sample&) = default;
};

/// What a query of Loki's API answers, flattened.
struct LogAnswer {
  enum class Kind { kEntries, kSamples } kind = Kind::kEntries;
  /// Sorted by time, `newest_first` or not; entries of one stream and time keep the answer's order.
  std::vector<FoundEntry> entries;
  /// By series, then by time.
  std::vector<Sample> samples;
  std::vector<std::string> warnings;
};

/// How the answer spells lines: as text, in which bytes that are not UTF-8 are lost, or in base64.
enum class LineEncoding { kText, kBase64 };

/// Reads the envelope of query and query_range. Errors: kCorruption.
Result<LogAnswer> ParseLogAnswer(std::string_view json, bool newest_first,
                                 LineEncoding encoding = LineEncoding::kText);

}  // namespace dunlin::cli
