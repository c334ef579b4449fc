#include "agent/flat_object.h"

#include <string>
#include <string_view>

#include "tests/support/catch.h"

namespace dunlin::agent {
namespace {

using Fields = std::vector<std::pair<std::string, std::string>>;

TEST_CASE("objects without nesting are read", "[agent][json]") {
  auto [text, want] = GENERATE(table<std::string, Fields>({
      {"{}", {}},
      {" { } ", {}},
      {R"({"grace":"5s"})", {{"grace", "5s"}}},
      {"{ \"grace\" : 5 ,\n\"now\":true, \"id\":null}", {{"grace", "5"}, {"now", "true"}}},
      {R"({"a":"\"\\\/\n\u0041"})", {{"a", "\"\\/\nA"}}},
      {R"({"a":"\u00e9\u20ac\ud83d\ude00"})", {{"a", "\u00e9\u20ac\U0001F600"}}},
      {R"({"a":-1.5e3})", {{"a", "-1.5e3"}}},
      {R"({"a":"null"})", {{"a", "null"}}},
  }));
  CAPTURE(text);
  auto got = ParseFlatObject(text);
  REQUIRE(got);
  CHECK(*got == want);
}

TEST_CASE("anything else is refused", "[agent][json]") {
  const std::string text =
      GENERATE(as<std::string>{}, "", "[]", "5", "{", "}", "{\"a\"}", "{\"a\":}", "{\"a\":1,}",
               "{a:1}", "{\"a\":{}}", "{\"a\":[1]}", "{\"a\":1} x", "{\"a\":\"\n\"}",
               R"({"a":"\x"})", R"({"a":"\ud83d"})", R"({"a":"\ude00"})", R"({"a":"\ud83d\u0041"})",
               R"({"a":")", "{\"a\":nul}");
  CAPTURE(text);
  auto got = ParseFlatObject(text);
  REQUIRE_FALSE(got);
  CHECK(got.error().code() == ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace dunlin::agent
