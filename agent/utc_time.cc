#include "agent/utc_time.h"

#include <chrono>

namespace dunlin::agent {

std::tm UtcTime(std::time_t time) {
  using namespace std::chrono;
  const sys_seconds at{seconds{time}};
  const auto day = floor<days>(at);
  const year_month_day date(day);
  const hh_mm_ss clock(at - day);
  std::tm out{};
  out.tm_year = static_cast<int>(date.year()) - 1900;
  out.tm_mon = static_cast<int>(static_cast<unsigned>(date.month())) - 1;
  out.tm_mday = static_cast<int>(static_cast<unsigned>(date.day()));
  out.tm_wday = static_cast<int>(weekday(day).c_encoding());
  out.tm_yday = static_cast<int>((day - sys_days(date.year() / January / 1)).count());
  out.tm_hour = static_cast<int>(clock.hours().count());
  out.tm_min = static_cast<int>(clock.minutes().count());
  out.tm_sec = static_cast<int>(clock.seconds().count());
  return out;
}

}  // namespace dunlin::agent
