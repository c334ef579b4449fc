#include "agent/utc_time.h"

#include <cstdint>

#include "tests/support/catch.h"

namespace dunlin::agent {
namespace {

bool Same(const std::tm& a, const std::tm& b) {
  return a.tm_year == b.tm_year && a.tm_mon == b.tm_mon && a.tm_mday == b.tm_mday &&
         a.tm_hour == b.tm_hour && a.tm_min == b.tm_min && a.tm_sec == b.tm_sec &&
         a.tm_wday == b.tm_wday && a.tm_yday == b.tm_yday;
}

TEST_CASE("the agent's calendar is the C library's, from 1900 to 2200", "[agent]") {
  constexpr std::int64_t kFrom = -2'208'988'800;  // 1900-01-01
  constexpr std::int64_t kTo = 7'258'118'400;     // 2200-01-01
  constexpr std::int64_t kStep = 86'400 / 2 - 1;  // twice a day, at every second of it in turn
  for (std::int64_t at = kFrom; at < kTo; at += kStep) {
    const auto time = static_cast<std::time_t>(at);
    std::tm want{};
    gmtime_r(&time, &want);
    if (!Same(UtcTime(time), want)) FAIL("differs at " << at);
  }
}

TEST_CASE("the agent's calendar knows leap days and the ends of years", "[agent]") {
  CHECK(UtcTime(951'782'400).tm_mday == 29);  // 2000-02-29
  CHECK(UtcTime(4'107'542'400).tm_mon == 2);  // 2100-03-01, the day after 02-28
  CHECK(UtcTime(1'735'689'599).tm_yday == 365);
  CHECK(UtcTime(1'735'689'600).tm_yday == 0);
}

}  // namespace
}  // namespace dunlin::agent
