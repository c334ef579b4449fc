#include <string>
#include <utility>
#include <vector>

#include "protocol/base/text.h"
#include "tests/api/api_fixture.h"
#include "tests/support/catch.h"

namespace dunlin::api {
namespace {

using Catch::Matchers::Contains;

constexpr std::int64_t kSecond = 1'000'000'000;

/// Ten minutes of two apps, a line a second and app, every tenth an error.
std::string TenMinutes() {
  std::string streams;
  for (std::string_view app : {"a", "b"}) {
    std::string values;
    for (int i = 0; i < 600; ++i) {
      if (i > 0) values += ",";
      values += Join("[\"", testing::ManualClock::kStartNs + 1 + i * kSecond, "\",\"",
                     i % 10 == 0 ? "level=error" : "level=info", " line ", i, "\"]");
    }
    streams += Join(streams.empty() ? "" : ",", R"({"stream":{"app":")", app, R"("},"values":[)",
                    values, "]}");
  }
  return Join(R"({"streams":[)", streams, "]}");
}

std::string RangeOf(std::string_view query, std::string_view from_second = "0") {
  std::string target =
      Join("/loki/api/v1/query_range?start=", testing::ManualClock::kStartNs / kSecond + 60, ".",
           from_second, "&end=", testing::ManualClock::kStartNs / kSecond + 600, "&step=60&query=");
  for (char c : query) {
    switch (c) {
      case '+':
        target += "%2B";
        break;
      case '%':
        target += "%25";
        break;
      default:
        target += c;
        break;
    }
  }
  return target;
}

TEST_CASE("histograms are the same from memory and from segments, and there without reading lines",
          "[api][count]") {
  ApiFixture api;
  REQUIRE(api.Push(TenMinutes()).status == 204);
  const std::vector<std::pair<std::string, std::string>> kQueries = {
      {R"(sum by (app) (count_over_time({app=~".+"}[1m])))",
       R"({"metric":{"app":"a"},"values":[[1767225660,"60"],[1767225720,"60"])"},
      {R"(sum by (service_name) (count_over_time({app="b"}[1m])))",
       R"({"metric":{"service_name":"b"},"values":[[1767225660,"60"],)"},
      {R"(sum by (level, detected_level) (count_over_time({app=~".+"} | drop __error__ [1m])))",
       R"({"metric":{"detected_level":"error"},"values":[[1767225660,"12"],)"},
      {R"(sum(count_over_time({app="a"} | detected_level="error" [1m])))",
       R"({"metric":{},"values":[[1767225660,"6"],)"},
      {R"(rate({app="a"}[1m]))",
       R"({"metric":{"app":"a","detected_level":"info"},"values":[[1767225660,"0.9"],)"},
      {R"(sum(bytes_over_time({app="a"}[10m])))", R"({"metric":{},"values":[[1767225660,"1)"},
  };
  std::vector<std::string> from_memory;
  for (const auto& [query, part] : kQueries) {
    http::Response response = api.Get(RangeOf(query));
    CAPTURE(query, response.body);
    REQUIRE(response.status == 200);
    CHECK_THAT(response.body, Contains(part));
    from_memory.push_back(WithoutStats(response.body));
  }
  REQUIRE(api.store().Flush());
  for (std::size_t i = 0; i < kQueries.size(); ++i) {
    http::Response response = api.Get(RangeOf(kQueries[i].first));
    CAPTURE(kQueries[i].first);
    CHECK(WithoutStats(response.body) == from_memory[i]);
    CHECK_THAT(response.body, Contains("\"totalLinesProcessed\":0,"));
    CHECK_THAT(response.body, Contains("\"totalBytesProcessed\":0,"));
  }
}

TEST_CASE("steps that are not whole minutes and line filters are counted exactly", "[api][count]") {
  ApiFixture api;
  REQUIRE(api.Push(TenMinutes()).status == 204);
  if (GENERATE(false, true)) REQUIRE(api.store().Flush());
  // At 61.5 s the window holds the seconds 2 to 61.
  http::Response response =
      api.Get(RangeOf(R"(sum by (app) (count_over_time({app="a"} |= "error" [1m])))", "5"));
  CHECK_THAT(response.body, Contains(R"("values":[[1767225660.5,"6"],[1767225720.5,"6"])"));
  response = api.Get(RangeOf(R"(sum(count_over_time({app="a"}[1s])))", "5"));
  CHECK_THAT(response.body, Contains(R"("values":[[1767225660.5,"1"],[1767225720.5,"1"])"));
}

}  // namespace
}  // namespace dunlin::api
