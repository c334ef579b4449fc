#include "protocol/server/http_server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <list>
#include <string>
#include <vector>

#include "protocol/net/descriptor.h"
#include "tests/support/catch.h"
#include "tests/support/loop_runner.h"
#include "tests/support/tcp_client.h"

namespace dunlin::server {
namespace {

using namespace std::chrono_literals;
using testing::RunUntil;
using testing::TcpClient;

const net::HostPort kAnyPort{"127.0.0.1", 0};

/// A server whose answers the test gives, or that answers by itself with the path.
class Fixture {
 public:
  struct Pending {
    http::Request request;
    Responder respond;
    Cancelled cancelled;
  };

  explicit Fixture(HttpServerOptions options = {}) {
    auto server = HttpServer::Listen(
        loop, kAnyPort, options,
        [this](http::Request request, Responder respond, Cancelled cancelled) {
          if (echo) {
            respond(http::Response::Text(200, request.method + " " + request.path + "\n"));
          } else {
            pending.push_back({std::move(request), std::move(respond), std::move(cancelled)});
          }
        });
    REQUIRE(server);
    http = std::move(*server);
  }

  TcpClient Connect() { return TcpClient(loop, http->local_address()); }
  void AwaitPending(std::size_t count) {
    RunUntil(loop, [&] { return pending.size() >= count; });
  }
  void AwaitConnections(std::size_t count) {
    RunUntil(loop, [&] { return http->connections() == count; });
  }

