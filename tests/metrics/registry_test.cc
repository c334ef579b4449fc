#include "protocol/metrics/registry.h"

#include <algorithm>
#include <string>
#include <vector>

#include "protocol/metrics/http_metrics.h"
#include "tests/support/catch.h"

namespace dunlin::metrics {
namespace {

using Catch::Matchers::Contains;

TEST_CASE("counted and snapshot values make one page", "[metrics]") {
  Registry registry;
  registry.Counter("dunlin_things_total", "Things.").Add({{"kind", "a\"b"}}).Increment(3);
  double level = 7;
  registry.OnScrape([&](Snapshot& snapshot) {
    snapshot.Gauge("dunlin_level_bytes", "Level.", level, {{"tank", "1"}});
    snapshot.Gauge("dunlin_level_bytes", "Level.", level + 1, {{"tank", "2"}});
    snapshot.Counter("dunlin_leaks_total", "Leaks.", 1);
  });
  CHECK(registry.Exposition() ==
        "# HELP dunlin_leaks_total Leaks.\n"
        "# TYPE dunlin_leaks_total counter\n"
        "dunlin_leaks_total 1\n"
        "# HELP dunlin_level_bytes Level.\n"
        "# TYPE dunlin_level_bytes gauge\n"
        "dunlin_level_bytes{tank=\"1\"} 7\n"
        "dunlin_level_bytes{tank=\"2\"} 8\n"
        "# HELP dunlin_things_total Things.\n"
        "# TYPE dunlin_things_total counter\n"
        "dunlin_things_total{kind=\"a\\\"b\"} 3\n");
  level = 9;
  CHECK_THAT(registry.Exposition(), Contains("dunlin_level_bytes{tank=\"1\"} 9\n"));
  CHECK(registry.Families() == std::vector<std::string>{"dunlin_leaks_total counter",
                                                        "dunlin_level_bytes gauge",
                                                        "dunlin_things_total counter"});
  CHECK(registry.Answer().headers.Get("Content-Type") ==
        "text/plain; version=0.0.4; charset=utf-8");
}

TEST_CASE("a process tells about itself", "[metrics]") {
  Registry registry;
  AddProcessMetrics(registry, "sample");
  std::string page = registry.Exposition();
  for (const char* name : {"dunlin_sample_build_info{", "process_cpu_seconds_total ",
                           "process_start_time_seconds ", "process_resident_memory_bytes ",
                           "process_open_fds ", "process_max_fds ", "process_threads "}) {
    CHECK_THAT(page, Contains(name));
  }
}

TEST_CASE("HTTP requests are counted under bounded labels", "[metrics]") {
  Registry registry;
  HttpMetrics http(registry);
  http::Request request;
  request.path = "/loki/api/v1/label/secret/values";
  request.method = "GET";
  http.Observe("/loki/api/v1/label/{name}/values", request, 200, 0.003);
  request.method = "BREW";
  http.Observe("", request, 404, 0.001);
  std::string page = registry.Exposition();
  CHECK_THAT(page, Contains("dunlin_http_requests_total{code=\"200\",method=\"GET\","
                            "route=\"/loki/api/v1/label/{name}/values\"} 1\n"));
  CHECK_THAT(page, Contains("dunlin_http_requests_total{code=\"404\",method=\"other\","
                            "route=\"unmatched\"} 1\n"));
  CHECK_THAT(page, Contains("dunlin_http_request_duration_seconds_bucket{"
                            "route=\"/loki/api/v1/label/{name}/values\",le=\"0.0025\"} 0\n"));
  CHECK_THAT(page, Contains("dunlin_http_request_duration_seconds_bucket{"
                            "route=\"/loki/api/v1/label/{name}/values\",le=\"0.005\"} 1\n"));
  CHECK_THAT(page, !Contains("secret"));
}

}  // namespace
}  // namespace dunlin::metrics
