#include "controller/http_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "protocol/base/text.h"
#include "protocol/http/parser.h"
#include "tests/support/catch.h"

namespace dunlin::controller {
namespace {

using namespace std::chrono_literals;
using test::HasText;

/// Accepts one connection on a free loopback port, reads one request, sends `answer`, and closes.
class ScriptedServer {
 public:
  explicit ScriptedServer(std::string answer) : answer_(std::move(answer)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    REQUIRE(::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) == 0);
    REQUIRE(::listen(listener_, 4) == 0);
    REQUIRE(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { Serve(); });
  }
  ~ScriptedServer() {
    ::shutdown(listener_, SHUT_RDWR);  // wakes accept
    thread_.join();
    ::close(listener_);
  }

  std::string Url(std::string_view path) const { return Join("http://127.0.0.1:", port_, path); }

  /// The request, after Send() has returned.
  http::Request TakeRequest() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    thread_ = std::thread([] {});
    REQUIRE(request_);
    return *std::move(request_);
  }

 private:
  void Serve() {
    int peer = ::accept(listener_, nullptr, nullptr);
    if (peer < 0) return;
    http::RequestParser parser;
    char bytes[4096];
    while (!request_ && !parser.failure()) {
      ssize_t n = ::read(peer, bytes, sizeof bytes);
      if (n <= 0) break;
      parser.Feed({bytes, static_cast<std::size_t>(n)});
      request_ = parser.TakeRequest();
    }
    std::string_view left = answer_;
    while (!left.empty()) {
      ssize_t n = ::send(peer, left.data(), left.size(), MSG_NOSIGNAL);
      if (n <= 0) break;
      left.remove_prefix(static_cast<std::size_t>(n));
    }
    // A client that waits for more than it gets is the test's business: hold on until it goes.
    if (answer_.empty()) {
      while (::read(peer, bytes, sizeof bytes) > 0) continue;
    }
    ::close(peer);
  }

  std::string answer_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::optional<http::Request> request_;
  std::thread thread_;
};

ClientRequest To(std::string url) {
  ClientRequest request;
  request.url = std::move(url);
  return request;
}

/// A port of this machine where nobody listens: bound, then given back.
std::uint16_t ClosedPort() {
  int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  REQUIRE(::bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0);
  REQUIRE(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  ::close(fd);
  return ntohs(address.sin_port);
}

}  // namespace

TEST_CASE("an answer arrives with status, headers and body", "[http_client]") {
  ScriptedServer server(
      "HTTP/1.1 202 Accepted\r\nLocation: /deployments/dpl_1\r\nContent-Length: 5\r\n\r\nhello");
  auto answer = Send(To(server.Url("/x?a=b")));
  REQUIRE(answer);
  CHECK(answer->status == 202);
  CHECK(answer->headers.Get("location") == "/deployments/dpl_1");
  CHECK(answer->body == "hello");
  CHECK(server.TakeRequest().target == "/x?a=b");
}

TEST_CASE("the request goes out as it was given", "[http_client]") {
  ScriptedServer server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  ClientRequest request = To(server.Url("/deploys/web"));
  request.method = "PUT";
  request.headers = {{"Idempotency-Key", "k1"}, {"Content-Type", "application/json"}};
  request.body = std::string("{\"a\":\"\0\"}", 9);
  REQUIRE(Send(request));
  http::Request got = server.TakeRequest();
  CHECK(got.method == "PUT");
  CHECK(got.headers.Get("idempotency-key") == "k1");
  CHECK(got.headers.Get("content-type") == "application/json");
  CHECK_FALSE(got.headers.Has("expect"));
  CHECK(got.body == request.body);
}

TEST_CASE("a POST without a body says so, and adds no content type", "[http_client]") {
  ScriptedServer server("HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n");
  ClientRequest request = To(server.Url("/services/web/stop"));
  request.method = "POST";
  REQUIRE(Send(request));
  http::Request got = server.TakeRequest();
  CHECK(got.method == "POST");
  CHECK(got.headers.Get("content-length") == "0");
  CHECK_FALSE(got.headers.Has("content-type"));
}

