#include "tests/logql/case_file.h"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>

#include "collector/logql/evaluate.h"
#include "collector/logql/parse.h"
#include "protocol/base/text.h"
#include "protocol/base/units.h"

namespace dunlin::logql {
namespace {

/// 0s of the files: a whole second of no significance.
constexpr std::int64_t kOrigin = 1'700'000'000'000'000'000;

[[noreturn]] void Fail(const std::string& place, const std::string& what) {
  std::fprintf(stderr, "%s: %s\n", place.c_str(), what.c_str());
  std::abort();
}

template <typename T>
T Must(Result<T> result, const std::string& place) {
  if (!result) Fail(place, result.error().message());
  return *std::move(result);
}

/// "1.5s", "-3s".
std::int64_t Nanoseconds(std::string_view text, const std::string& place) {
  bool negative = text.starts_with("-");
  if (negative) text.remove_prefix(1);
  std::int64_t ns = Must(ParseDuration(text), place).count();
  return negative ? -ns : ns;
}

std::string TimeText(std::int64_t time_ns) {
  std::string out;
  AppendDouble(out, static_cast<double>(time_ns - kOrigin) / 1e9);
  return out + "s";
}

/// a="1", b="2" as labels, read as the inside of a selector.
LabelSet Labels(std::string_view text, const std::string& place) {
  LabelSet labels;
  for (const Matcher& m : Must(ParseSelector(Join("{", text, "}")), place)) {
    labels.Set(m.name, m.value);
  }
  return labels;
}

std::string LabelText(const LabelSet& labels) {
  std::string out = "{";
  for (const auto& [name, value] : labels) {
    if (out.size() > 1) out += ",";
    out += Join(name, "=\"", value, "\"");
  }
  return out + "}";
}

std::string ValueText(double value) {
  std::string out;
  AppendDouble(out, value);
  return out;
}

/// @1.5s level="error" > the line
StoredEntry ParseEntry(std::string_view text, const LabelSet& stream, const std::string& place) {
  std::size_t space = text.find(' ');
  std::size_t arrow = text.find("> ");
  if (space == std::string_view::npos || arrow == std::string_view::npos) {
    Fail(place, "an entry is @TIME [METADATA] > LINE");
  }
  std::string_view metadata = Trim(text.substr(space, arrow - space));
  return {kOrigin + Nanoseconds(text.substr(1, space - 1), place), stream, Labels(metadata, place),
          std::string(text.substr(arrow + 2))};
}

using Params = std::map<std::string, std::string>;

Params ParseParams(const std::string& text) {
  Params params;
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    std::size_t equal = word.find('=');
    params[word.substr(0, equal)] = equal == std::string::npos ? "" : word.substr(equal + 1);
  }
  return params;
}

std::string Get(const Params& params, const std::string& name, const std::string& fallback) {
  auto at = params.find(name);
  return at == params.end() ? fallback : at->second;
}

std::string ErrorText(const Error& error) {
  return Join("error ", ErrorCodeName(error.code()), " ", error.message(), "\n");
}

EvaluationLimits Limits(const Params& params) {
  EvaluationLimits limits;
  limits.max_series = *ParseInteger<std::size_t>(Get(params, "max_series", "500"));
  limits.max_points = *ParseInteger<std::size_t>(Get(params, "max_points", "11000"));
  limits.max_bytes = *ParseInteger<std::uint64_t>(Get(params, "max_bytes", "100000000"));
  limits.max_working_bytes =
      *ParseInteger<std::uint64_t>(Get(params, "max_working_bytes", "100000000"));
  return limits;
}

std::string RunLog(MemorySource& source, const LogQuery& query, const Params& params,
                   const std::string& place) {
  LogQueryParams log;
  log.start_ns = kOrigin + Nanoseconds(Get(params, "start", "0s"), place);
  log.end_ns = kOrigin + Nanoseconds(Get(params, "end", "30s"), place);
  log.limit = *ParseInteger<std::size_t>(Get(params, "limit", "100"));
  log.order = params.contains("backward") ? Order::kDescending : Order::kAscending;
  log.interval = std::chrono::nanoseconds(Nanoseconds(Get(params, "interval", "0s"), place));
  log.limits = Limits(params);
  auto result = RunLogQuery(source, query, log);
  if (!result) return ErrorText(result.error());
  bool grouped = params.contains("streams") || params.contains("categorized");
  std::string out;
  auto print = [&](const ResultEntry& entry) {
    out += Join(grouped ? "  " : "", TimeText(entry.time_ns), " ");
    if (!grouped) {
      out += Join(LabelText(FoldLabels(entry.stream, entry.metadata, entry.parsed)), " ");
    } else if (params.contains("categorized")) {
      out += Join(LabelText(entry.metadata), LabelText(entry.parsed), " ");
    }
    out += Join(entry.line, "\n");
  };
  if (!grouped) {
    for (const ResultEntry& entry : result->entries) print(entry);
    return out;
  }
  auto view = params.contains("streams") ? LabelView::kFolded : LabelView::kCategorized;
  for (const ResultStream& stream : GroupByStream(result->entries, view)) {
    out += Join(LabelText(stream.labels), "\n");
    for (const ResultEntry* entry : stream.entries) print(*entry);
  }
  return out;
}

std::string RunRange(MemorySource& source, const MetricQuery& query, const Params& params,
                     const std::string& place) {
  RangeQueryParams range;
  range.start_ns = kOrigin + Nanoseconds(Get(params, "start", "0s"), place);
  range.end_ns = kOrigin + Nanoseconds(Get(params, "end", "30s"), place);
  range.step = std::chrono::nanoseconds(Nanoseconds(Get(params, "step", "1s"), place));
  range.limits = Limits(params);
  auto result = RunRangeQuery(source, query, range);
  if (!result) return ErrorText(result.error());
  std::string out;
  for (const Series& series : result->series) {
    out += LabelText(series.labels);
    for (const Sample& sample : series.samples) {
      out += Join(" ", TimeText(sample.time_ns), ":", ValueText(sample.value));
    }
    out += "\n";
  }
  return out;
}

std::string RunInstant(MemorySource& source, const MetricQuery& query, const Params& params,
                       const std::string& place) {
  InstantQueryParams instant;
  instant.time_ns = kOrigin + Nanoseconds(Get(params, "time", "30s"), place);
  instant.limits = Limits(params);
  auto result = RunInstantQuery(source, query, instant);
  if (!result) return ErrorText(result.error());
  if (const double* number = std::get_if<double>(&result->value)) {
    return Join("scalar ", ValueText(*number), "\n");
  }
  std::string out;
  for (const InstantSample& sample : std::get<std::vector<InstantSample>>(result->value)) {
    out += Join(LabelText(sample.labels), " ", ValueText(sample.value), "\n");
  }
  return out;
}

}  // namespace

