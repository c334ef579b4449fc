#include "protocol/base/percent.h"

#include <string>

#include "tests/support/catch.h"

namespace dunlin {
namespace {

TEST_CASE("percent escapes are decoded and malformed ones kept", "[base][percent]") {
  auto [text, want] = GENERATE(table<std::string, std::string>({{"a%20b", "a b"},
                                                                {"%7B%7d", "{}"},
                                                                {"a+b", "a+b"},
                                                                {"100%", "100%"},
                                                                {"%4", "%4"},
                                                                {"%zz", "%zz"},
                                                                {"%41", "A"},
                                                                {"%+1", "%+1"},
                                                                {"%%41", "%A"}}));
  CAPTURE(text);
  CHECK(DecodePercent(text, /*plus_is_space=*/false) == want);
}

TEST_CASE("a plus is a space in form text only", "[base][percent]") {
  CHECK(DecodePercent("a+b%2B", /*plus_is_space=*/true) == "a b+");
}

TEST_CASE("every byte survives percent encoding", "[base][percent]") {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes.push_back(static_cast<char>(i));
  CHECK(DecodePercent(EncodePercent(bytes), /*plus_is_space=*/true) == bytes);
  CHECK(EncodePercent("a-._~Z9 /") == "a-._~Z9%20%2F");
}

}  // namespace
}  // namespace dunlin
