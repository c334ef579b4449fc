#include "collector/api/parameters.h"

#include <limits>
#include <string>

#include "tests/support/catch.h"

namespace dunlin::api {
namespace {

using namespace std::chrono_literals;

constexpr std::int64_t kSecond = 1'000'000'000;
const LogTime kNow = LogTimeOf(1'735'689'600 * kSecond);

http::Parameters Parse(std::string_view query) { return http::Parameters::Parse(query); }

TEST_CASE("the ladder of times", "[api][parameters]") {
  auto [text, want] = GENERATE(table<std::string, std::int64_t>({
      {"1735689600", 1735689600 * kSecond},
      {"1735689600.5", 1735689600 * kSecond + 500'000'000},
      {"1735689600.1239", 1735689600 * kSecond + 124'000'000},
      {"1735689600000000001", 1735689600000000001},
      {"1735689600000", 1735689600000},  // milliseconds are taken as nanoseconds, as Loki does
      {"0", 0},
      {"-5", -5 * kSecond},
      {"-1.5", -1'500'000'000},
      {"4000000000", 4000000000 * kSecond},
      {"9999999999", std::numeric_limits<std::int64_t>::max()},
      {"99999999999.0", std::numeric_limits<std::int64_t>::max()},
      {"2025-01-01T00:00:00Z", 1735689600 * kSecond},
      {"2025-01-01T01:00:00.25+01:00", 1735689600 * kSecond + 250'000'000},
  }));
  CAPTURE(text);
  auto time = ParseTime(text);
  REQUIRE(time);
  CHECK(*time == want);
}

TEST_CASE("what is not a time is refused", "[api][parameters]") {
  auto text = GENERATE(as<std::string>{}, "", "1e9", "now", "12:00", "2025-01-01",
                       "99999999999999999999", "nan.", "inf.0", "0x1.8p1");
  CAPTURE(text);
  CHECK_FALSE(ParseTime(text));
}

TEST_CASE("steps are seconds or durations", "[api][parameters]") {
  CHECK(*ParseStep("2.5") == 2500ms);
  CHECK(*ParseStep("15000ms") == 15s);
  CHECK(*ParseStep("1m30s") == 90s);
  CHECK_FALSE(ParseStep("0.1s"));
  CHECK_FALSE(ParseStep(""));
  CHECK_FALSE(ParseStep("1e300"));
}

TEST_CASE("the range defaults to the last hour", "[api][parameters]") {
  auto range = ParseTimeRange(Parse(""), kNow, 1h);
  REQUIRE(range);
  CHECK(range->end_ns == NanosecondsOf(kNow));
  CHECK(range->start_ns == NanosecondsOf(kNow - 1h));

  SECTION("since replaces the hour, unless there is a start") {
    CHECK(ParseTimeRange(Parse("since=5m"), kNow, 1h)->start_ns == NanosecondsOf(kNow - 5min));
    CHECK(ParseTimeRange(Parse("since=5m&start=7"), kNow, 1h)->start_ns == 7 * kSecond);
  }
  SECTION("an end ahead of now counts from now") {
    auto ahead = ParseTimeRange(Parse("end=1735693200"), kNow, 1h);
    REQUIRE(ahead);
    CHECK(ahead->start_ns == NanosecondsOf(kNow - 1h));
  }
  SECTION("an end before the start is refused, the same time is not") {
    CHECK_FALSE(ParseTimeRange(Parse("start=10&end=9"), kNow, 1h));
    CHECK(ParseTimeRange(Parse("start=10&end=10"), kNow, 1h));
  }
  SECTION("an earliest end does not overflow") {
    auto earliest = ParseTimeRange(Parse("end=-9223372036854775808"), kNow, 1h);
    REQUIRE(earliest);
    CHECK(earliest->start_ns == std::numeric_limits<std::int64_t>::min());
  }
}

TEST_CASE("parameters of query_range", "[api][parameters]") {
  auto request = ParseRangeRequest(Parse("query={a=\"b\"}"), kNow, 5000);
  REQUIRE(request);
  CHECK(request->limit == 100);
  CHECK(request->order == logql::Order::kDescending);
  CHECK(request->step == 14s);
  CHECK(request->interval == 0ns);

  auto other = ParseRangeRequest(
      Parse("query=x&limit=5000&direction=FORWARD&step=30&interval=5s&start=0&end=60"), kNow, 5000);
  REQUIRE(other);
  CHECK(other->limit == 5000);
  CHECK(other->order == logql::Order::kAscending);
  CHECK(other->step == 30s);
  CHECK(other->interval == 5s);
}

TEST_CASE("query_range says which parameter is wrong", "[api][parameters]") {
  auto [query, want] = GENERATE(table<std::string, std::string>({
      {"", "query is missing"},
      {"query=+", "query is missing"},
      {"query=x&limit=0", "limit must be a positive value"},
      {"query=x&limit=-1", "limit must be a positive value"},
      {"query=x&limit=x", "parameter limit"},
      {"query=x&limit=5001", "max entries limit per query exceeded"},
      {"query=x&direction=up", "invalid direction 'up'"},
      {"query=x&start=x", "parameter start"},
      {"query=x&end=x", "parameter end"},
      {"query=x&since=x", "parameter since"},
      {"query=x&step=0", "step"},
      {"query=x&step=-1", "step"},
      {"query=x&step=x", "parameter step"},
      {"query=x&start=0&end=11001&step=1", "11,000 points"},
      {"query=x&interval=-1", "interval must be >= 0"},
      {"query=x&interval=x", "parameter interval"},
  }));
  CAPTURE(query);
  auto request = ParseRangeRequest(Parse(query), kNow, 5000);
  REQUIRE_FALSE(request);
  CHECK(request.error().code() == ErrorCode::kInvalidArgument);
  CHECK_THAT(request.error().message(), Catch::Matchers::Contains(want));
}

TEST_CASE("an instant query may ask about the future", "[api][parameters]") {
  auto request = ParseInstantRequest(Parse("query=vector(1)&time=4000000000"), kNow);
  REQUIRE(request);
  CHECK(request->time_ns == 4000000000 * kSecond);
  CHECK(ParseInstantRequest(Parse("query=x"), kNow)->time_ns == NanosecondsOf(kNow));
  CHECK_FALSE(ParseInstantRequest(Parse("time=1"), kNow));
}

}  // namespace
}  // namespace dunlin::api
