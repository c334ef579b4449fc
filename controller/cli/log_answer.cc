#include "controller/cli/log_answer.h"

#include <simdjson.h>

#include <algorithm>
#include <cmath>

#include "controller/cli/json_fields.h"
#include "protocol/base/base64.h"
#include "protocol/base/text.h"

namespace dunlin::cli {
namespace {

using simdjson::dom::element;

Error NotUnderstood(std::string_view what) {
  return Error(ErrorCode::kCorruption, Join("the collector's answer is not understood: ", what));
}

Result<LabelSet> ReadLabels(element item, std::string_view name) {
  simdjson::dom::object object;
  if (item[name].get(object) != simdjson::SUCCESS) return NotUnderstood(Join("no ", name));
  std::vector<LabelSet::Label> labels;
  for (auto [key, value] : object) {
    std::string_view text;
    if (value.get(text) != simdjson::SUCCESS) return NotUnderstood("a label is not a string");
    labels.emplace_back(key, text);
  }
  return LabelSet(std::move(labels));
}

Result<void> ReadStream(element item, LineEncoding encoding, LogAnswer& answer) {
  auto labels = ReadLabels(item, "stream");
  if (!labels) return std::move(labels).error();
  for (element value : ItemsOf(item, "values")) {
    std::string_view time;
    std::string_view line;
    if (value.at(0).get(time) != simdjson::SUCCESS || value.at(1).get(line) != simdjson::SUCCESS) {
      return NotUnderstood("an entry is not time and line");
    }
    auto time_ns = ParseInteger<std::int64_t>(time);
    if (!time_ns) return NotUnderstood("a time is not a number");
    auto bytes = encoding == LineEncoding::kBase64 ? ParseBase64(line) : std::string(line);
    if (!bytes) return NotUnderstood("a line is not base64");
    answer.entries.push_back({*time_ns, *labels, *std::move(bytes)});
  }
  return {};
}

Result<Sample> ReadSample(element pair, const LabelSet& labels) {
  double seconds = 0;
  std::string_view value;
  if (pair.at(0).get(seconds) != simdjson::SUCCESS || pair.at(1).get(value) != simdjson::SUCCESS) {
    return NotUnderstood("a sample is not time and value");
  }
  // Sample times have milliseconds.
  return Sample{std::llround(seconds * 1e3) * 1'000'000, labels, std::string(value)};
}

Result<void> ReadSeries(element item, LogAnswer& answer) {
  auto labels = ReadLabels(item, "metric");
  if (!labels) return std::move(labels).error();
  std::vector<element> pairs = ItemsOf(item, "values");
  element single;
  if (item["value"].get(single) == simdjson::SUCCESS) pairs.push_back(single);
  for (element pair : pairs) {
    auto sample = ReadSample(pair, *labels);
    if (!sample) return std::move(sample).error();
    answer.samples.push_back(*std::move(sample));
  }
  return {};
}

}  // namespace

Result<LogAnswer> ParseLogAnswer(std::string_view json, bool newest_first, LineEncoding encoding) {
  simdjson::dom::parser parser;
  element root;
  auto error = parser.parse(json.data(), json.size()).get(root);
  if (error != simdjson::SUCCESS) return NotUnderstood(simdjson::error_message(error));
  auto data = ObjectOf(root, "data");
  if (!data) return NotUnderstood("no data");

  LogAnswer answer;
  for (element warning : ItemsOf(root, "warnings")) {
    std::string_view text;
    if (warning.get(text) == simdjson::SUCCESS) answer.warnings.emplace_back(text);
  }
  std::string type = TextOf(*data, "resultType");
  if (type == "streams") {
    for (element item : ItemsOf(*data, "result")) {
      if (auto read = ReadStream(item, encoding, answer); !read) return std::move(read).error();
    }
    std::stable_sort(answer.entries.begin(), answer.entries.end(),
                     [newest_first](const FoundEntry& a, const FoundEntry& b) {
                       return newest_first ? b.time_ns < a.time_ns : a.time_ns < b.time_ns;
                     });
    return answer;
  }
  answer.kind = LogAnswer::Kind::kSamples;
  if (type == "matrix" || type == "vector") {
    for (element item : ItemsOf(*data, "result")) {
      if (auto read = ReadSeries(item, answer); !read) return std::move(read).error();
    }
    return answer;
  }
  if (type != "scalar") return NotUnderstood(Join("result type \"", type, "\""));
  element pair;
  if ((*data)["result"].get(pair) != simdjson::SUCCESS) return NotUnderstood("no result");
  auto sample = ReadSample(pair, {});
  if (!sample) return std::move(sample).error();
  answer.samples.push_back(*std::move(sample));
  return answer;
}

}  // namespace dunlin::cli
