#include "collector/logql/literals.h"

#include <charconv>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <limits>

#include "protocol/base/text.h"
#include "protocol/base/units.h"

namespace dunlin::logql {
namespace {

using std::chrono::nanoseconds;

struct Unit {
  std::string_view name;
  double scale;
};

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kDay = 86400 * kSecond;

struct DurationUnit {
  std::string_view name;
  std::int64_t nanoseconds;
};

constexpr DurationUnit kPrometheusUnits[] = {
    {"y", 365 * kDay},   {"w", 7 * kDay}, {"d", kDay},       {"h", 3600 * kSecond},
    {"m", 60 * kSecond}, {"s", kSecond},  {"ms", 1'000'000},
};

constexpr DurationUnit kGoUnits[] = {
    {"h", 3600 * kSecond}, {"m", 60 * kSecond}, {"s", kSecond},     {"ms", 1'000'000},
    {"us", 1'000},         {"\u00b5s", 1'000},  {"\u03bcs", 1'000}, {"ns", 1},
};

constexpr Unit kByteUnits[] = {
    {"", 1},         {"b", 1},        {"k", 1e3},      {"kb", 1e3},     {"m", 1e6},
    {"mb", 1e6},     {"g", 1e9},      {"gb", 1e9},     {"t", 1e12},     {"tb", 1e12},
    {"p", 1e15},     {"pb", 1e15},    {"ki", 0x1p10},  {"kib", 0x1p10}, {"mi", 0x1p20},
    {"mib", 0x1p20}, {"gi", 0x1p30},  {"gib", 0x1p30}, {"ti", 0x1p40},  {"tib", 0x1p40},
    {"pi", 0x1p50},  {"pib", 0x1p50},
};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

std::size_t CountDigits(std::string_view text) {
  std::size_t n = 0;
  while (n < text.size() && IsDigit(text[n])) ++n;
  return n;
}

std::optional<std::uint32_t> ReadCodeUnits(std::string_view text, std::size_t digits, int base) {
  std::uint32_t value = 0;
  if (text.size() < digits) return std::nullopt;
  auto [end, ec] = std::from_chars(text.data(), text.data() + digits, value, base);
  if (ec != std::errc{} || end != text.data() + digits) return std::nullopt;
  return value;
}

// RFC 3629 section 3. False for what is not a character.
bool AppendUtf8(std::string& out, std::uint32_t c) {
  if (c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF)) return false;
  if (c < 0x80) {
    out.push_back(static_cast<char>(c));
  } else if (c < 0x800) {
    out.push_back(static_cast<char>(0xC0 | (c >> 6)));
    out.push_back(static_cast<char>(0x80 | (c & 0x3F)));
  } else if (c < 0x10000) {
    out.push_back(static_cast<char>(0xE0 | (c >> 12)));
    out.push_back(static_cast<char>(0x80 | ((c >> 6) & 0x3F)));
    out.push_back(static_cast<char>(0x80 | (c & 0x3F)));
  } else {
    out.push_back(static_cast<char>(0xF0 | (c >> 18)));
    out.push_back(static_cast<char>(0x80 | ((c >> 12) & 0x3F)));
    out.push_back(static_cast<char>(0x80 | ((c >> 6) & 0x3F)));
    out.push_back(static_cast<char>(0x80 | (c & 0x3F)));
  }
  return true;
}

}  // namespace

std::optional<nanoseconds> ReadPrometheusDuration(std::string_view text) {
  if (text == "0") return nanoseconds(0);
  if (text.empty()) return std::nullopt;
  std::int64_t total = 0;
  const DurationUnit* allowed = std::begin(kPrometheusUnits);
  while (!text.empty()) {
    std::size_t digits = CountDigits(text);
    auto count = ParseInteger<std::int64_t>(text.substr(0, digits));
    text.remove_prefix(digits);
    std::string_view name = text.substr(0, text.find_first_of("0123456789"));
    while (allowed != std::end(kPrometheusUnits) && allowed->name != name) ++allowed;
    std::int64_t part = 0;
    if (!count || allowed == std::end(kPrometheusUnits) ||
        __builtin_mul_overflow(*count, allowed->nanoseconds, &part) ||
        __builtin_add_overflow(total, part, &total)) {
      return std::nullopt;
    }
    ++allowed;
    text.remove_prefix(name.size());
  }
  return nanoseconds(total);
}

std::optional<nanoseconds> ReadGoDuration(std::string_view text) {
  bool negative = !text.empty() && text[0] == '-';
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) text.remove_prefix(1);
  if (text == "0") return nanoseconds(0);
  if (text.empty()) return std::nullopt;
  // Whole parts are exact; only fractions go through floating point.
  std::int64_t total = 0;
  while (!text.empty()) {
    std::size_t digits = CountDigits(text);
    std::string_view whole = text.substr(0, digits);
    text.remove_prefix(digits);
    std::string_view fraction;
    if (!text.empty() && text[0] == '.') {
      fraction = text.substr(0, 1 + CountDigits(text.substr(1)));
      text.remove_prefix(fraction.size());
    }
    if (whole.empty() && fraction.size() < 2) return std::nullopt;
    std::string_view name = text.substr(0, text.find_first_of("0123456789."));
    const DurationUnit* unit = nullptr;
    for (const DurationUnit& candidate : kGoUnits) {
      if (candidate.name == name) unit = &candidate;
    }
    auto count = whole.empty() ? std::optional<std::int64_t>(0) : ParseInteger<std::int64_t>(whole);
    std::int64_t part = 0;
    if (unit == nullptr || !count || __builtin_mul_overflow(*count, unit->nanoseconds, &part) ||
        __builtin_add_overflow(total, part, &total)) {
      return std::nullopt;
    }
    if (fraction.size() > 1) {
      double value = 0;
      std::from_chars(fraction.data(), fraction.data() + fraction.size(), value);
      part = static_cast<std::int64_t>(value * static_cast<double>(unit->nanoseconds));
      if (__builtin_add_overflow(total, part, &total)) return std::nullopt;
    }
    text.remove_prefix(name.size());
  }
  return nanoseconds(negative ? -total : total);
}

