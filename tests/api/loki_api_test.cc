#include "collector/api/loki_api.h"

#include <atomic>
#include <future>
#include <limits>
#include <string>

#include "protocol/base/text.h"
#include "tests/api/api_fixture.h"
#include "tests/support/catch.h"
#include "tests/support/loop_runner.h"

namespace dunlin::api {
namespace {

using namespace std::chrono_literals;
using Catch::Matchers::Contains;

std::string PushOf(std::string_view app, int lines) {
  std::string values;
  for (int i = 0; i < lines; ++i) {
    if (i > 0) values += ",";
    values += Join("[\"", testing::ManualClock::kStartNs + i, "\",\"line ", i, "\"]");
  }
  return Join(R"({"streams":[{"stream":{"app":")", app, R"("},"values":[)", values, "]}]}");
}

std::string CountOf(ApiFixture& api, std::string_view selector) {
  http::Response response = api.Get(
      Join("/loki/api/v1/query?query=sum(count_over_time(", selector, "[1h]))&time=1767225700"));
  CAPTURE(response.body);
  REQUIRE(response.status == 200);
  std::size_t value = response.body.find("1767225700,\"");
  if (value == std::string::npos) return "0";
  value += 12;
  return response.body.substr(value, response.body.find('"', value) - value);
}

TEST_CASE("a push sent again is stored once, equal lines in it stay", "[api][push]") {
  ApiFixture api;
  std::string body =
      R"({"streams":[{"stream":{"app":"x"},"values":[["1767225600000000000","same"],)"
      R"(["1767225600000000000","same"]]}]})";
  CHECK(api.Push(body).status == 204);
  CHECK(api.Push(body).status == 204);
  CHECK(CountOf(api, R"({app="x"})") == "2");
  SECTION("the same body much later is new") {
    api.clock().Advance(11min);
    CHECK(api.Push(body).status == 204);
    CHECK(CountOf(api, R"({app="x"})") == "4");
  }
}

TEST_CASE("an answer to a push means that it can be found", "[api][push]") {
  ApiFixture api;
  for (int i = 1; i <= 20; ++i) {
    REQUIRE(api.Push(PushOf(Join("app", i), 3)).status == 204);
    REQUIRE(CountOf(api, Join("{app=\"app", i, "\"}")) == "3");
  }
}

TEST_CASE("a push that cannot be stored now is to be sent again", "[api][push]") {
  store::StoreOptions full = SmallStore();
  full.min_free_bytes = std::numeric_limits<std::uint64_t>::max();
  ApiFixture api({}, full);
  http::Response response = api.Push(PushOf("x", 100));
  CHECK(response.status == 429);
  CHECK(response.headers.Get("Retry-After") == "5");
  CHECK_FALSE(response.body.empty());
}

TEST_CASE("pushes waiting to be stored are bounded", "[api][push]") {
  LokiApiOptions options;
  options.push.max_pending_bytes = 10;
  ApiFixture api(options);
  http::Response response = api.Push(PushOf("x", 1));
  CHECK(response.status == 429);
  CHECK(response.headers.Has("Retry-After"));
}

TEST_CASE("what was pushed is counted by protocol and reason", "[api][push]") {
  ApiFixture api;
  api.Push(PushOf("x", 7));
  api.Push(PushOf("x", 7));  // again
  api.Push(R"({"streams":[{"stream":{},"values":[["1","x"]]}]})");
  std::string page = api.registry().Exposition();
  CHECK_THAT(page, Contains("dunlin_ingest_lines_total{protocol=\"loki_push\"} 7\n"));
  CHECK_THAT(page, Contains("dunlin_ingest_rejected_lines_total{protocol=\"loki_push\","
                            "reason=\"invalid_labels\"} 1\n"));
}

TEST_CASE("more queries than may wait are told to come again", "[api][gate]") {
  LokiApiOptions options;
  options.gate.max_queries = 1;
  ApiFixture api(options);
  std::string target = R"(/loki/api/v1/labels)";
  auto first = api.Send(api.RequestOf("GET", target, {}, ""));
  auto second = api.Send(api.RequestOf("GET", target, {}, ""));
  REQUIRE(second->size() == 1);
  CHECK(second->front().status == 429);
  CHECK(second->front().headers.Has("Retry-After"));
  testing::RunUntil(api.loop(), [&] { return !first->empty(); });
  CHECK(first->front().status == 200);
  CHECK(api.Get(target).status == 200);
}

TEST_CASE("a query past its deadline is stopped and says what to do", "[api][gate]") {
  // Two workers are busy until told otherwise, so the query is still waiting at its deadline. They
  // end with the fixture, before what they wait for.
  std::promise<void> release;
  std::shared_future<void> released = release.get_future().share();
  std::atomic<int> busy = 0;
  LokiApiOptions options;
  options.gate.timeout = 10s;
  ApiFixture api(options);
  for (int i = 0; i < 2; ++i) {
    api.query_workers().Submit([&] { ++busy, released.wait(); }, nullptr);
  }
  auto answers = api.Send(api.RequestOf("GET", "/loki/api/v1/labels", {}, ""));
  testing::RunUntil(api.loop(), [&] { return busy == 2; });
  api.clock().Advance(11s);
  // The gate looks every few milliseconds.
  bool looked = false;
  net::Timer later(api.loop(), [&] { looked = true; });
  later.Start(100ms);
  testing::RunUntil(api.loop(), [&] { return looked; });
  release.set_value();
  testing::RunUntil(api.loop(), [&] { return !answers->empty(); });
  CHECK(answers->front().status == 504);
  CHECK_THAT(answers->front().body, Contains("--query-timeout"));
  CHECK_THAT(api.registry().Exposition(),
             Contains("dunlin_query_errors_total{reason=\"timeout\"} 1\n"));
}

TEST_CASE("a query whose client has gone is not answered at length", "[api][gate]") {
  std::promise<void> release;
  std::shared_future<void> released = release.get_future().share();
  ApiFixture api;
  api.client_gone->store(true);
  for (int i = 0; i < 2; ++i) {
    api.query_workers().Submit([&] { released.wait(); }, nullptr);
  }
  auto answers = api.Send(api.RequestOf("GET", "/loki/api/v1/labels", {}, ""));
  bool looked = false;
  net::Timer later(api.loop(), [&] { looked = true; });
  later.Start(100ms);
  testing::RunUntil(api.loop(), [&] { return looked; });
  release.set_value();
  testing::RunUntil(api.loop(), [&] { return !answers->empty(); });
  CHECK(answers->front().status == 499);
}

TEST_CASE("large answers are compressed", "[api]") {
  ApiFixture api;
  REQUIRE(api.Push(PushOf("x", 100)).status == 204);
  http::Response response =
      api.Ask("GET", "/loki/api/v1/query_range?query={app=\"x\"}&start=0&end=1767225700",
              {{"Accept-Encoding", "gzip"}});
  CHECK(response.headers.Get("Content-Encoding") == "gzip");
}

TEST_CASE("bytes that JSON cannot hold are shown as replacement characters", "[api]") {
  ApiFixture api;
  store::AppendRequest append;
  append.payload_format = 2;
  append.rows.streams = {LabelSet{{"app", "x"}}};
  append.payload = std::string(40, ' ');
  append.rows.text = std::string("a\xFF\0b and more than sixteen bytes", 33);
  append.rows.rows = {
      {testing::ManualClock::kStartNs, 0, 0, std::string_view(append.rows.text).substr(0, 4)}};
  std::atomic<bool> stored = false;
  api.store().Append(std::move(append), [&](auto outcome) { stored = outcome.has_value(); });
  testing::RunUntil(api.loop(), [&] { return stored.load(); });
  std::string target = "/loki/api/v1/query_range?query={app=\"x\"}&start=0&end=1767225700";
  CHECK_THAT(api.Get(target).body, Contains("\"a\xEF\xBF\xBD\\u0000b\""));
  CHECK_THAT(api.Ask("GET", target, {{"X-Dunlin-Line-Encoding", "base64"}}).body,
             Contains("\"Yf8AYg==\""));
}

}  // namespace
}  // namespace dunlin::api
