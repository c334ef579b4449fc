#include "collector/api/compression.h"

#include <string>

#include "tests/support/catch.h"

namespace dunlin::api {
namespace {

http::Request Accepting(std::string_view coding) {
  http::Request request;
  if (!coding.empty()) request.headers.Set("Accept-Encoding", coding);
  return request;
}

http::Request WithBody(std::string body, std::string_view coding) {
  http::Request request;
  request.headers.Set("Content-Encoding", coding);
  request.body = std::move(body);
  return request;
}

const std::string kText(5000, 'x');

std::string Gzipped(const std::string& text) {
  return CompressedFor(Accepting("gzip"), http::Response::Text(200, text)).body;
}

TEST_CASE("a large answer is compressed for who accepts it", "[api][compression]") {
  http::Response plain = http::Response::Text(200, kText);
  SECTION("accepted") {
    auto coding = GENERATE(as<std::string>{}, "gzip", "deflate, gzip;q=0.5", "GZIP, br");
    http::Response response = CompressedFor(Accepting(coding), plain);
    CHECK(response.headers.Get("Content-Encoding") == "gzip");
    CHECK(response.headers.Get("Vary") == "Accept-Encoding");
    CHECK(response.body.size() < 100);
    CHECK(*DecodedBody(WithBody(response.body, "gzip"), 1 << 20) == kText);
  }
  SECTION("not accepted") {
    auto coding = GENERATE(as<std::string>{}, "", "br", "gzip;q=0", "gzip;q=0.000", "x-gzip2");
    CAPTURE(coding);
    http::Response response = CompressedFor(Accepting(coding), plain);
    CHECK_FALSE(response.headers.Has("Content-Encoding"));
    CHECK(response.headers.Get("Vary") == "Accept-Encoding");
    CHECK(response.body == kText);
  }
  SECTION("too small to gain") {
    http::Response response = CompressedFor(Accepting("gzip"), http::Response::Text(200, "small"));
    CHECK_FALSE(response.headers.Has("Content-Encoding"));
  }
}

TEST_CASE("bodies arrive in several encodings", "[api][compression]") {
  CHECK(*DecodedBody(WithBody("plain", ""), 100) == "plain");
  CHECK(*DecodedBody(WithBody("plain", "identity"), 100) == "plain");
  CHECK(*DecodedBody(WithBody(Gzipped(kText), "GZIP"), 10'000) == kText);
  // A gzip body of two members is their texts joined.
  CHECK(*DecodedBody(WithBody(Gzipped(kText) + Gzipped(kText), "gzip"), 10'000) == kText + kText);
}

TEST_CASE("a body that cannot be decoded says why", "[api][compression]") {
  std::string gzip = Gzipped(kText);
  SECTION("unknown encoding") {
    auto body = DecodedBody(WithBody("x", "snappy"), 100);
    REQUIRE_FALSE(body);
    CHECK(body.error().code() == ErrorCode::kUnsupported);
  }
  SECTION("damaged") {
    auto bytes = GENERATE_COPY(std::string("not gzip"), gzip.substr(0, gzip.size() / 2),
                               std::string(), gzip + "tail");
    auto body = DecodedBody(WithBody(bytes, "gzip"), 10'000);
    REQUIRE_FALSE(body);
    CHECK(body.error().code() == ErrorCode::kInvalidArgument);
  }
  SECTION("a bomb") {
    auto body = DecodedBody(WithBody(gzip, "gzip"), kText.size() - 1);
    REQUIRE_FALSE(body);
    CHECK(body.error().code() == ErrorCode::kExhausted);
    CHECK_FALSE(DecodedBody(WithBody("12345", ""), 4));
  }
}

}  // namespace
}  // namespace dunlin::api
