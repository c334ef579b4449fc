#include "collector/logql/selector.h"

#include <string>

#include "tests/support/catch.h"

namespace dunlin::logql {
namespace {

using Op = Matcher::Op;

bool Matches(Op op, std::string pattern, std::string_view value) {
  auto matcher = CompiledMatcher::Compile({"name", op, std::move(pattern)});
  REQUIRE(matcher);
  CHECK(matcher->name() == "name");
  return matcher->Matches(value);
}

TEST_CASE("expressions match the whole of a value", "[logql][selector]") {
  auto [pattern, value, want] = GENERATE(table<std::string, std::string, bool>({
      {"a", "a", true},          {"a", "ab", false},
      {"a", "ba", false},        {"a|b", "b", true},
      {"a|b", "ab", false},      {"a|", "", true},
      {"a||b", "", true},        {"", "", true},
      {"", "a", false},          {"a.c", "abc", true},
      {"a.c", "a\nc", false},    {"(?s)a.c", "a\nc", true},
      {"a\\.c|x", "a.c", true},  {"a\\.c|x", "abc", false},
      {"\\d+|x", "42", true},    {"\\d+|x", "d", false},
      {"(?i)ab|c", "AB", true},  {"a{2}|b", "aa", true},
      {"a-b|c/d", "c/d", true},  {"x\\|y|z", "x|y", true},
      {"x\\|y|z", "x", false},   {".*", "", true},
      {".+", "", false},         {"^a$", "a", true},
      {"snø|fall", "snø", true}, {"a b|\"c\"", "\"c\"", true},
  }));
  CAPTURE(pattern, value);
  CHECK(Matches(Op::kRegex, pattern, value) == want);
  CHECK(Matches(Op::kNotRegex, pattern, value) == !want);
}

TEST_CASE("texts are compared as they are", "[logql][selector]") {
  CHECK(Matches(Op::kEqual, "a|b", "a|b"));
  CHECK_FALSE(Matches(Op::kEqual, "a|b", "a"));
  CHECK(Matches(Op::kNotEqual, ".*", "x"));
  CHECK(Matches(Op::kEqual, "", ""));
  CHECK_FALSE(Matches(Op::kNotEqual, "", ""));
}

TEST_CASE("long lists of values are looked up, whatever an expression may cost",
          "[logql][selector]") {
  std::string pattern = "first";
  for (int i = 0; i < 5000; ++i) pattern += "|container-with-a-long-name-" + std::to_string(i);
  CHECK(Matches(Op::kRegex, pattern, "container-with-a-long-name-4999"));
  CHECK(Matches(Op::kRegex, pattern, "first"));
  CHECK_FALSE(Matches(Op::kRegex, pattern, "container-with-a-long-name-"));
}

TEST_CASE("a malformed expression is refused", "[logql][selector]") {
  auto pattern = GENERATE("(", "a\\", "[", "a**", "\\Z", "(?<x)");
  CAPTURE(pattern);
  auto matcher = CompiledMatcher::Compile({"name", Op::kRegex, pattern});
  REQUIRE_FALSE(matcher);
  CHECK(matcher.error().code() == ErrorCode::kInvalidArgument);
  CHECK_FALSE(CompiledSelector::Compile({{"name", Op::kRegex, pattern}}));
}

TEST_CASE("a selector holds when all its conditions do", "[logql][selector]") {
  auto selector = CompiledSelector::Compile(
      {{"service", Op::kRegex, "web.*"}, {"env", Op::kNotEqual, "dev"}, {"zone", Op::kEqual, ""}});
  REQUIRE(selector);
  CHECK(selector->Matches(LabelSet{{"service", "web1"}}));
  CHECK(selector->Matches(LabelSet{{"service", "web1"}, {"env", "prod"}}));
  CHECK_FALSE(selector->Matches(LabelSet{{"service", "web1"}, {"env", "dev"}}));
  CHECK_FALSE(selector->Matches(LabelSet{{"service", "web1"}, {"zone", "a"}}));
  CHECK_FALSE(selector->Matches(LabelSet{{"env", "prod"}}));
}

TEST_CASE("a selector without conditions matches everything", "[logql][selector]") {
  auto selector = CompiledSelector::Compile({});
  REQUIRE(selector);
  CHECK(selector->Matches(LabelSet{{"a", "1"}}));
  CHECK(selector->Matches(LabelSet()));
}

}  // namespace
}  // namespace dunlin::logql