TEST_CASE("a refusal is a value, and a redirect is not followed", "[http_client]") {
  auto status = GENERATE(301, 404, 503);
  ScriptedServer server(
      Join("HTTP/1.1 ", status, " X\r\nLocation: /y\r\nContent-Length: 2\r\n\r\nno"));
  auto answer = Send(To(server.Url("/")));
  REQUIRE(answer);
  CHECK(answer->status == status);
  CHECK(answer->body == "no");
}

TEST_CASE("fields of an interim answer are not the answer's", "[http_client]") {
  ScriptedServer server(
      "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n");
  auto answer = Send(To(server.Url("/")));
  REQUIRE(answer);
  CHECK(answer->status == 200);
  CHECK_FALSE(answer->headers.Has("link"));
  CHECK(answer->body == "abc");
}

TEST_CASE("a closed port is unavailable and says why", "[http_client]") {
  std::string url = Join("http://127.0.0.1:", ClosedPort(), "/");
  auto answer = Send(To(url));
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code() == ErrorCode::kUnavailable);
  CHECK(answer.error().message() == "cannot reach " + url + ": Connection refused");
}

TEST_CASE("a connection cut short is unavailable", "[http_client]") {
  ScriptedServer server("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhel");
  auto answer = Send(To(server.Url("/")));
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code() == ErrorCode::kUnavailable);
}

TEST_CASE("silence ends at the time-out", "[http_client]") {
  ScriptedServer server("");
  ClientRequest request = To(server.Url("/"));
  request.timeout = 50ms;
  auto answer = Send(request);
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code() == ErrorCode::kTimeout);
}

TEST_CASE("a body over the limit is refused, one at the limit is not", "[http_client]") {
  ScriptedServer server("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
  ClientRequest request = To(server.Url("/"));
  SECTION("at the limit") {
    request.max_body_bytes = 5;
    auto answer = Send(request);
    REQUIRE(answer);
    CHECK(answer->body == "hello");
  }
  SECTION("over the limit") {
    request.max_body_bytes = 4;
    auto answer = Send(request);
    REQUIRE_FALSE(answer);
    CHECK(answer.error().code() == ErrorCode::kExhausted);
    CHECK_THAT(answer.error().message(), HasText("more than 4 bytes"));
  }
}

TEST_CASE("what does not speak HTTP is said to be so", "[http_client]") {
  ScriptedServer server("SSH-2.0-OpenSSH_9.2\r\n");
  auto answer = Send(To(server.Url("/")));
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code() == ErrorCode::kCorruption);
  CHECK_THAT(answer.error().message(), HasText("does not speak HTTP"));
}

TEST_CASE("only http and https addresses are taken", "[http_client]") {
  auto url = GENERATE("file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1/", "",
                      "http://", "http://127.0.0.1:99999/");
  CAPTURE(url);
  auto answer = Send(To(url));
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code() == ErrorCode::kInvalidArgument);
  CHECK_THAT(answer.error().message(), HasText("is not an http:// or https:// address"));
}

TEST_CASE("a header that would smuggle another is refused unsent", "[http_client]") {
  ClientRequest request = To("http://127.0.0.1:1/");
  request.headers = {{"X-Name", "a\r\nX-Other: b"}};
  auto answer = Send(request);
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code() == ErrorCode::kInvalidArgument);
}

TEST_CASE("many threads may send at once", "[http_client]") {
  std::atomic<int> answered = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&answered] {
      for (int j = 0; j < 3; ++j) {
        auto answer = Send(To(Join("http://127.0.0.1:", 1, "/")));
        if (!answer) ++answered;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(answered == 12);
}

}  // namespace dunlin::controller
