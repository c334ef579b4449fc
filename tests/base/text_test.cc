#include "protocol/base/text.h"

#include <bit>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <random>

#include "tests/support/catch.h"

namespace dunlin {
namespace {

std::string DoubleText(double value) {
  std::string out;
  AppendDouble(out, value);
  return out;
}

TEST_CASE("integers of every width are written whole", "[base][text]") {
  CHECK(Join(std::numeric_limits<std::int64_t>::min(), " ",
             std::numeric_limits<std::uint64_t>::max(), " ", std::uint8_t{200}, ' ',
             -7) == "-9223372036854775808 18446744073709551615 200 -7");
}

TEST_CASE("doubles are short, exact and without exponent", "[base][text]") {
  CHECK(DoubleText(0.1) == "0.1");
  CHECK(DoubleText(3) == "3");
  CHECK(DoubleText(1e22) == "10000000000000000000000");
  CHECK(DoubleText(-1e-7) == "-0.0000001");
  CHECK(DoubleText(std::numeric_limits<double>::infinity()) == "+Inf");
  CHECK(DoubleText(-std::numeric_limits<double>::infinity()) == "-Inf");
  CHECK(DoubleText(std::numeric_limits<double>::quiet_NaN()) == "NaN");
  auto value = GENERATE(values<double>({5e-324, 1.7976931348623157e308, 1763661600.123456789}));
  std::string text = DoubleText(value);
  CHECK(text.find('e') == std::string::npos);
  CHECK(std::strtod(text.c_str(), nullptr) == value);
}

/// What the standard library makes of it; of a large whole number that is all its digits.
std::string StandardText(double value) {
  char buffer[1100];
  auto [end, error] =
      std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::fixed);
  return std::string(buffer, end);
}

TEST_CASE("doubles are written as the standard library writes them", "[base][text]") {
  std::mt19937_64 random(5);
  std::uint64_t compared = 0;
  auto compare = [&compared](double value) {
    if (!std::isfinite(value)) return;
    const std::string text = DoubleText(value);
    ++compared;
    if (std::abs(value) < 18446744073709551616.0) {
      if (text != StandardText(value)) FAIL(text << " for " << StandardText(value));
    } else if (std::strtod(text.c_str(), nullptr) != value) {
      FAIL(text << " does not read back");
    }
  };
  for (int i = 0; i < 20'000; ++i) {
    compare(std::bit_cast<double>(random()));                                 // of any size
    compare(std::ldexp(static_cast<double>(random()), -int(random() % 90)));  // of a usual one
    compare(static_cast<double>(random() % 10'000'000) / std::pow(10, random() % 10));
    compare(static_cast<double>(random()) / std::pow(10, random() % 22));
    compare(static_cast<double>(random() % 1000) / static_cast<double>(1 + random() % 1000));
    // Where the neighbours are not equally far away.
    compare(std::ldexp(1, int(random() % 2098) - 1074));
    compare(std::nextafter(std::ldexp(1, int(random() % 200) - 100), 0));
    compare(std::bit_cast<double>(random() % 4096));  // subnormal
  }
  for (double value : {0.0, -0.0, 0.3, 0.1 + 0.2, 1e15 + 0.3, 9007199254740993.0, 2.5e-310, 5e-324})
    compare(value);
  CHECK(compared > 150'000);
}

TEST_CASE("hexadecimal text reads back", "[base][text]") {
  std::string out;
  AppendHex(out, std::string_view("\x00\x9f\xff", 3));
  CHECK(out == "009fff");
  CHECK(ParseHex("009fFF") == std::string("\x00\x9f\xff", 3));
  CHECK(ParseHex("") == "");
  CHECK_FALSE(ParseHex("0"));
  CHECK_FALSE(ParseHex("0g"));
  CHECK_FALSE(ParseHex("0x"));
}

TEST_CASE("an integer is the whole text and in range", "[base][text]") {
  CHECK(ParseInteger<int>("-5") == -5);
  CHECK(ParseInteger<std::uint64_t>("18446744073709551615") ==
        std::numeric_limits<std::uint64_t>::max());
  CHECK_FALSE(ParseInteger<std::uint64_t>("18446744073709551616"));
  CHECK_FALSE(ParseInteger<std::uint16_t>("-1"));
  CHECK_FALSE(ParseInteger<int>(""));
  CHECK_FALSE(ParseInteger<int>("5 "));
  CHECK_FALSE(ParseInteger<int>("+5"));
  CHECK_FALSE(ParseInteger<int>("0x5"));
}

TEST_CASE("splitting keeps empty pieces", "[base][text]") {
  using Pieces = std::vector<std::string_view>;
  CHECK(Split("a,,b", ',') == Pieces{"a", "", "b"});
  CHECK(Split("", ',') == Pieces{""});
  CHECK(Split(",", ',') == Pieces{"", ""});
}

TEST_CASE("trimming takes spaces and tabs only", "[base][text]") {
  CHECK(Trim(" \ta b\t ") == "a b");
  CHECK(Trim("\n") == "\n");
  CHECK(Trim(" \t").empty());
  CHECK(Trim("").empty());
}

TEST_CASE("case is folded for ASCII letters alone", "[base][text]") {
  CHECK(ToLowerAscii("aZ0É") == "az0É");
  CHECK(EqualsIgnoreCase("Content-Type", "content-TYPE"));
  CHECK_FALSE(EqualsIgnoreCase("a", "ab"));
  CHECK_FALSE(EqualsIgnoreCase("[", "{"));  // 0x20 apart, but no letters
}

TEST_CASE("the UTF-8 sequence at the start of a text is measured", "[base][text]") {
  auto [text, length] = GENERATE(table<std::string, std::size_t>({
      {"", 0},
      {"a", 1},
      {std::string(1, '\0'), 1},
      {"é", 2},
      {"日x", 3},
      {"😀", 4},
      {"\xc3", 0},              // cut short
      {"\xe6\x97", 0},          // cut short
      {"\x80", 0},              // a continuation
      {"\xc1\xbf", 0},          // overlong
      {"\xe0\x9f\xbf", 0},      // overlong
      {"\xe0\xa0\x80", 3},      // U+0800, the first of three bytes
      {"\xf0\x8f\xbf\xbf", 0},  // overlong
      {"\xf0\x90\x80\x80", 4},  // U+10000, the first of four bytes
      {"\xed\x9f\xbf", 3},      // U+D7FF, the last before the surrogates
      {"\xed\xa0\x80", 0},      // a surrogate
      {"\xf4\x8f\xbf\xbf", 4},  // U+10FFFF, the last
      {"\xf4\x90\x80\x80", 0},  // above it
      {"\xff", 0},
  }));
  CHECK(Utf8SequenceLength(text) == length);
}

}  // namespace
}  // namespace dunlin
