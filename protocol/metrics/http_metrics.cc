#include "protocol/metrics/http_metrics.h"

#include <algorithm>
#include <array>
#include <string>

#include "protocol/base/text.h"

namespace dunlin::metrics {
namespace {

std::string BoundedMethod(std::string_view method) {
  constexpr std::array<std::string_view, 7> kKnown{"GET",    "HEAD",  "POST",   "PUT",
                                                   "DELETE", "PATCH", "OPTIONS"};
  bool known = std::find(kKnown.begin(), kKnown.end(), method) != kKnown.end();
  return known ? std::string(method) : "other";
}

}  // namespace

HttpMetrics::HttpMetrics(Registry& registry)
    : requests_(registry.Counter("dunlin_http_requests_total",
                                 "HTTP requests answered, by route, method and status.")),
      durations_(registry.Histogram("dunlin_http_request_duration_seconds",
                                    "Time from a complete HTTP request to its answer.")) {}

void HttpMetrics::Observe(std::string_view pattern, const http::Request& request, int status,
                          double seconds) {
  std::string route = pattern.empty() ? "unmatched" : std::string(pattern);
  requests_
      .Add({{"route", route}, {"method", BoundedMethod(request.method)}, {"code", Join(status)}})
      .Increment();
  durations_.Add({{"route", route}}, LatencyBuckets()).Observe(seconds);
}

}  // namespace dunlin::metrics
