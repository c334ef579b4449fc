#include "protocol/base/base64.h"

#include <string>

#include "tests/support/catch.h"

namespace dunlin {
namespace {

TEST_CASE("base64 of RFC 4648 section 10", "[base][base64]") {
  auto [bytes, text] = GENERATE(table<std::string, std::string>({
      {"", ""},
      {"f", "Zg=="},
      {"fo", "Zm8="},
      {"foo", "Zm9v"},
      {"foob", "Zm9vYg=="},
      {"fooba", "Zm9vYmE="},
      {"foobar", "Zm9vYmFy"},
      {std::string("\0\xFF\xFE", 3), "AP/+"},
  }));
  std::string encoded;
  AppendBase64(encoded, bytes);
  CHECK(encoded == text);
  CHECK(ParseBase64(text) == bytes);
}

TEST_CASE("what is not base64 is refused", "[base][base64]") {
  auto text = GENERATE(as<std::string>{}, "Z", "Zg",
                       "Zg=", "Zh==", "Zm9=", "====", "Z===", "Zm9v=", "Zm 9v===", "Zm9\n", "-_-_");
  CAPTURE(text);
  CHECK_FALSE(ParseBase64(text));
}

}  // namespace
}  // namespace dunlin
