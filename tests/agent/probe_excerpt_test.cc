#include "agent/probe_excerpt.h"

#include <string>

#include "tests/support/catch.h"

namespace dunlin::agent {
namespace {

TEST_CASE("an excerpt is the first or last line that says something", "[agent][probe]") {
  auto [text, first, last] = GENERATE(table<std::string, std::string, std::string>({
      {"", "", ""},
      {" \r\n\t\n", "", ""},
      {"one", "one", "one"},
      {"one\n", "one", "one"},
      {"\n  one two \r\nthree\r\n\r\n", "one two", "three"},
      {"a\n\nb\n \n", "a", "b"},
      {"a\rb", "a", "b"},
  }));
  CAPTURE(text);
  CHECK(FirstLineOf(text) == first);
  CHECK(LastLineOf(text) == last);
}

TEST_CASE("an excerpt is short", "[agent][probe]") {
  const std::string text = std::string(kMaxExcerptBytes, 'a') + "b";
  CHECK(FirstLineOf(text) == std::string(kMaxExcerptBytes, 'a'));
  CHECK(LastLineOf("x\n" + text) == std::string(kMaxExcerptBytes, 'a'));
}

}  // namespace
}  // namespace dunlin::agent
