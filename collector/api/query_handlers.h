#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include "collector/api/query_gate.h"
#include "collector/logql/evaluate.h"
#include "collector/metrics/collector_metrics.h"
#include "collector/store/store.h"
#include "protocol/base/clock.h"
#include "protocol/http/message.h"

namespace dunlin::api {

/// What every query handler works with; all outlive the handlers. Used on workers.
struct QueryServices {
  store::Store& store;
  collector::CollectorMetrics& metrics;
  const Clock& clock;
  std::size_t max_entries = 5000;
  logql::EvaluationLimits limits;
};

/// The handlers of Loki's read API, each a plain function of a request (docs/http-api.md).
class QueryHandlers {
 public:
  explicit QueryHandlers(QueryServices services) : services_(services) {}

  http::Response QueryRange(const http::Request& request, const QueryTicket& ticket) const;
  http::Response Query(const http::Request& request, const QueryTicket& ticket) const;
  http::Response Labels(const http::Request& request, const QueryTicket& ticket) const;
  http::Response LabelValues(const http::Request& request, const QueryTicket& ticket) const;
  http::Response Series(const http::Request& request, const QueryTicket& ticket) const;
  http::Response IndexStats(const http::Request& request, const QueryTicket& ticket) const;
  http::Response FormatQuery(const http::Request& request, const QueryTicket& ticket) const;

 private:
  Result<std::string> RangeBody(const http::Request& request, const QueryTicket& ticket) const;
  Result<std::string> InstantBody(const http::Request& request, const QueryTicket& ticket) const;
  Result<std::string> LabelsBody(const http::Request& request) const;
  Result<std::string> LabelValuesBody(const http::Request& request) const;
  Result<std::string> SeriesBody(const http::Request& request) const;
  Result<std::string> IndexStatsBody(const http::Request& request) const;

  /// The streams of the request's time range that satisfy `selector` ("" for all).
  Result<std::vector<LabelSet>> StreamsOf(const http::Parameters& parameters,
                                          const std::vector<std::string>& selectors) const;
  http::Response Meta(Result<std::string> body, const QueryTicket& ticket) const;
  double SecondsSince(SteadyTime begin) const;

  QueryServices services_;
};

}  // namespace dunlin::api
