#include "protocol/base/rfc3339.h"

#include "protocol/base/text.h"

namespace dunlin {
namespace {

void AppendPadded(std::string& out, std::int64_t value, std::size_t width) {
  std::string digits;
  AppendInteger(digits, value);
  if (digits.size() < width) out.append(width - digits.size(), '0');
  out += digits;
}

Error BadTime(std::string_view text) {
  return Error(ErrorCode::kInvalidArgument,
               Join("\"", text, "\" is not an RFC 3339 time such as 2026-01-31T12:00:00Z"));
}

/// Takes `width` digits off the front of `rest`.
std::optional<int> TakeDigits(std::string_view& rest, std::size_t width) {
  if (rest.size() < width || rest[0] == '-') return std::nullopt;
  auto value = ParseInteger<int>(rest.substr(0, width));
  rest.remove_prefix(width);
  return value;
}

bool TakeAny(std::string_view& rest, std::string_view choices) {
  if (rest.empty() || choices.find(rest[0]) == std::string_view::npos) return false;
  rest.remove_prefix(1);
  return true;
}

}  // namespace

std::string FormatRfc3339(LogTime time) {
  using namespace std::chrono;
  // Not floor<days>: the start of the first day that 64 bits of nanoseconds touch is outside them.
  constexpr std::int64_t kDayNs = nanoseconds(days(1)).count();
  std::int64_t day = NanosecondsOf(time) / kDayNs;
  std::int64_t in_day = NanosecondsOf(time) % kDayNs;
  if (in_day < 0) {
    --day;
    in_day += kDayNs;
  }
  year_month_day date{sys_days(days(day))};
  hh_mm_ss clock{nanoseconds(in_day)};
  std::string out;
  AppendPadded(out, static_cast<int>(date.year()), 4);
  out.push_back('-');
  AppendPadded(out, static_cast<unsigned>(date.month()), 2);
  out.push_back('-');
  AppendPadded(out, static_cast<unsigned>(date.day()), 2);
  out.push_back('T');
  AppendPadded(out, clock.hours().count(), 2);
  out.push_back(':');
  AppendPadded(out, clock.minutes().count(), 2);
  out.push_back(':');
  AppendPadded(out, clock.seconds().count(), 2);
  out.push_back('.');
  AppendPadded(out, clock.subseconds().count(), 9);
  out.push_back('Z');
  return out;
}

Result<LogTime> ParseRfc3339(std::string_view text) {
  using namespace std::chrono;
  std::string_view rest = text;
  auto y = TakeDigits(rest, 4);
  bool ok = y && TakeAny(rest, "-");
  auto mo = TakeDigits(rest, 2);
  ok = ok && mo && TakeAny(rest, "-");
  auto d = TakeDigits(rest, 2);
  ok = ok && d && TakeAny(rest, "Tt ");
  auto h = TakeDigits(rest, 2);
  ok = ok && h && TakeAny(rest, ":");
  auto mi = TakeDigits(rest, 2);
  ok = ok && mi && TakeAny(rest, ":");
  auto s = TakeDigits(rest, 2);
  ok = ok && s;
  if (!ok || *h > 23 || *mi > 59 || *s > 60 || *y < 1678 || *y > 2261) return BadTime(text);
  year_month_day date(year(*y), month(static_cast<unsigned>(*mo)), day(static_cast<unsigned>(*d)));
  if (!date.ok()) return BadTime(text);

  std::int64_t fraction = 0;
  if (TakeAny(rest, ".")) {
    std::size_t digits = 0;
    std::int64_t scale = 100'000'000;
    while (digits < rest.size() && rest[digits] >= '0' && rest[digits] <= '9') {
      fraction += (rest[digits] - '0') * scale;
      scale /= 10;
      ++digits;
    }
    if (digits == 0) return BadTime(text);
    rest.remove_prefix(digits);
  }

  minutes offset(0);
  if (!TakeAny(rest, "Zz")) {
    bool behind = !rest.empty() && rest[0] == '-';
    if (!TakeAny(rest, "+-")) return BadTime(text);
    auto oh = TakeDigits(rest, 2);
    bool colon = TakeAny(rest, ":");
    auto om = TakeDigits(rest, 2);
    if (!oh || !colon || !om || *oh > 23 || *om > 59) return BadTime(text);
    offset = hours(*oh) + minutes(*om);
    if (behind) offset = -offset;
  }
  if (!rest.empty()) return BadTime(text);
  return LogTime(sys_days(date)) + hours(*h) + minutes(*mi) + seconds(*s) + nanoseconds(fraction) -
         offset;
}

}  // namespace dunlin