CaseFile ReadCaseFile(const std::string& path) {
  std::ifstream in(path);
  if (!in) Fail(path, "cannot open");
  CaseFile file;
  LabelSet stream;
  EvaluationCase* open = nullptr;  // takes result lines until an empty line
  std::size_t number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    std::string place = Join(path, ":", number);
    if (line.empty()) {
      open = nullptr;
    } else if (line[0] == '#') {
      continue;
    } else if (line.starts_with("== ")) {
      file.cases.push_back({line.substr(3), number, {}, {}, {}});
      open = &file.cases.back();
    } else if (open != nullptr && line.starts_with("query: ")) {
      open->query = line.substr(7);
    } else if (open != nullptr && line.starts_with("params: ")) {
      open->params = line.substr(8);
    } else if (open != nullptr) {
      open->want += line + "\n";
    } else if (line.starts_with("stream ")) {
      stream = Labels(std::string_view(line).substr(7), place);
    } else if (line[0] == '@') {
      file.source.Add(ParseEntry(line, stream, place));
    } else {
      Fail(place, "expecting a stream, an entry or a case");
    }
  }
  return file;
}

std::string RunCase(CaseFile& file, const EvaluationCase& one) {
  auto query = Parse(one.query);
  if (!query) return ErrorText(query.error());
  Params params = ParseParams(one.params);
  if (const auto* log = std::get_if<LogQuery>(&*query)) {
    return RunLog(file.source, *log, params, one.name);
  }
  const auto& metric = std::get<MetricQuery>(*query);
  if (params.contains("step")) return RunRange(file.source, metric, params, one.name);
  return RunInstant(file.source, metric, params, one.name);
}

}  // namespace dunlin::logql