  net::Loop loop;
  bool echo = true;
  std::list<Pending> pending;
  std::unique_ptr<HttpServer> http;
};

std::string Get(const std::string& path, const std::string& fields = "") {
  return "GET " + path + " HTTP/1.1\r\nHost: x\r\n" + fields + "\r\n";
}

int StatusOf(const std::string& answer) {
  REQUIRE(answer.starts_with("HTTP/1.1 "));
  return std::stoi(answer.substr(9, 3));
}

TEST_CASE("a request is answered, and the next on the same connection", "[server]") {
  Fixture server;
  TcpClient client = server.Connect();
  client.Send(Get("/a"));
  std::string answer = client.TakeThrough("GET /a\n");
  CHECK(StatusOf(answer) == 200);
  CHECK(answer.find("Content-Length: 7\r\n") != std::string::npos);
  CHECK(answer.find("\r\nDate: ") != std::string::npos);
  client.Send(Get("/b"));
  client.TakeThrough("GET /b\n");
  CHECK_FALSE(client.closed());
  CHECK(server.http->connections() == 1);
}

TEST_CASE("a request arrives with its body and peer, however it is cut", "[server]") {
  Fixture server;
  server.echo = false;
  TcpClient client = server.Connect();
  std::string request = "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody";
  for (char c : request) {
    client.Send(std::string(1, c));
    server.loop.RunOnce();
    server.loop.RunOnce();
  }
  server.AwaitPending(1);
  auto& got = server.pending.front();
  CHECK(got.request.body == "body");
  CHECK(got.request.peer.starts_with("127.0.0.1:"));
  got.respond(http::Response::Text(201, "ok\n"));
  CHECK(StatusOf(client.TakeThrough("ok\n")) == 201);
}

TEST_CASE("pipelined requests are answered one after another, in order", "[server]") {
  Fixture server;
  SECTION("by a handler that answers at once") {
    TcpClient client = server.Connect();
    std::string requests;
    std::string want;
    for (int i = 0; i < 500; ++i) {
      requests += Get("/" + std::to_string(i));
      want += "GET /" + std::to_string(i) + "\n";
    }
    client.Send(requests);
    std::string got = client.TakeThrough("GET /499\n");
    std::string bodies;
    for (std::size_t at = 0; (at = got.find("\r\n\r\nGET ", at)) != std::string::npos;) {
      at += 4;
      bodies += got.substr(at, got.find('\n', at) + 1 - at);
    }
    CHECK(bodies == want);
  }
  SECTION("by a handler that takes its time") {
    server.echo = false;
    TcpClient client = server.Connect();
    client.Send(Get("/1") + Get("/2") + Get("/3"));
    for (std::string path : {"/1", "/2", "/3"}) {
      server.AwaitPending(1);
      for (int i = 0; i < 5; ++i) server.loop.RunOnce();
      REQUIRE(server.pending.size() == 1);  // the others wait
      CHECK(server.pending.front().request.path == path);
      auto asked = std::move(server.pending.front());
      server.pending.clear();
      asked.respond(http::Response::Text(200, path + " done\n"));
      client.TakeThrough(path + " done\n");
    }
  }
}

TEST_CASE("what a client sends while it waits is bounded", "[server]") {
  Fixture server;
  server.echo = false;
  TcpClient client = server.Connect();
  client.Send(Get("/first"));
  server.AwaitPending(1);
  // More than the buffers of both sockets hold: what the server does not read stays with us.
  constexpr std::size_t kFlood = 32 << 20;
  client.Send(std::string(kFlood, 'x'));
  std::size_t left = 0;
  int unchanged = 0;
  RunUntil(server.loop, [&] {
    unchanged = client.pending_write_bytes() == left ? unchanged + 1 : 0;
    left = client.pending_write_bytes();
    return unchanged == 100;
  });
  CHECK(left > kFlood / 2);
  CHECK(server.pending.size() == 1);
}

TEST_CASE("HEAD gets the head of the answer", "[server]") {
  Fixture server;
  TcpClient client = server.Connect();
  client.Send("HEAD /h HTTP/1.1\r\nHost: x\r\n\r\n" + Get("/next"));
  std::string answer = client.TakeThrough("GET /next\n");
  CHECK(answer.find("Content-Length: 8\r\n") != std::string::npos);
  CHECK(answer.find("HEAD /h") == std::string::npos);
}

TEST_CASE("connections close when either side asks", "[server]") {
  Fixture server;
  TcpClient client = server.Connect();
  SECTION("the client, in its request") {
    client.Send(Get("/a", "Connection: close\r\n"));
    std::string answer = client.TakeToEnd();
    CHECK(answer.find("Connection: close\r\n") != std::string::npos);
    CHECK(answer.ends_with("GET /a\n"));
  }
  SECTION("the client, by its version") {
    client.Send("GET /a HTTP/1.0\r\n\r\n");
    CHECK(client.TakeToEnd().ends_with("GET /a\n"));
  }
  SECTION("the handler, in its answer") {
    server.echo = false;
    client.Send(Get("/a") + Get("/never"));
    server.AwaitPending(1);
    auto response = http::Response::Text(200, "bye\n");
    response.headers.Set("Connection", "close");
    server.pending.front().respond(response);
    CHECK(client.TakeToEnd().ends_with("bye\n"));
    CHECK(server.pending.size() == 1);
  }
  CHECK_FALSE(client.reason());
  client.Drop();
  server.AwaitConnections(0);
}

/// Sends, then only reads, as `printf … | nc -N` does.
class HalfClosingClient {
 public:
  HalfClosingClient(net::Loop& loop, const net::HostPort& address, const std::string& bytes)
      : loop_(loop),
        socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)),
        watcher_(loop, socket_.get(), [this] { Read(); }) {
    sockaddr_in target{};
    target.sin_family = AF_INET;
    target.sin_port = htons(address.port);
    target.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    fcntl(socket_.get(), F_SETFL, 0);
    REQUIRE(connect(socket_.get(), reinterpret_cast<sockaddr*>(&target), sizeof target) == 0);
    REQUIRE(send(socket_.get(), bytes.data(), bytes.size(), 0) ==
            static_cast<ssize_t>(bytes.size()));
    REQUIRE(shutdown(socket_.get(), SHUT_WR) == 0);
    watcher_.Start();
  }

  std::string TakeToEnd() {
    RunUntil(loop_, [&] { return ended_; });
    return received_;
  }

