#include <chrono>
#include <random>
#include <string>

#include "collector/logql/evaluate.h"
#include "collector/logql/parse.h"
#include "collector/logql/print.h"
#include "tests/logql/memory_source.h"
#include "tests/support/catch.h"

namespace dunlin::logql {
namespace {

std::string Repeat(std::string_view text, std::size_t times) {
  std::string out;
  for (std::size_t i = 0; i < times; ++i) out += text;
  return out;
}

TEST_CASE("deep queries are refused, whatever makes them deep", "[logql][hostile]") {
  constexpr std::size_t kDepth = 10'000;
  auto text = GENERATE_COPY(
      Repeat("(", kDepth), Repeat("(", kDepth) + "1" + Repeat(")", kDepth),
      Repeat("(", kDepth) + R"({a="1"})" + Repeat(")", kDepth),
      "rate" + Repeat("(", kDepth) + R"({a="1"})" + Repeat(")", kDepth) + "[1m]",
      Repeat("sum(", kDepth) + "vector(1)" + Repeat(")", kDepth),
      R"({a="1"} | )" + Repeat("(", kDepth) + R"(b="1")" + Repeat(")", kDepth),
      R"({a="1"} | b="1")" + Repeat(R"(,b="1")", kDepth), Repeat("2 ^ ", kDepth) + "2",
      "vector(1)" + Repeat("+vector(1)", kDepth), "vector(1)" + Repeat("^1", kDepth));
  auto query = Parse(text);
  REQUIRE_FALSE(query);
  CHECK(query.error().message() == "parse error : the query is nested more than 200 levels deep");
}

TEST_CASE("a query as deep as allowed is parsed, printed, evaluated and freed",
          "[logql][hostile]") {
  std::string text = "vector(1)";
  for (int i = 0; i < 98; ++i) text = "(vector(1) + " + text + ")";
  auto query = Parse(text);
  if (!query) FAIL(query.error().message());
  CHECK(Parse(Print(*query)));
  MemorySource source;
  auto result = RunInstantQuery(source, std::get<MetricQuery>(*query), {});
  REQUIRE(result);
  CHECK(std::get<std::vector<InstantSample>>(result->value).at(0).value == 99);
}

TEST_CASE("long lists are not deep", "[logql][hostile]") {
  CHECK(Parse("1" + Repeat("+1", 50'000)));
  CHECK(Parse(R"({a="1"})" + Repeat(R"( |= "x")", 5'000)));
  CHECK(Parse(R"({a="1"} | b="1")" + Repeat(R"( or b="1")", 5'000)));
  CHECK(Parse(R"({a="1"} | b="1")" + Repeat(R"( and b="1")", 5'000)));
}

TEST_CASE("a query over the length limit is refused before it is read", "[logql][hostile]") {
  std::string longest = R"({a="1"})";
  longest += std::string(131072 - longest.size(), ' ');
  CHECK(Parse(longest));
  auto query = Parse(longest + " ");
  REQUIRE_FALSE(query);
  CHECK(query.error().message() ==
        "parse error : the query has 131073 bytes, more than the allowed 131072");
  CHECK_FALSE(ParseSelector(longest + " "));
}

TEST_CASE("a selector has at most a thousand matchers", "[logql][hostile]") {
  CHECK(Parse(R"({a="1")" + Repeat(R"(,a="1")", 999) + "}"));
  auto query = Parse(R"({a="1")" + Repeat(R"(,a="1")", 1000) + "}");
  REQUIRE_FALSE(query);
  CHECK(query.error().message() == "parse error : the selector has more than 1000 matchers");
}

TEST_CASE("bytes that are not UTF-8 are refused, as escapes they are fine", "[logql][hostile]") {
  auto text = GENERATE("\xff", "{\xff=\"1\"}", "{a=\"\xff\"}", "{a=`\xc0\x80`}",
                       "{a=\"1\"} |= \"\xed\xa0\x80\"", "vector(1) + 5\xb5");
  auto query = Parse(text);
  REQUIRE_FALSE(query);
  CHECK(query.error().code() == ErrorCode::kInvalidArgument);
  for (char c : query.error().message()) CHECK(static_cast<unsigned char>(c) < 0x80);
  CHECK(Parse(R"({a="1"} |= "\xff")"));
}

TEST_CASE("regular expressions are bounded in memory", "[logql][hostile]") {
  auto pattern = GENERATE("(((a{100}){100}){100})", "(x{1000}){1000}", "((a{1,100}){1,100}){1,100}",
                          "[\\\\p{L}\\\\p{N}]{1000}");
  CAPTURE(pattern);
  for (const char* form : {R"({a=~"%"})", R"({a="1"} |~ "%")", R"({a="1"} | b=~"%")"}) {
    std::string text = form;
    text.replace(text.find('%'), 1, pattern);
    auto query = Parse(text);
    REQUIRE_FALSE(query);
    CHECK(query.error().message().find("invalid regular expression") != std::string::npos);
  }
}

TEST_CASE("an expression that makes backtracking explode runs in linear time", "[logql][hostile]") {
  MemorySource source;
  std::string line = Repeat("a", 100'000) + "!";
  source.Add({1, LabelSet{{"a", "1"}}, {}, line});
  // A label filter in front keeps the expression in the pipeline's hands as well as the source's.
  auto query = ParseLogQuery(R"({a="1"} |~ "^(a+)+$" or "(a|aa)+$")");
  REQUIRE(query);
  LogQueryParams params;
  params.end_ns = 10;
  auto began = std::chrono::steady_clock::now();
  auto result = RunLogQuery(source, *query, params);
  REQUIRE(result);
  CHECK(result->entries.empty());
  CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(20));
}

TEST_CASE("no sequence of tokens upsets the parser, and what it accepts is stable",
          "[logql][hostile]") {
  const std::vector<std::string> pieces = {"{",         "}",      "(",      ")",
                                           ",",         "|",      "=",      "==",
                                           "!=",        "=~",     "!~",     "|=",
                                           "|~",        "|>",     ">",      "<=",
                                           "+",         "-",      "*",      "^",
                                           "[5m]",      "[",      "]",      "a",
                                           "b",         "\"x\"",  "`y.*`",  "\"",
                                           "5",         "1.5s",   "10KB",   "0x",
                                           "or",        "and",    "unless", "by",
                                           "without",   "offset", "bool",   "on",
                                           "sum",       "rate",   "vector", "drop",
                                           "json",      "unwrap", "#",      "\n",
                                           "{a=\"1\"}", "ip",     "max",    "count_over_time",
                                           "\xc3\xa9"};
  std::mt19937 random(20240229);
  std::size_t accepted = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string text;
    for (std::size_t n = random() % 14; n > 0; --n) {
      text += pieces[random() % pieces.size()];
      if (random() % 2 == 0) text += " ";
    }
    auto query = Parse(text);
    if (!query) {
      CHECK(query.error().message().starts_with("parse error"));
      continue;
    }
    ++accepted;
    CAPTURE(text);
    std::string printed = Print(*query);
    auto again = Parse(printed);
    if (!again) FAIL(printed + ": " + again.error().message());
    CHECK(Print(*again) == printed);
  }
  CHECK(accepted > 50);
}

}  // namespace
}  // namespace dunlin::logql
