#include "protocol/base/units.h"

#include <cmath>
#include <iterator>

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

bool IsNumberChar(char c) { return (c >= '0' && c <= '9') || c == '.'; }

Error BadDuration(std::string_view text) {
  return Error(ErrorCode::kInvalidArgument,
               Join("\"", text,
                    "\" is not a duration: give a number and a unit, as in 10s, 500ms or 1h30m"));
}

}  // namespace

Result<std::chrono::nanoseconds> ParseDuration(std::string_view text) {
  if (text == "0") return std::chrono::nanoseconds(0);
  if (text.empty()) return BadDuration(text);
  double total = 0;
  for (std::string_view rest = text; !rest.empty();) {
    std::size_t digits = 0;
    while (digits < rest.size() && IsNumberChar(rest[digits])) ++digits;
    double number = 0;
    auto [end, ec] = std::from_chars(rest.data(), rest.data() + digits, number);
    if (digits == 0 || ec != std::errc{} || end != rest.data() + digits) return BadDuration(text);
    rest.remove_prefix(digits);
    std::size_t letters = 0;
    while (letters < rest.size() && !IsNumberChar(rest[letters])) ++letters;
    const DurationUnit* found = nullptr;
    for (const DurationUnit& unit : kDurationUnits) {
      if (unit.name == rest.substr(0, letters)) found = &unit;
    }
    if (found == nullptr) return BadDuration(text);
    total += number * static_cast<double>(found->nanoseconds);
    rest.remove_prefix(letters);
  }
  if (total > 9.2e18) {
    return Error(ErrorCode::kInvalidArgument, Join("\"", text, "\" is longer than 292 years"));
  }
  return std::chrono::nanoseconds(std::llround(total));
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
