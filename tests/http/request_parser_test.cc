#include <vector>

#include "protocol/http/parser.h"
#include "tests/support/catch.h"

namespace dunlin::http {
namespace {

std::string Get(std::string_view fields = "") {
  return "GET /a HTTP/1.1\r\nHost: h\r\n" + std::string(fields) + "\r\n";
}

std::string Post(std::string_view fields, std::string_view body) {
  return "POST /a HTTP/1.1\r\nHost: h\r\n" + std::string(fields) + "\r\n" + std::string(body);
}

std::string ChunkedPost(std::string_view body) {
  return Post("Transfer-Encoding: chunked\r\n", body);
}

/// Offers all bytes the way a connection does, `step` at a time; returns the finished requests.
std::vector<Request> FeedAll(RequestParser& parser, std::string_view bytes,
                             std::size_t step = std::string_view::npos) {
  std::vector<Request> requests;
  while (!bytes.empty() && !parser.failure()) {
    std::string_view piece = bytes.substr(0, step);
    while (!piece.empty() && !parser.failure()) {
      std::size_t used = parser.Feed(piece);
      piece.remove_prefix(used);
      bytes.remove_prefix(used);
      auto request = parser.TakeRequest();
      if (request) requests.push_back(std::move(*request));
      if (used == 0 && !request) return requests;
    }
  }
  return requests;
}

int FailureOf(std::string_view bytes, ParserLimits limits = {}) {
  int status = 0;
  // Whole and byte by byte, as the network may deliver it.
  for (std::size_t step : {std::string_view::npos, std::size_t{1}}) {
    RequestParser parser(limits);
    FeedAll(parser, bytes, step);
    int now = parser.failure() ? parser.failure()->status : 0;
    if (step == 1) {
      CHECK(now == status);
    }
    status = now;
    if (parser.failure()) {
      CHECK_FALSE(parser.failure()->message.empty());
      CHECK(parser.Feed("GET / HTTP/1.1\r\nHost: h\r\n\r\n") == 0);
      CHECK_FALSE(parser.TakeRequest());
    }
  }
  return status;
}

TEST_CASE("a request is complete at its last byte, however it arrives", "[http][parser]") {
  std::string bytes =
      "POST /loki/api/v1/push?x=%20y HTTP/1.1\r\n"
      "Host: example:3100\r\n"
      "Content-Type:  application/json \r\n"
      "Empty:\r\n"
      "Content-Length: 5\r\n\r\n"
      "hello";
  for (std::size_t step = 1; step <= bytes.size(); ++step) {
    CAPTURE(step);
    RequestParser parser;
    auto requests = FeedAll(parser, bytes, step);
    REQUIRE(requests.size() == 1);
    const Request& request = requests[0];
    CHECK(request.method == "POST");
    CHECK(request.target == "/loki/api/v1/push?x=%20y");
    CHECK(request.path == "/loki/api/v1/push");
    CHECK(request.headers.size() == 4);
    CHECK(request.headers.Get("content-type") == "application/json");
    CHECK(request.headers.Has("empty"));
    CHECK(request.body == "hello");
    CHECK(parser.keep_alive());
    CHECK_FALSE(parser.in_message());
  }
}

TEST_CASE("no request comes of a part of one", "[http][parser]") {
  std::string bytes = Post("Content-Length: 5\r\n", "hello");
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    RequestParser parser;
    CHECK(parser.Feed(std::string_view(bytes).substr(0, size)) == size);
    CHECK_FALSE(parser.TakeRequest());
    CHECK_FALSE(parser.failure());
    CHECK(parser.in_message() == (size > 0));
  }
}

TEST_CASE("pipelined requests come one by one and leave the rest", "[http][parser]") {
  std::string first = Post("Content-Length: 2\r\n", "ab");
  std::string second = ChunkedPost("1\r\nc\r\n0\r\n\r\n");
  std::string bytes = first + second + Get();
  RequestParser parser;
  CHECK(parser.Feed(bytes) == first.size());
  CHECK(parser.Feed(bytes) == 0);  // until the finished one is taken
  CHECK_FALSE(parser.in_message());
  REQUIRE(parser.TakeRequest());
  CHECK_FALSE(parser.TakeRequest());
  CHECK(parser.Feed(std::string_view(bytes).substr(first.size())) == second.size());
  CHECK(parser.TakeRequest()->body == "c");

  for (std::size_t step = 1; step <= bytes.size(); ++step) {
    RequestParser again;
    auto requests = FeedAll(again, bytes, step);
    REQUIRE(requests.size() == 3);
    CHECK(requests[1].body == "c");
    CHECK(requests[2].method == "GET");
  }
}

TEST_CASE("the path is decoded from every form of target", "[http][parser]") {
  auto [line, path] =
      GENERATE(table<std::string, std::string>({{"GET /a%2Fb%20c+d?e=/f", "/a/b c+d"},
                                                {"GET http://h:1/x?y", "/x"},
                                                {"GET http://h", "/"},
                                                {"OPTIONS *", "*"},
                                                {"GET /?u=http://h/x", "/"},
                                                {"CONNECT h:443", "h:443"}}));
  CAPTURE(line);
  RequestParser parser;
  auto requests = FeedAll(parser, line + " HTTP/1.1\r\nHost: h\r\n\r\n");
  REQUIRE(requests.size() == 1);
  CHECK(requests[0].path == path);
}

TEST_CASE("a connection goes on as version and Connection field say", "[http][parser]") {
  auto [head, want] = GENERATE(table<std::string, bool>(
      {{"GET / HTTP/1.1\r\nHost: h\r\n\r\n", true},
       {"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", false},
       {"GET / HTTP/1.1\r\nHost: h\r\nConnection: TE, Close\r\n\r\n", false},
       {"GET / HTTP/1.0\r\n\r\n", false},
       {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true}}));
  CAPTURE(head);
  RequestParser parser;
  REQUIRE(FeedAll(parser, head).size() == 1);
  CHECK(parser.keep_alive() == want);
}

TEST_CASE("an upgrade request is an ordinary request", "[http][parser]") {
  RequestParser parser;
  auto requests =
      FeedAll(parser, Get("Connection: Upgrade\r\nUpgrade: websocket\r\n") + Get("Second: x\r\n"));
  REQUIRE(requests.size() == 2);
  CHECK(requests[0].headers.Get("Upgrade") == "websocket");
  CHECK(requests[1].headers.Has("Second"));
}

TEST_CASE("chunks are joined; extensions and trailers are skipped", "[http][parser]") {
  auto [body, want] = GENERATE(table<std::string, std::string>(
      {{"0\r\n\r\n", ""},
       {"3\r\nabc\r\n0\r\n\r\n", "abc"},
       {"1;x=\"y\"\r\na\r\n00A \r\n0123456789\r\n0;last\r\nT: x\r\nU:\r\n\r\n", "a0123456789"},
       {"2\r\n\r\n\r\n0\r\n\r\n", "\r\n"}}));
  CAPTURE(body);
  std::string bytes = ChunkedPost(body);
  for (std::size_t step = 1; step <= bytes.size(); ++step) {
    RequestParser parser;
    auto requests = FeedAll(parser, bytes, step);
    REQUIRE(requests.size() == 1);
    CHECK(requests[0].body == want);
  }
}

TEST_CASE("malformed chunks are refused", "[http][parser]") {
  auto body = GENERATE(
      values<std::string>({"x\r\n", "\r\n", "-1\r\na\r\n", "1\na\r\n0\r\n\r\n", "1\r\nabc0\r\n\r\n",
                           "1\r\na\n0\r\n\r\n", "1;\na\r\n0\r\n\r\n", "0\r\nT: x\n\r\n", "0\r\n\rX",
                           "1\rXa\r\n", "00000000000000001\r\na\r\n", "0x1\r\na\r\n"}));
  CAPTURE(body);
  CHECK(FailureOf(ChunkedPost(body)) == 400);
}

TEST_CASE("ambiguous framing is refused", "[http][parser]") {
  auto fields = GENERATE(values<std::string>(
      {"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
       "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
       "Content-Length: 5\r\nContent-Length: 5\r\n", "Content-Length: 5, 5\r\n",
       "Content-Length: +5\r\n", "Content-Length: 5x\r\n", "Content-Length: -1\r\n",
       "Content-Length: 99999999999999999999999\r\n", "Transfer-Encoding: chunked, chunked\r\n",
       "Transfer-Encoding:\r\n", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
       "Transfer-Encoding : chunked\r\n", "Content-Length : 5\r\n",
       "X: a\r\n Transfer-Encoding: chunked\r\n", "Content-Length:\r\n 5\r\n"}));
  CAPTURE(fields);
  CHECK(FailureOf(Post(fields, "0\r\n\r\n")) == 400);
}

TEST_CASE("HTTP/1.0 has no transfer codings", "[http][parser]") {
  CHECK(FailureOf("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n") == 400);
}

TEST_CASE("other transfer codings are not implemented", "[http][parser]") {
  auto coding = GENERATE(
      values<std::string>({"gzip, chunked", "gzip", "identity", "chunked, gzip", "xchunked"}));
  CAPTURE(coding);
  CHECK(FailureOf(Post("Transfer-Encoding: " + coding + "\r\n", "0\r\n\r\n")) == 501);
}

TEST_CASE("what is not HTTP/1 is named", "[http][parser]") {
  auto [bytes, status] =
      GENERATE(table<std::string, int>({{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
                                        {"GET / HTTP/2.0\r\nHost: h\r\n\r\n", 505},
                                        {"GET /\r\n\r\n", 505},
                                        {"\x16\x03\x01\x02", 400},
                                        {std::string("DUNLIN\x01\n", 8), 400},
                                        {"BREW / HTTP/1.1\r\nHost: h\r\n\r\n", 501},
                                        {"\r\nFOO / HTTP/1.1\r\n", 501},
                                        {"garbage\r\n\r\n", 400},
                                        {std::string("\0\0\0\0", 4), 400},
                                        {"GET / HTTX/1.1\r\n\r\n", 400},
                                        {"GET /a b HTTP/1.1\r\nHost: h\r\n\r\n", 400},
                                        {"GET  HTTP/1.1\r\nHost: h\r\n\r\n", 400}}));
  CAPTURE(bytes);
  CHECK(FailureOf(bytes) == status);
}

TEST_CASE("a malformed header section is refused", "[http][parser]") {
  auto fields = GENERATE(values<std::string>(
      {"Name : v\r\n", "Na me: v\r\n", ": v\r\n", "no-colon\r\n", "A: b\r\n c\r\n", " A: b\r\n",
       "A: b\x01\r\n", "A: b\rB: c\r\n", "Host: second\r\n", "N(: v\r\n"}));
  CAPTURE(fields);
  CHECK(FailureOf(Get(fields)) == 400);
}

TEST_CASE("a NUL in a header value is refused", "[http][parser]") {
  CHECK(FailureOf(Get(std::string_view("A: b\0c\r\n", 8))) == 400);
}

TEST_CASE("the empty line that ends a header section ends in a line feed", "[http][parser]") {
  CHECK(FailureOf("GET / HTTP/1.1\r\nHost: h\r\n\rX") == 400);
}

TEST_CASE("a 1.1 request names its host", "[http][parser]") {
  CHECK(FailureOf("GET / HTTP/1.1\r\n\r\n") == 400);
  CHECK(FailureOf("GET / HTTP/1.0\r\n\r\n") == 0);
}

TEST_CASE("a header section may have exactly the allowed size", "[http][parser]") {
  std::string bytes = Get("A: " + std::string(100, 'x') + "\r\n");
  CHECK(FailureOf(bytes, {.header_bytes = bytes.size(), .body_bytes = 0}) == 0);
  CHECK(FailureOf(bytes, {.header_bytes = bytes.size() - 1, .body_bytes = 0}) == 431);
}

TEST_CASE("an endless request line is refused at the limit", "[http][parser]") {
  RequestParser parser({.header_bytes = 100, .body_bytes = 0});
  std::string endless = "GET /" + std::string(1000, 'a');
  CHECK(parser.Feed(endless) == 100);
  REQUIRE(parser.failure());
  CHECK(parser.failure()->status == 431);
  CHECK(FailureOf(std::string(1000, '\n'), {.header_bytes = 100, .body_bytes = 0}) == 431);
}

TEST_CASE("a body may have exactly the allowed size", "[http][parser]") {
  ParserLimits limits{.header_bytes = 1000, .body_bytes = 4};
  CHECK(FailureOf(Post("Content-Length: 4\r\n", "abcd"), limits) == 0);
  CHECK(FailureOf(Post("Content-Length: 5\r\n", ""), limits) == 413);
  CHECK(FailureOf(ChunkedPost("3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n"), limits) == 0);
  CHECK(FailureOf(ChunkedPost("3\r\nabc\r\n2\r\n"), limits) == 413);
  CHECK(FailureOf(ChunkedPost("ffffffffffffffff\r\n"), limits) == 413);
}

TEST_CASE("chunk extensions and trailers are bounded", "[http][parser]") {
  ParserLimits limits{.header_bytes = 200, .body_bytes = 1000};
  std::string chunk = "1;" + std::string(50, 'x') + "\r\na\r\n";
  CHECK(FailureOf(ChunkedPost(chunk + chunk + "0\r\n\r\n"), limits) == 0);
  CHECK(FailureOf(ChunkedPost(chunk + chunk + chunk + chunk + "0\r\n\r\n"), limits) == 431);
  CHECK(FailureOf(ChunkedPost("0\r\nT: " + std::string(300, 'x') + "\r\n\r\n"), limits) == 431);
}

TEST_CASE("100 Continue is asked for once and only while the body is missing", "[http][parser]") {
  RequestParser parser;
  parser.Feed(Post("Expect: 100-Continue\r\nContent-Length: 2\r\n", ""));
  CHECK(parser.TakeContinueExpected());
  CHECK_FALSE(parser.TakeContinueExpected());
  parser.Feed("ab");
  CHECK(parser.TakeRequest()->body == "ab");

  // The second request of the connection asks anew; its body is already here.
  parser.Feed(Post("Expect: 100-continue\r\nContent-Length: 2\r\n", "a"));
  CHECK_FALSE(parser.TakeContinueExpected());
}

TEST_CASE("100 Continue is not for HTTP/1.0, empty bodies or refused ones", "[http][parser]") {
  auto bytes = GENERATE(
      values<std::string>({"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n",
                           Post("Expect: 100-continue\r\n", ""),
                           Post("Expect: 100-continue\r\nContent-Length: 99999999\r\n", "")}));
  CAPTURE(bytes);
  RequestParser parser;
  parser.Feed(bytes);
  CHECK_FALSE(parser.TakeContinueExpected());
}

TEST_CASE("a body may hold any byte", "[http][parser]") {
  std::string body;
  for (int i = 0; i < 1024; ++i) body.push_back(static_cast<char>(i));
  RequestParser parser;
  auto requests = FeedAll(parser, Post("Content-Length: 1024\r\n", body), 7);
  REQUIRE(requests.size() == 1);
  CHECK(requests[0].body == body);
}

TEST_CASE("blank lines before a request are skipped", "[http][parser]") {
  RequestParser parser;
  parser.Feed("\r\n\r\n");
  CHECK_FALSE(parser.in_message());
  CHECK(FeedAll(parser, Get()).size() == 1);
}

}  // namespace
}  // namespace dunlin::http
