#include "protocol/base/result.h"

#include <cerrno>
#include <memory>

#include "tests/support/catch.h"

namespace dunlin {
namespace {

Error SomeError() { return Error(ErrorCode::kNotFound, "cannot open x"); }

TEST_CASE("a result is a value or an error", "[base][result]") {
  Result<std::string> good = std::string("v");
  REQUIRE(good);
  CHECK(*good == "v");
  CHECK(good->size() == 1);
  CHECK(good.value() == "v");
  CHECK(std::move(good).value_or("other") == "v");

  Result<std::string> bad = SomeError();
  REQUIRE_FALSE(bad);
  CHECK(bad.error() == SomeError());
  CHECK(std::move(bad).value_or("other") == "other");
}

TEST_CASE("a result hands over what cannot be copied", "[base][result]") {
  Result<std::unique_ptr<int>> result = std::make_unique<int>(7);
  std::unique_ptr<int> taken = *std::move(result);
  CHECK(*taken == 7);
}

TEST_CASE("success without a value is the default", "[base][result]") {
  Result<void> good;
  CHECK(good);
  const Result<void> bad = SomeError();
  CHECK_FALSE(bad);
  CHECK(bad.error().code() == ErrorCode::kNotFound);
}

TEST_CASE("context goes in front and keeps the code", "[base][result]") {
  const Error error = SomeError();
  CHECK(error.Wrap("cannot start") == Error(ErrorCode::kNotFound, "cannot start: cannot open x"));
  CHECK(SomeError().Wrap("a").Wrap("b").message() == "b: a: cannot open x");
}

TEST_CASE("errno becomes a code and a cause", "[base][result]") {
  auto [number, code, cause] = GENERATE(table<int, ErrorCode, std::string>(
      {{ENOENT, ErrorCode::kNotFound, "No such file or directory"},
       {EADDRINUSE, ErrorCode::kAlreadyExists, "Address already in use"},
       {ENOSPC, ErrorCode::kExhausted, "No space left on device"},
       {EACCES, ErrorCode::kPermissionDenied, "Permission denied"},
       {ECONNREFUSED, ErrorCode::kUnavailable, "Connection refused"},
       {ETIMEDOUT, ErrorCode::kTimeout, "Connection timed out"},
       {EIO, ErrorCode::kIo, "Input/output error"},
       {123456, ErrorCode::kIo, "Unknown error 123456"}}));
  CHECK(ErrnoError(number, "cannot try") == Error(code, "cannot try: " + cause));
  CHECK(ErrnoError(number, "cannot try").Wrap("cannot start").error_number() == number);
}

TEST_CASE("every error code has a name of its own", "[base][result]") {
  CHECK(ErrorCodeName(ErrorCode::kInvalidArgument) == "invalid_argument");
  CHECK(ErrorCodeName(ErrorCode::kUnsupported) == "unsupported");
  CHECK(ErrorCodeName(ErrorCode::kIo) == "io");
}

}  // namespace
}  // namespace dunlin
