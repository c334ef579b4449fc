#pragma once

#include <string_view>

#include "protocol/http/message.h"
#include "protocol/metrics/registry.h"

namespace dunlin::metrics {

/// dunlin_http_requests_total{route,method,code} and dunlin_http_request_duration_seconds{route}.
/// Labels are bounded: a route is the pattern, not the path, and a method outside the common ones
/// is "other".
class HttpMetrics {
 public:
  explicit HttpMetrics(Registry& registry);

  /// Fits server::Router::on_answer. Any thread.
  void Observe(std::string_view pattern, const http::Request& request, int status, double seconds);

 private:
  prometheus::Family<prometheus::Counter>& requests_;
  prometheus::Family<prometheus::Histogram>& durations_;
};

}  // namespace dunlin::metrics
