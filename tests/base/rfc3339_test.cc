#include "protocol/base/rfc3339.h"

#include <limits>

#include "tests/support/catch.h"

namespace dunlin {
namespace {

constexpr std::int64_t kSecondNs = 1'000'000'000;

TEST_CASE("times are written in UTC with nine decimals", "[base][rfc3339]") {
  auto [time_ns, text] = GENERATE(table<std::int64_t, std::string>(
      {{0, "1970-01-01T00:00:00.000000000Z"},
       {-1, "1969-12-31T23:59:59.999999999Z"},
       {1'763'661'600 * kSecondNs + 1, "2025-11-20T18:00:00.000000001Z"},
       {951'782'400 * kSecondNs, "2000-02-29T00:00:00.000000000Z"},
       {std::numeric_limits<std::int64_t>::max(), "2262-04-11T23:47:16.854775807Z"},
       {std::numeric_limits<std::int64_t>::min(), "1677-09-21T00:12:43.145224192Z"}}));
  CHECK(FormatRfc3339(LogTimeOf(time_ns)) == text);
}

TEST_CASE("times in every allowed form are read", "[base][rfc3339]") {
  auto [text, time_ns] = GENERATE(
      table<std::string, std::int64_t>({{"1970-01-01T00:00:00Z", 0},
                                        {"1970-01-01t00:00:01z", kSecondNs},
                                        {"1970-01-01 00:00:01.5Z", 1'500'000'000},
                                        {"1970-01-01T02:00:00+02:00", 0},
                                        {"1969-12-31T18:30:00-05:30", 0},
                                        {"1970-01-01T00:00:00.1234567899Z", 123'456'789},
                                        {"1970-01-01T00:00:00.000000001-00:00", 1},
                                        {"2016-12-31T23:59:60Z", 1'483'228'800 * kSecondNs},
                                        {"2261-12-31T23:59:59-23:59", 9'214'732'739 * kSecondNs}}));
  CAPTURE(text);
  auto time = ParseRfc3339(text);
  REQUIRE(time);
  CHECK(NanosecondsOf(*time) == time_ns);
}

TEST_CASE("what is not a time is refused with the text in the sentence", "[base][rfc3339]") {
  auto text = GENERATE(values<std::string>({"",
                                            "now",
                                            "2026",
                                            "2026-01-31",
                                            "2026-01-31T12:00:00",
                                            "2026-01-31T12:00Z",
                                            "2026-02-30T00:00:00Z",
                                            "2026-00-01T00:00:00Z",
                                            "2026-13-01T00:00:00Z",
                                            "2026-01-32T00:00:00Z",
                                            "2026-01-31T24:00:00Z",
                                            "2026-01-31T00:60:00Z",
                                            "2026-01-31T00:00:61Z",
                                            "2026-01-31T00:00:00.Z",
                                            "2026-01-31T00:00:00+0100",
                                            "2026-01-31T00:00:00+24:00",
                                            "2026-01-31T00:00:00+1:00",
                                            "2026-01-31T00:00:00Zx",
                                            "-026-01-31T00:00:00Z",
                                            "2026-1-31T00:00:00Z",
                                            "2026/01/31T00:00:00Z",
                                            "1677-12-31T00:00:00Z",
                                            "2262-01-01T00:00:00Z",
                                            "2026-01-31T00:00:-1Z"}));
  CAPTURE(text);
  auto time = ParseRfc3339(text);
  REQUIRE_FALSE(time);
  CHECK(time.error().code() == ErrorCode::kInvalidArgument);
  CHECK_THAT(time.error().message(), test::HasText("\"" + text + "\""));
}

TEST_CASE("a time reads back from its text", "[base][rfc3339]") {
  // Steps of some 1.7 years and odd nanoseconds, over all years that are read.
  constexpr std::int64_t kStepNs = 53'456'789'123'456'789;
  constexpr std::int64_t kBoundNs = 9'214'560'000 * kSecondNs;
  for (std::int64_t time_ns = -kBoundNs; time_ns < kBoundNs - kStepNs; time_ns += kStepNs) {
    auto time = ParseRfc3339(FormatRfc3339(LogTimeOf(time_ns)));
    REQUIRE(time);
    CHECK(NanosecondsOf(*time) == time_ns);
  }
}

}  // namespace
}  // namespace dunlin
