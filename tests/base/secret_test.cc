#include "protocol/base/secret.h"

#include "tests/support/catch.h"

namespace dunlin {
namespace {

TEST_CASE("a secret is the expected one or not", "[base][secret]") {
  CHECK(EqualInConstantTime("secret", "secret"));
  CHECK(EqualInConstantTime("", ""));
  CHECK_FALSE(EqualInConstantTime("secret", "Secret"));
  CHECK_FALSE(EqualInConstantTime("secret", "secre\xF4"));
  CHECK_FALSE(EqualInConstantTime("secret", "secrets"));
  CHECK_FALSE(EqualInConstantTime("", "secret"));
}

}  // namespace
}  // namespace dunlin