 private:
  void Read() {
    char buffer[4096];
    ssize_t size = recv(socket_.get(), buffer, sizeof buffer, MSG_DONTWAIT);
    if (size > 0) received_.append(buffer, static_cast<std::size_t>(size));
    if (size != 0) return;
    ended_ = true;
    watcher_.Stop();
  }

  net::Loop& loop_;
  net::Descriptor socket_;
  net::DescriptorWatcher watcher_;
  std::string received_;
  bool ended_ = false;
};

TEST_CASE("a client that only stops sending still gets its answers", "[server]") {
  Fixture server;
  SECTION("given at once") {
    HalfClosingClient client(server.loop, server.http->local_address(), Get("/1") + Get("/2"));
    std::string answers = client.TakeToEnd();
    CHECK(answers.find("GET /1\n") != std::string::npos);
    CHECK(answers.ends_with("GET /2\n"));
  }
  SECTION("given later") {
    server.echo = false;
    HalfClosingClient client(server.loop, server.http->local_address(), Get("/later"));
    server.AwaitPending(1);
    auto& got = server.pending.front();
    RunUntil(server.loop, [&] { return got.cancelled->load(); });
    got.respond(http::Response::Text(200, "still here\n"));
    CHECK(client.TakeToEnd().ends_with("still here\n"));
  }
  server.AwaitConnections(0);
}

