#include "protocol/base/units.h"

#include <cmath>
#include <iterator>
#include <limits>
#include <optional>

#include "protocol/base/text.h"

namespace dunlin {
namespace {

struct DurationUnit {
  std::string_view name;
  std::int64_t nanoseconds;
};

constexpr std::int64_t kSecond = 1'000'000'000;

// Largest first, as FormatDuration writes them; y, w and d are read but FormatDuration stops at d.
constexpr DurationUnit kDurationUnits[] = {
    {"y", 365 * 86400 * kSecond},
    {"w", 7 * 86400 * kSecond},
    {"d", 86400 * kSecond},
    {"h", 3600 * kSecond},
    {"m", 60 * kSecond},
    {"s", kSecond},
    {"ms", 1'000'000},
    {"us", 1'000},
    {"ns", 1},
};

struct SizeUnit {
  std::string_view name;
  std::uint64_t bytes;
};

constexpr SizeUnit kSizeUnits[] = {
    {"", 1},
    {"B", 1},
    {"KiB", 1ULL << 10},
    {"MiB", 1ULL << 20},
    {"GiB", 1ULL << 30},
    {"TiB", 1ULL << 40},
    {"kB", 1'000},
    {"KB", 1'000},
    {"MB", 1'000'000},
    {"GB", 1'000'000'000},
    {"TB", 1'000'000'000'000},
};

constexpr std::string_view kDigits = "0123456789";

/// A decimal number, as its whole part and what follows the point.
struct Decimal {
  std::uint64_t whole;
  double fraction;
};

/// Takes the digits off the front of `rest`.
std::string_view TakeDigits(std::string_view& rest) {
  std::string_view digits = rest.substr(0, rest.find_first_not_of(kDigits));
  rest.remove_prefix(digits.size());
  return digits;
}

/// Takes "12", "1.5" or ".5" off the front of `rest`; nothing when there is no such number.
std::optional<Decimal> TakeNumber(std::string_view& rest) {
  std::string_view whole_digits = TakeDigits(rest);
  Decimal number{0, 0};
  if (!whole_digits.empty()) {
    // A number too large for 64 bits is one that no unit can hold.
    number.whole = ParseInteger<std::uint64_t>(whole_digits)
                       .value_or(std::numeric_limits<std::uint64_t>::max());
  }
  if (!rest.starts_with('.')) {
    if (whole_digits.empty()) return std::nullopt;
    return number;
  }
  rest.remove_prefix(1);
  std::string_view digits = TakeDigits(rest);
  if (digits.empty()) return std::nullopt;
  // What is behind the eighteenth digit is less than a nanosecond of any unit.
  double power = 1;
  std::uint64_t fraction = 0;
  for (char digit : digits.substr(0, 18)) {
    fraction = 10 * fraction + static_cast<unsigned>(digit - '0');
    power *= 10;
  }
  number.fraction = static_cast<double>(fraction) / power;
  return number;
}

/// Takes the name of a unit, up to the next digit, off the front of `rest`; null when there is no
/// such unit.
const DurationUnit* TakeDurationUnit(std::string_view& rest) {
  std::string_view name = rest.substr(0, rest.find_first_of("0123456789."));
  rest.remove_prefix(name.size());
  for (const DurationUnit& unit : kDurationUnits) {
    if (unit.name == name) return &unit;
  }
  return nullptr;
}

Error BadDuration(std::string_view text) {
  return Error(ErrorCode::kInvalidArgument,
               Join("\"", text,
                    "\" is not a duration: give a number and a unit, as in 10s, 500ms or 1h30m"));
}

}  // namespace

Result<std::chrono::nanoseconds> ParseDuration(std::string_view text) {
  if (text == "0") return std::chrono::nanoseconds(0);
  if (text.empty()) return BadDuration(text);
  std::int64_t total = 0;
  for (std::string_view rest = text; !rest.empty();) {
    auto number = TakeNumber(rest);
    const DurationUnit* unit = TakeDurationUnit(rest);
    if (!number || unit == nullptr) return BadDuration(text);
    // Whole numbers stay integers: as a double, a long duration would lose its nanoseconds.
    auto fraction_ns = std::llround(number->fraction * static_cast<double>(unit->nanoseconds));
    std::int64_t whole_ns = 0;
    if (__builtin_mul_overflow(number->whole, unit->nanoseconds, &whole_ns) ||
        __builtin_add_overflow(total, whole_ns, &total) ||
        __builtin_add_overflow(total, fraction_ns, &total)) {
      return Error(ErrorCode::kInvalidArgument, Join("\"", text, "\" is longer than 292 years"));
    }
  }
  return std::chrono::nanoseconds(total);
}

std::string FormatDuration(std::chrono::nanoseconds duration) {
  std::int64_t left = duration.count();
  if (left == 0) return "0s";
  std::string out;
  for (std::size_t i = 2; i < std::size(kDurationUnits); ++i) {
    const DurationUnit& unit = kDurationUnits[i];
    std::int64_t count = left / unit.nanoseconds;
    if (count == 0) continue;
    AppendInteger(out, count);
    out += unit.name;
    left -= count * unit.nanoseconds;
  }
  return out;
}

Result<std::uint64_t> ParseSize(std::string_view text) {
  std::size_t digits = text.find_first_not_of("0123456789");
  if (digits == std::string_view::npos) digits = text.size();
  auto number = ParseInteger<std::uint64_t>(text.substr(0, digits));
  for (const SizeUnit& unit : kSizeUnits) {
    if (!number || unit.name != text.substr(digits)) continue;
    std::uint64_t bytes = 0;
    if (__builtin_mul_overflow(*number, unit.bytes, &bytes)) break;
    return bytes;
  }
  return Error(ErrorCode::kInvalidArgument,
               Join("\"", text,
                    "\" is not a size: give a whole number of bytes or with a unit, as in 64MiB"));
}

std::string FormatSize(std::uint64_t bytes) {
  static constexpr std::string_view kNames[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  std::size_t unit = 0;
  std::uint64_t scale = 1;
  while (unit + 1 < std::size(kNames) && bytes / scale >= 1024) {
    scale <<= 10;
    ++unit;
  }
  std::uint64_t tenths = bytes / scale * 10 + bytes % scale * 10 / scale;
  std::string out;
  AppendInteger(out, tenths / 10);
  if (tenths % 10 != 0 && unit != 0) {
    out.push_back('.');
    AppendInteger(out, tenths % 10);
  }
  out += kNames[unit];
  return out;
}

}  // namespace dunlin
