#include "agent/command_words.h"

#include <string>
#include <vector>

#include "tests/support/catch.h"

namespace dunlin::agent {
namespace {

using Words = std::vector<std::string>;

TEST_CASE("a command is split into words as a shell would, without a shell", "[agent]") {
  auto [text, want] = GENERATE(table<std::string, Words>({
      {"/bin/check", {"/bin/check"}},
      {"  a\tb \n c  ", {"a", "b", "c"}},
      {"sh -c 'exit 3'", {"sh", "-c", "exit 3"}},
      {"a \"b c\"d", {"a", "b cd"}},
      {"a '' b", {"a", "", "b"}},
      {"a\\ b", {"a b"}},
      {"a '\\' \"\\\"\"", {"a", "\\", "\""}},
      {"$HOME *", {"$HOME", "*"}},
  }));
  CAPTURE(text);
  auto words = SplitCommandWords(text);
  REQUIRE(words);
  CHECK(*words == want);
}

TEST_CASE("a command that is none is refused", "[agent]") {
  std::string text = GENERATE("", "  ", "'a", "a \"b", "a\\", "'' b");
  CAPTURE(text);
  CHECK_FALSE(SplitCommandWords(text));
}

}  // namespace
}  // namespace dunlin::agent