TEST_CASE("100 Continue is sent when asked for, once", "[server]") {
  Fixture server;
  TcpClient client = server.Connect();
  client.Send("POST /c HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
  CHECK(client.TakeThrough("\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n");
  client.Send("body");
  CHECK(StatusOf(client.TakeThrough("POST /c\n")) == 200);
}

TEST_CASE("garbage and oversize are answered with their status and closed", "[server]") {
  HttpServerOptions options;
  options.limits.header_bytes = 1000;
  options.limits.body_bytes = 100;
  Fixture server(options);
  auto [bytes, status] = GENERATE(table<std::string, int>({
      {"\x16\x03\x01\x02 this is TLS\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nbroken field\r\n\r\n", 400},
      {"GET / HTTP/9.9\r\nHost: x\r\n\r\n", 505},
      {"GET / HTTP/1.1\r\nHost: x\r\nX: " + std::string(2000, 'x') + "\r\n\r\n", 431},
      {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 101\r\n\r\n", 413},
      {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n65\r\n" +
           std::string(101, 'x') + "\r\n0\r\n\r\n",
       413},
  }));
  CAPTURE(bytes);
  TcpClient client = server.Connect();
  client.Send(bytes + std::string(100000, 'z'));  // the answer must survive what we do not read
  std::string answer = client.TakeToEnd();
  CHECK(StatusOf(answer) == status);
  CHECK(answer.find("Connection: close\r\n") != std::string::npos);
  CHECK(answer.find("\r\n\r\n") + 5 < answer.size());  // it says why
  CHECK_FALSE(client.reason());
  client.Drop();
  server.AwaitConnections(0);
}

TEST_CASE("a request that does not get finished is answered 408, an idle one just closed",
          "[server]") {
  HttpServerOptions options;
  options.read_timeout = 50ms;
  options.idle_timeout = 50ms;
  Fixture server(options);
  TcpClient client = server.Connect();
  SECTION("nothing sent") { CHECK(client.TakeToEnd().empty()); }
  SECTION("idle after an answer") {
    client.Send(Get("/a"));
    CHECK(client.TakeToEnd().ends_with("GET /a\n"));
  }
  SECTION("a byte now and then buys no time") {
    net::Timer drip(server.loop, [&] {
      if (!client.closed()) client.Send("x");
    });
    client.Send("GET /");
    drip.Start(5ms, 5ms);
    CHECK(StatusOf(client.TakeToEnd()) == 408);
  }
}

TEST_CASE("a handler may take longer than the time to read", "[server]") {
  HttpServerOptions options;
  options.read_timeout = 20ms;
  options.idle_timeout = 20ms;
  Fixture server(options);
  server.echo = false;
  TcpClient client = server.Connect();
  client.Send(Get("/slow"));
  server.AwaitPending(1);
  bool later = false;
  net::Timer timer(server.loop, [&] { later = true; });
  timer.Start(100ms);
  RunUntil(server.loop, [&] { return later; });
  server.pending.front().respond(http::Response::Text(200, "at last\n"));
  client.TakeThrough("at last\n");
}

TEST_CASE("a client that does not take its answer is dropped", "[server]") {
  HttpServerOptions options;
  options.write_timeout = 100ms;
  Fixture server(options);
  server.echo = false;
  TcpClient client = server.Connect();
  client.StopReading();
  client.Send(Get("/big"));
  server.AwaitPending(1);
  server.pending.front().respond(http::Response::Text(200, std::string(64 << 20, 'x')));
  server.AwaitConnections(0);
}

TEST_CASE("when the client goes the request is cancelled, and its answer goes nowhere",
          "[server]") {
  Fixture server;
  server.echo = false;
  TcpClient client = server.Connect();
  client.Send(Get("/long"));
  server.AwaitPending(1);
  auto& got = server.pending.front();
  CHECK_FALSE(*got.cancelled);
  client.Drop();
  RunUntil(server.loop, [&] { return got.cancelled->load(); });
  got.respond(http::Response::Text(200, "too late\n"));
  got.respond(http::Response::Text(200, "twice\n"));
  server.AwaitConnections(0);
}

TEST_CASE("a request dropped unanswered is answered 500", "[server]") {
  Fixture server;
  server.echo = false;
  TcpClient client = server.Connect();
  client.Send(Get("/forgotten"));
  server.AwaitPending(1);
  server.pending.clear();
  CHECK(StatusOf(client.TakeThrough("unanswered\n")) == 500);
}

TEST_CASE("connections past the limit are told so", "[server]") {
  HttpServerOptions options;
  options.max_connections = 2;
  Fixture server(options);
  TcpClient first = server.Connect();
  TcpClient second = server.Connect();
  server.AwaitConnections(2);
  TcpClient third = server.Connect();
  std::string answer = third.TakeToEnd();
  CHECK(StatusOf(answer) == 503);
  CHECK(answer.find("Retry-After: ") != std::string::npos);
  first.Drop();
  server.AwaitConnections(1);
  TcpClient fourth = server.Connect();
  fourth.Send(Get("/room"));
  fourth.TakeThrough("GET /room\n");
}

TEST_CASE("destroying the server drops its clients and cancels their requests", "[server]") {
  Fixture server;
  server.echo = false;
  TcpClient busy = server.Connect();
  TcpClient idle = server.Connect();
  busy.Send(Get("/long"));
  server.AwaitPending(1);
  server.http.reset();
  auto& got = server.pending.front();
  CHECK(*got.cancelled);
  got.respond(http::Response::Text(200, "nobody listens\n"));
  CHECK(busy.TakeToEnd().empty());
  CHECK(idle.TakeToEnd().empty());
}

TEST_CASE("a port in use is an error that names it", "[server]") {
  Fixture server;
  auto second = HttpServer::Listen(server.loop, server.http->local_address(), {}, nullptr);
  REQUIRE_FALSE(second);
  CHECK(second.error().code() == ErrorCode::kAlreadyExists);
  CHECK(second.error().message() ==
        "cannot listen on " + server.http->local_address().ToString() + ": address already in use");
}

TEST_CASE("many clients are served at once", "[server]") {
  Fixture server;
  std::list<TcpClient> clients;
  for (int i = 0; i < 100; ++i) clients.emplace_back(server.loop, server.http->local_address());
  int i = 0;
  for (auto& client : clients) client.Send(Get("/" + std::to_string(i++)));
  i = 0;
  for (auto& client : clients) client.TakeThrough("GET /" + std::to_string(i++) + "\n");
  CHECK(server.http->connections() == 100);
}

}  // namespace
}  // namespace dunlin::server
