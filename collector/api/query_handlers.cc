#include "collector/api/query_handlers.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>
#include <variant>
#include <vector>

#include "collector/api/parameters.h"
#include "collector/api/result_json.h"
#include "collector/api/service_name.h"
#include "collector/api/store_entry_source.h"
#include "collector/logql/parse.h"
#include "collector/logql/print.h"
#include "protocol/base/json_writer.h"
#include "protocol/base/text.h"

namespace dunlin::api {
namespace {

using namespace std::chrono_literals;
using collector::QueryKind;

constexpr std::string_view kLineEncoding = "X-Dunlin-Line-Encoding";
constexpr std::chrono::hours kMetaSince{6};  // of labels and series without a start

bool HasEncodingFlag(const http::Request& request, std::string_view wanted) {
  // Matched exactly, without trimming or folding, as Loki does.
  std::vector<std::string_view> flags =
      Split(request.headers.Get("X-Loki-Response-Encoding-Flags"), ',');
  return std::find(flags.begin(), flags.end(), wanted) != flags.end();
}

StreamsStyle StyleOf(const http::Request& request) {
  return {HasEncodingFlag(request, "categorize-labels"),
          EqualsIgnoreCase(request.headers.Get(kLineEncoding), "base64")};
}

/// Names that are no business of a client.
bool IsInternalLabel(std::string_view name) { return name.starts_with("__"); }

std::vector<std::string> SelectorsOf(const http::Parameters& parameters) {
  std::vector<std::string> selectors;
  for (std::string_view name : {"match[]", "match"}) {
    for (std::string_view selector : parameters.GetAll(name)) selectors.emplace_back(selector);
  }
  return selectors;
}

std::vector<std::string> QueryAsSelector(const http::Parameters& parameters) {
  std::string_view query = Trim(parameters.Get("query"));
  if (query.empty()) return {};
  return {std::string(query)};
}

Result<std::size_t> OptionalLimit(const http::Parameters& parameters, std::size_t fallback) {
  std::string_view text = parameters.Get("limit");
  if (text.empty()) return fallback;
  auto limit = ParseInteger<std::size_t>(text);
  if (!limit) {
    return Error(ErrorCode::kInvalidArgument,
                 Join("parameter limit: \"", text, "\" is not a whole number"));
  }
  return *limit == 0 ? fallback : *limit;
}

}  // namespace

double QueryHandlers::SecondsSince(SteadyTime begin) const {
  return std::chrono::duration<double>(services_.clock.Steady() - begin).count();
}

http::Response QueryHandlers::Meta(Result<std::string> body, const QueryTicket& ticket) const {
  services_.metrics.CountQuery(QueryKind::kMeta, SecondsSince(ticket.arrived()), 0);
  if (!body) return ticket.Answer(body.error());
  return http::Response::Json(200, std::move(*body));
}

http::Response QueryHandlers::QueryRange(const http::Request& request,
                                         const QueryTicket& ticket) const {
  auto body = RangeBody(request, ticket);
  if (!body) return ticket.Answer(body.error());
  http::Response response = http::Response::Json(200, std::move(*body));
  if (StyleOf(request).base64_lines) response.headers.Set(kLineEncoding, "base64");
  return response;
}

Result<std::string> QueryHandlers::RangeBody(const http::Request& request,
                                             const QueryTicket& ticket) const {
  const SteadyTime begin = services_.clock.Steady();
  auto asked = ParseRangeRequest(request.Params(), services_.clock.Now(), services_.max_entries);
  if (!asked) return std::move(asked).error();
  auto query = logql::Parse(asked->query);
  if (!query) return std::move(query).error();
  StoreEntrySource source(services_.store, MentionsServiceName(asked->query));
  QueryStats stats;
  stats.queue_seconds = std::chrono::duration<double>(begin - ticket.arrived()).count();

  if (const auto* log_query = std::get_if<logql::LogQuery>(&*query)) {
    logql::LogQueryParams params{asked->range.start_ns, asked->range.end_ns, asked->limit,
                                 asked->order,          asked->interval,     &ticket.stop(),
                                 services_.limits};
    auto result = logql::RunLogQuery(source, *log_query, params);
    if (!result) return std::move(result).error();
    stats.exec_seconds = SecondsSince(begin);
    stats.entries_returned = result->entries.size();
    stats.source = std::move(result->stats);
    services_.metrics.CountQuery(QueryKind::kLog, SecondsSince(ticket.arrived()),
                                 stats.source.bytes);
    return StreamsJson(result->entries, stats, StyleOf(request));
  }

  logql::RangeQueryParams params{asked->range.start_ns, asked->range.end_ns, asked->step,
                                 &ticket.stop(), services_.limits};
  auto result = logql::RunRangeQuery(source, std::get<logql::MetricQuery>(*query), params);
  if (!result) return std::move(result).error();
  stats.exec_seconds = SecondsSince(begin);
  stats.source = std::move(result->stats);
  services_.metrics.CountQuery(QueryKind::kMetric, SecondsSince(ticket.arrived()),
                               stats.source.bytes);
  return MatrixJson(result->series, stats);
}

http::Response QueryHandlers::Query(const http::Request& request, const QueryTicket& ticket) const {
  auto body = InstantBody(request, ticket);
  if (!body) return ticket.Answer(body.error());
  return http::Response::Json(200, std::move(*body));
}

Result<std::string> QueryHandlers::InstantBody(const http::Request& request,
                                               const QueryTicket& ticket) const {
  const SteadyTime begin = services_.clock.Steady();
  auto asked = ParseInstantRequest(request.Params(), services_.clock.Now());
  if (!asked) return std::move(asked).error();
  auto query = logql::Parse(asked->query);
  if (!query) return std::move(query).error();
  const auto* metric_query = std::get_if<logql::MetricQuery>(&*query);
  if (metric_query == nullptr) {
    return Error(ErrorCode::kInvalidArgument,
                 "log queries are not supported as an instant query type, please change your query "
                 "to a range query type: /loki/api/v1/query_range");
  }
  StoreEntrySource source(services_.store, MentionsServiceName(asked->query));
  logql::InstantQueryParams params{asked->time_ns, &ticket.stop(), services_.limits};
  auto result = logql::RunInstantQuery(source, *metric_query, params);
  if (!result) return std::move(result).error();
  QueryStats stats;
  stats.queue_seconds = std::chrono::duration<double>(begin - ticket.arrived()).count();
  stats.exec_seconds = SecondsSince(begin);
  stats.source = std::move(result->stats);
  services_.metrics.CountQuery(QueryKind::kMetric, SecondsSince(ticket.arrived()),
                               stats.source.bytes);
  if (const double* number = std::get_if<double>(&result->value)) {
    return ScalarJson(*number, asked->time_ns, stats);
  }
  return VectorJson(std::get<std::vector<logql::InstantSample>>(result->value), asked->time_ns,
                    stats);
}

Result<std::vector<LabelSet>> QueryHandlers::StreamsOf(
    const http::Parameters& parameters, const std::vector<std::string>& selectors) const {
  auto range = ParseTimeRange(parameters, services_.clock.Now(), kMetaSince);
  if (!range) return std::move(range).error();
  std::vector<std::function<bool(const LabelSet&)>> conditions;
  for (const std::string& selector : selectors) {
    auto matchers = logql::ParseSelector(selector);
    if (!matchers) return std::move(matchers).error();
    auto condition = StreamCondition(*matchers);
    if (!condition) return std::move(condition).error();
    conditions.push_back(std::move(*condition));
  }
  std::vector<LabelSet> streams = services_.store.Streams(range->start_ns, range->end_ns);
  if (!conditions.empty()) {
    std::erase_if(streams, [&](const LabelSet& stream) {
      return std::none_of(conditions.begin(), conditions.end(),
                          [&](const auto& condition) { return condition(stream); });
    });
  }
  std::sort(streams.begin(), streams.end());
  return streams;
}

http::Response QueryHandlers::Labels(const http::Request& request,
                                     const QueryTicket& ticket) const {
  return Meta(LabelsBody(request), ticket);
}

Result<std::string> QueryHandlers::LabelsBody(const http::Request& request) const {
  http::Parameters parameters = request.Params();
  auto streams = StreamsOf(parameters, QueryAsSelector(parameters));
  if (!streams) return std::move(streams).error();
  std::set<std::string> names;
  for (const LabelSet& stream : *streams) {
    for (const auto& [name, value] : stream) {
      if (!IsInternalLabel(name)) names.insert(name);
    }
  }
  if (!names.empty()) names.emplace(kServiceName);
  return StringsJson({names.begin(), names.end()});
}

http::Response QueryHandlers::LabelValues(const http::Request& request,
                                          const QueryTicket& ticket) const {
  return Meta(LabelValuesBody(request), ticket);
}

Result<std::string> QueryHandlers::LabelValuesBody(const http::Request& request) const {
  http::Parameters parameters = request.Params();
  auto limit = OptionalLimit(parameters, static_cast<std::size_t>(-1));
  if (!limit) return std::move(limit).error();
  auto streams = StreamsOf(parameters, QueryAsSelector(parameters));
  if (!streams) return std::move(streams).error();
  std::string_view name = request.path_values.Get("name");
  std::set<std::string> values;
  for (const LabelSet& stream : *streams) {
    std::string_view value = LabelOf(stream, name);
    if (!value.empty() && !IsInternalLabel(name)) values.emplace(value);
  }
  std::vector<std::string> answered(values.begin(), values.end());
  if (answered.size() > *limit) answered.resize(*limit);
  return StringsJson(answered);
}

http::Response QueryHandlers::Series(const http::Request& request,
                                     const QueryTicket& ticket) const {
  return Meta(SeriesBody(request), ticket);
}

Result<std::string> QueryHandlers::SeriesBody(const http::Request& request) const {
  http::Parameters parameters = request.Params();
  std::vector<std::string> selectors = SelectorsOf(parameters);
  auto streams = StreamsOf(parameters, selectors);
  if (!streams) return std::move(streams).error();
  bool alias = std::any_of(selectors.begin(), selectors.end(), MentionsServiceName);
  if (alias) {
    for (LabelSet& stream : *streams) stream = WithServiceName(stream);
  }
  return SeriesJson(*streams);
}

http::Response QueryHandlers::IndexStats(const http::Request& request,
                                         const QueryTicket& ticket) const {
  return Meta(IndexStatsBody(request), ticket);
}

Result<std::string> QueryHandlers::IndexStatsBody(const http::Request& request) const {
  http::Parameters parameters = request.Params();
  auto streams = StreamsOf(parameters, QueryAsSelector(parameters));
  if (!streams) return std::move(streams).error();
  // Asked on every pause in typing, so answered from counters: the streams' share of everything.
  store::StoreStats all = services_.store.Stats();
  double share =
      all.streams == 0
          ? 0
          : std::min(1.0, static_cast<double>(streams->size()) / static_cast<double>(all.streams));
  auto scaled = [share](std::uint64_t total) {
    return static_cast<std::uint64_t>(static_cast<double>(total) * share);
  };
  std::string out;
  JsonWriter json(out);
  json.BeginObject();
  json.Field("streams", std::uint64_t{streams->size()});
  json.Field("chunks", scaled(all.segments));
  json.Field("bytes", scaled(all.uncompressed_bytes));
  json.Field("entries", scaled(all.lines));
  json.EndObject();
  return out;
}

http::Response QueryHandlers::FormatQuery(const http::Request& request,
                                          const QueryTicket& ticket) const {
  http::Parameters parameters = request.Params();
  auto query = logql::Parse(parameters.Get("query"));
  if (!query) return ticket.Answer(query.error());
  std::string out;
  JsonWriter json(out);
  json.BeginObject();
  json.Field("status", "success");
  json.Field("data", logql::Print(*query));
  json.EndObject();
  return http::Response::Json(200, std::move(out));
}

}  // namespace dunlin::api