std::optional<double> ReadByteSize(std::string_view text) {
  double number = 0;
  auto [end, ec] =
      std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (ec != std::errc{} || !std::isfinite(number) || number < 0) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  std::string unit_name = ToLowerAscii(Trim(text));
  for (const Unit& unit : kByteUnits) {
    if (unit.name == unit_name) return number * unit.scale;
  }
  return std::nullopt;
}

std::optional<double> ReadNumber(std::string_view text) {
  if (text.starts_with("0x") || text.starts_with("0X")) {
    std::uint64_t value = 0;
    auto [end, ec] = std::from_chars(text.data() + 2, text.data() + text.size(), value, 16);
    if (ec != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return static_cast<double>(value);
  }
  bool negative = !text.empty() && text[0] == '-';
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) text.remove_prefix(1);
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) return std::nullopt;
  double value = 0;
  auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (ec != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return negative ? -value : value;
}

std::optional<std::string> Unescape(std::string_view text) {
  static constexpr std::string_view kLetters = "abfnrtv\\\"";
  static constexpr std::string_view kMeanings = "\a\b\f\n\r\t\v\\\"";
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    std::size_t plain = text.find('\\');
    out.append(text.substr(0, plain));
    if (plain == std::string_view::npos) break;
    text.remove_prefix(plain + 1);
    if (text.empty()) return std::nullopt;
    char kind = text[0];
    if (std::size_t at = kLetters.find(kind); at != std::string_view::npos) {
      out.push_back(kMeanings[at]);
      text.remove_prefix(1);
      continue;
    }
    std::size_t digits = kind == 'x' ? 2 : kind == 'u' ? 4 : kind == 'U' ? 8 : 3;
    bool octal = IsDigit(kind);
    if (!octal) text.remove_prefix(1);
    if (!octal && digits == 3) return std::nullopt;
    auto code = ReadCodeUnits(text, digits, octal ? 8 : 16);
    if (!code) return std::nullopt;
    if (octal || kind == 'x') {
      if (*code > 0xFF) return std::nullopt;
      out.push_back(static_cast<char>(*code));
    } else if (!AppendUtf8(out, *code)) {
      return std::nullopt;
    }
    text.remove_prefix(digits);
  }
  return out;
}

std::string Quote(std::string_view value) {
  std::string out = "\"";
  while (!value.empty()) {
    std::size_t length = Utf8SequenceLength(value);
    char c = value[0];
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c == '\r') {
      out += "\\r";
    } else if (length == 0 || (c >= 0 && c < 0x20) || c == 0x7F) {
      out += "\\x";
      AppendHex(out, value.substr(0, 1));
    } else {
      out.append(value.substr(0, length));
    }
    value.remove_prefix(length == 0 ? 1 : length);
  }
  out.push_back('"');
  return out;
}

void AppendNumberLiteral(std::string& out, double value) {
  // Only folded arithmetic gives these; there is no literal for them, but arithmetic that folds.
  if (std::isnan(value)) {
    out += "(0 / 0)";
    return;
  }
  if (std::isinf(value)) {
    out += value > 0 ? "(1e308 * 10)" : "(-1e308 * 10)";
    return;
  }
  char buffer[32];
  auto [end, ec] = std::to_chars(buffer, buffer + sizeof buffer, value);
  out.append(buffer, end);
}

void AppendDurationLiteral(std::string& out, nanoseconds value) {
  std::int64_t left = value.count();
  if (left < 0) {
    out.push_back('-');
    left = -left;
  }
  // Days and longer units exist only in Prometheus' form, units below the millisecond only in Go's.
  if (left % 1'000'000 == 0) {
    out += FormatDuration(nanoseconds(left));
    return;
  }
  for (const DurationUnit& unit : kGoUnits) {
    std::int64_t count = left / unit.nanoseconds;
    if (count == 0) continue;
    AppendInteger(out, count);
    out += unit.name;
    left -= count * unit.nanoseconds;
  }
}

}  // namespace dunlin::logql
