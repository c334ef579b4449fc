#include <algorithm>

#include "protocol/http/parser.h"
#include "tests/support/catch.h"

namespace dunlin::http {
namespace {

Result<void> FeedIn(ResponseParser& parser, std::string_view bytes, std::size_t step) {
  for (; !bytes.empty(); bytes.remove_prefix(std::min(step, bytes.size()))) {
    if (auto fed = parser.Feed(bytes.substr(0, step)); !fed) return fed;
  }
  return {};
}

TEST_CASE("a response is read by its framing, however it arrives", "[http][parser]") {
  auto [bytes, status, body] = GENERATE(table<std::string, int, std::string>({
      {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, "ok"},
      {"HTTP/1.1 404 \r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n", 404, "no"},
      {"HTTP/1.1 204 No Content\r\n\r\n", 204, ""},
      {"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", 304, ""},
      {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", 200, "x"},
      {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n", 101, ""},
  }));
  CAPTURE(bytes);
  for (std::size_t step = 1; step <= bytes.size(); ++step) {
    ResponseParser parser;
    REQUIRE(FeedIn(parser, bytes, step));
    auto response = parser.TakeResponse();
    REQUIRE(response);
    CHECK(response->status == status);
    CHECK(response->body == body);
    CHECK_FALSE(parser.TakeResponse());
    CHECK(parser.Finish());
  }
}

TEST_CASE("a response without length ends with its connection", "[http][parser]") {
  ResponseParser parser;
  REQUIRE(parser.Feed("HTTP/1.0 200 OK\r\n\r\nall of"));
  CHECK_FALSE(parser.TakeResponse());
  REQUIRE(parser.Feed(" it"));
  REQUIRE(parser.Finish());
  CHECK(parser.TakeResponse()->body == "all of it");
}

TEST_CASE("a response cut short is an error", "[http][parser]") {
  std::string bytes = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    ResponseParser parser;
    REQUIRE(parser.Feed(std::string_view(bytes).substr(0, size)));
    auto finished = parser.Finish();
    REQUIRE_FALSE(finished);
    CHECK(finished.error().code() == ErrorCode::kCorruption);
    CHECK_FALSE(parser.TakeResponse());
  }
}

TEST_CASE("what is not a response is corruption", "[http][parser]") {
  auto bytes = GENERATE(values<std::string>(
      {"SSH-2.0-OpenSSH_9.2\r\n", "HTTP/2.0 200 OK\r\n\r\n", "HTTP/1.1 xx\r\n\r\n",
       "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
       "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz",
       "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab"}));
  CAPTURE(bytes);
  ResponseParser parser;
  auto fed = parser.Feed(bytes);
  REQUIRE_FALSE(fed);
  CHECK(fed.error().code() == ErrorCode::kCorruption);
}

TEST_CASE("a response past a limit is refused", "[http][parser]") {
  ParserLimits limits{.header_bytes = 60, .body_bytes = 3};
  auto [bytes, fits] = GENERATE(table<std::string, bool>(
      {{"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", true},
       {"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n", false},
       {"HTTP/1.1 200 OK\r\n\r\nabc", true},
       {"HTTP/1.1 200 OK\r\n\r\nabcd", false},
       {"HTTP/1.1 200 OK\r\nX: " + std::string(60, 'x') + "\r\n\r\n", false}}));
  CAPTURE(bytes);
  ResponseParser parser(limits);
  auto fed = parser.Feed(bytes);
  REQUIRE(fed.has_value() == fits);
  if (!fits) {
    CHECK(fed.error().code() == ErrorCode::kExhausted);
  }
}

TEST_CASE("the status is known before the body, and without it", "[http][parser]") {
  ResponseParser parser({.header_bytes = 200, .body_bytes = 3});
  REQUIRE(parser.Feed("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 "));
  CHECK_FALSE(parser.status());
  REQUIRE(parser.Feed("Busy\r\n\r\nab"));
  CHECK(parser.status() == 503);
  CHECK_FALSE(parser.TakeResponse());
  CHECK_FALSE(parser.Feed("cd"));
  CHECK(parser.status() == 503);
}

}  // namespace
}  // namespace dunlin::http
