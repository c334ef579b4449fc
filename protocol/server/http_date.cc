#include "protocol/server/http_date.h"

#include <array>
#include <string_view>

#include "protocol/base/text.h"

namespace dunlin::server {
namespace {

constexpr std::array<std::string_view, 7> kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

void AppendTwoDigits(std::string& out, long value) {
  if (value < 10) out.push_back('0');
  AppendInteger(out, value);
}

}  // namespace

std::string FormatHttpDate(LogTime time) {
  auto second = std::chrono::floor<std::chrono::seconds>(time);
  auto day = std::chrono::floor<std::chrono::days>(second);
  std::chrono::year_month_day date(day);
  std::chrono::hh_mm_ss clock(second - day);
  std::string out(kDays[std::chrono::weekday(day).c_encoding()]);
  out += ", ";
  AppendTwoDigits(out, static_cast<unsigned>(date.day()));
  out += ' ';
  out += kMonths[static_cast<unsigned>(date.month()) - 1];
  out += ' ';
  AppendInteger(out, static_cast<int>(date.year()));
  out += ' ';
  AppendTwoDigits(out, clock.hours().count());
  out += ':';
  AppendTwoDigits(out, clock.minutes().count());
  out += ':';
  AppendTwoDigits(out, clock.seconds().count());
  out += " GMT";
  return out;
}

}  // namespace dunlin::server
