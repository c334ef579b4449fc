#include "protocol/server/http_server.h"

#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "protocol/base/text.h"
#include "protocol/server/session.h"

namespace dunlin::server {
namespace {

// Connections past the limit that are told so at the same time; still more are dropped.
constexpr std::size_t kMostTurnedAway = 64;

http::Response TryAgain(std::string_view cause) {
  auto response = http::Response::Text(503, Join(cause, "; try again in a moment\n"));
  response.headers.Set("Retry-After", "1");
  return response;
}

}  // namespace

struct HttpServer::Impl {
  Impl(net::Loop& l, const HttpServerOptions& o, RequestHandler h)
      : loop(l), options(o), handler(std::move(h)) {}

  net::Loop& loop;
  HttpServerOptions options;
  RequestHandler handler;
  std::unique_ptr<net::Listener> listener;
  std::uint64_t next_id = 0;
  std::unordered_map<std::uint64_t, std::unique_ptr<Session>> sessions;
  std::unordered_map<std::uint64_t, std::unique_ptr<Session>> turned_away;

  void MakeRoom() {
    auto oldest = sessions.end();
    for (auto it = sessions.begin(); it != sessions.end(); ++it) {
      if (!it->second->waits()) continue;
      if (oldest == sessions.end() || it->first < oldest->first) oldest = it;
    }
    if (oldest != sessions.end()) sessions.erase(oldest);
  }

  void Accept(std::unique_ptr<net::Connection> connection) {
    if (options.make_room && sessions.size() >= options.max_connections) MakeRoom();
    bool welcome = sessions.size() < options.max_connections;
    auto& home = welcome ? sessions : turned_away;
    if (!welcome && home.size() >= kMostTurnedAway) return;
    std::uint64_t id = next_id++;
    auto session = std::make_unique<Session>(loop, std::move(connection), options, handler,
                                             [&home, id] { home.erase(id); });
    auto& stored = *(home[id] = std::move(session));
    if (welcome) {
      stored.Serve();
    } else {
      stored.Refuse(TryAgain("too many connections"));
    }
  }
};

Result<std::unique_ptr<HttpServer>> HttpServer::Listen(net::Loop& loop,
                                                       const net::HostPort& address,
                                                       HttpServerOptions options,
                                                       RequestHandler handler) {
  auto impl = std::make_unique<Impl>(loop, options, std::move(handler));
  auto listener = net::Listener::Listen(
      loop, address,
      [impl = impl.get()](std::unique_ptr<net::Connection> connection) {
        impl->Accept(std::move(connection));
      },
      options.tls);
  if (!listener) return std::move(listener).error();
  impl->listener = std::move(*listener);
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpServer::~HttpServer() = default;

net::HostPort HttpServer::local_address() const { return impl_->listener->local_address(); }
std::size_t HttpServer::connections() const { return impl_->sessions.size(); }

std::size_t HttpServer::unsent_bytes() const {
  std::size_t bytes = 0;
  for (const auto& [id, session] : impl_->sessions) bytes += session->unsent_bytes();
  return bytes;
}

}  // namespace dunlin::server
