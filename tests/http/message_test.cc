#include "protocol/http/message.h"

#include "tests/support/catch.h"

namespace dunlin::http {
namespace {

TEST_CASE("header names compare without case and keep their order", "[http]") {
  Headers headers;
  headers.Add("Accept", "a");
  headers.Add("accept", "b");
  headers.Add("X-Other", "");
  CHECK(headers.Get("ACCEPT") == "a");
  CHECK(headers.size() == 3);
  CHECK(headers.Has("x-other"));
  CHECK_FALSE(headers.Has("x-missing"));

  headers.Set("aCCept", "c");
  CHECK(headers.size() == 2);
  CHECK(headers.Get("accept") == "c");
}

TEST_CASE("query parameters repeat, may lack a value and keep their order", "[http]") {
  Parameters p = Parameters::Parse("a=1&&b&a=2&c=x%3Dy&=z");
  CHECK(p.Get("a") == "1");
  CHECK(p.GetAll("a") == std::vector<std::string_view>{"1", "2"});
  CHECK(p.Has("b"));
  CHECK(p.Get("b").empty());
  CHECK(p.Get("c") == "x=y");
  CHECK(p.Get("") == "z");
  CHECK_FALSE(p.Has("d"));
  CHECK(Parameters::Parse("").begin() == Parameters::Parse("").end());
}

TEST_CASE("a form body adds to the query parameters", "[http]") {
  Request request;
  request.target = "/q?query=%7Ba%3D%22b%22%7D&limit=5#fragment";
  request.body = "limit=6&start=1";
  CHECK(request.Params().GetAll("limit") == std::vector<std::string_view>{"5"});

  request.headers.Add("content-type", "application/X-www-form-urlencoded; charset=utf-8");
  CHECK(request.Params().Get("query") == "{a=\"b\"}");
  CHECK(request.Params().GetAll("limit") == std::vector<std::string_view>{"5", "6"});
  CHECK(request.Params().Get("start") == "1");
}

TEST_CASE("a response is serialised with its length", "[http]") {
  Response response = Response::Text(404, "no such path\n");
  CHECK(Serialize(response, /*keep_alive=*/true, /*head_request=*/false) ==
        "HTTP/1.1 404 Not Found\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n"
        "Content-Length: 13\r\n"
        "Connection: keep-alive\r\n\r\n"
        "no such path\n");
  CHECK(Serialize(response, /*keep_alive=*/false, /*head_request=*/true) ==
        "HTTP/1.1 404 Not Found\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n"
        "Content-Length: 13\r\n"
        "Connection: close\r\n\r\n");
}

TEST_CASE("an answer without content has neither body nor length", "[http]") {
  CHECK(Serialize({204, {}, "ignored"}, /*keep_alive=*/true, /*head_request=*/false) ==
        "HTTP/1.1 204 No Content\r\nConnection: keep-alive\r\n\r\n");
}

TEST_CASE("a header value cannot start another header", "[http]") {
  Response response;
  response.headers.Add("Location", "/a\r\nSet-Cookie: x");
  response.headers.Add("Content-Length", "99");
  std::string text = Serialize(response, /*keep_alive=*/true, /*head_request=*/false);
  CHECK(text.find("Location: /a  Set-Cookie: x\r\n") != std::string::npos);
  CHECK(text.find("99") == std::string::npos);
}

TEST_CASE("unknown status codes have a name too", "[http]") {
  CHECK(ReasonPhrase(404) == "Not Found");
  CHECK(ReasonPhrase(299) == "Unknown");
}

}  // namespace
}  // namespace dunlin::http
