#include "collector/logql/parse.h"

#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "collector/logql/print.h"
#include "tests/support/catch.h"

namespace dunlin::logql {
namespace {

/// The queries of a file, each with the indented line below it; empty when there is none.
std::vector<std::pair<std::string, std::string>> ReadQueries(const std::string& name) {
  std::ifstream in(DUNLIN_LOGQL_QUERIES "/" + name);
  std::vector<std::pair<std::string, std::string>> queries;
  for (std::string line; std::getline(in, line);) {
    if (line.empty() || line.starts_with("#")) continue;
    if (line.starts_with("    ")) {
      queries.back().second = line.substr(4);
    } else {
      queries.emplace_back(line, "");
    }
  }
  REQUIRE(queries.size() > 50);
  return queries;
}

TEST_CASE("queries are accepted, and printed in one canonical form", "[logql][parse]") {
  for (const auto& [text, print] : ReadQueries("accepted.txt")) {
    CAPTURE(text);
    const std::string& canonical = print.empty() ? text : print;
    auto query = Parse(text);
    if (!query) FAIL(query.error().message());
    CHECK(Print(*query) == canonical);
    auto again = Parse(canonical);
    if (!again) FAIL(again.error().message());
    CHECK(Print(*again) == canonical);
  }
}

TEST_CASE("queries are refused with the place, and what was expected or is not offered",
          "[logql][parse]") {
  for (const auto& [text, message] : ReadQueries("rejected.txt")) {
    CAPTURE(text);
    auto query = Parse(text);
    REQUIRE_FALSE(query);
    CHECK(query.error().message() == message);
    bool offered = message.find(": unsupported: ") == std::string::npos;
    CHECK(query.error().code() ==
          (offered ? ErrorCode::kInvalidArgument : ErrorCode::kUnsupported));
  }
}

TEST_CASE("an empty query is refused", "[logql][parse]") {
  auto text = GENERATE("", " \t\r\n", "# only a comment");
  auto query = Parse(text);
  REQUIRE_FALSE(query);
  CHECK(query.error().message().find("unexpected end of query, expecting a selector") !=
        std::string::npos);
}

TEST_CASE("a query may have lines and comments", "[logql][parse]") {
  auto query = Parse("# first\n{a=\"1\"}\r\n|= \"x\" # then |= \"not this\"\n\t|= `y\nz`");
  REQUIRE(query);
  CHECK(Print(*query) == R"({a="1"} |= "x" |= "y\nz")");
}

TEST_CASE("a message names the line and the column in characters", "[logql][parse]") {
  auto query = Parse("{a=\"é\"}\n# comment\n  |= `é\né` é");
  REQUIRE_FALSE(query);
  CHECK(query.error().message().starts_with("parse error at line 4, col 4: "));
}

TEST_CASE("a query and its print are the same tree", "[logql][parse]") {
  auto text = GENERATE(
      R"({a="1", b=~"x|y"} |= "p" or "q" | c="2" and (d > 5 or e <= 1.5s) | drop f, g!="h")",
      R"(sum by (x) (rate({a="1"} !~ "\\d" [5m] offset 1m)) / vector(2) > bool 0.5)",
      R"(vector(1) ^ (vector(2) ^ vector(3)) ^ vector(4))");
  auto query = Parse(text);
  REQUIRE(query);
  auto again = Parse(Print(*query));
  REQUIRE(again);
  CHECK(*again == *query);
}

TEST_CASE("a log query is asked for where metrics make no sense", "[logql][parse]") {
  CHECK(ParseLogQuery(R"({a="1"} |= "x")"));
  auto metric = ParseLogQuery(R"(rate({a="1"}[1m]))");
  REQUIRE_FALSE(metric);
  CHECK(metric.error().code() == ErrorCode::kInvalidArgument);
}

TEST_CASE("a selector alone may select everything", "[logql][parse]") {
  auto all = ParseSelector("{}");
  REQUIRE(all);
  CHECK(all->empty());
  auto some = ParseSelector(R"({a=~".*", b!="2"})");
  REQUIRE(some);
  CHECK(*some ==
        std::vector<Matcher>{{"a", Matcher::Op::kRegex, ".*"}, {"b", Matcher::Op::kNotEqual, "2"}});
  CHECK_FALSE(ParseSelector(R"({a="1"} |= "x")"));
  CHECK_FALSE(ParseSelector(R"({a=~"("})"));
  CHECK_FALSE(ParseSelector("up"));
  CHECK_FALSE(ParseSelector(""));
}

TEST_CASE("durations of the Prometheus form", "[logql][parse]") {
  using namespace std::chrono_literals;
  auto [text, want] = GENERATE(table<std::string, std::chrono::nanoseconds>(
      {{"5m", 5min}, {"1h30m", 90min}, {"15000ms", 15s}, {"1d", 24h}, {"1w", 168h}, {"0", 0s}}));
  CAPTURE(text);
  auto got = ParsePrometheusDuration(text);
  REQUIRE(got);
  CHECK(*got == want);
}

TEST_CASE("durations of another form are refused", "[logql][parse]") {
  auto text = GENERATE("", "5", "m", "1.5m", "1m1h", "1m1m", "-5m", "5 m", "1h30", "300y", "1us");
  CAPTURE(text);
  CHECK_FALSE(ParsePrometheusDuration(text));
}

}  // namespace
}  // namespace dunlin::logql
