#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>

#include "protocol/base/result.h"
#include "protocol/http/message.h"
#include "protocol/http/parser.h"
#include "protocol/net/address.h"
#include "protocol/net/connection.h"
#include "protocol/net/loop.h"
#include "protocol/net/tls_context.h"

namespace dunlin::server {

struct HttpServerOptions {
  http::ParserLimits limits;
  std::size_t max_connections = 1024;  // past it a new one is answered 503 and closed
  /// Past it, instead, the oldest connection that is between requests, or in the middle of sending
  /// one, is dropped for the new one: whoever only holds connections keeps nobody out.
  bool make_room = false;
  net::TlsContext* tls = nullptr;  // outlives the server; null: plain
  std::chrono::milliseconds read_timeout{
      std::chrono::seconds(30)};  // to finish a request once begun
  std::chrono::milliseconds idle_timeout{std::chrono::minutes(2)};  // between requests
  std::chrono::milliseconds write_timeout{
      std::chrono::seconds(60)};  // for the peer to take an answer
};

/// Answers one request; call once, on the loop thread. Calling it after the client or the server
/// has gone does nothing. Dropped on the loop thread without a call, the answer is 500. An answer
/// with "Connection: close" closes the connection.
using Responder = std::function<void(http::Response)>;

/// Set once the client has gone or sends no more, so that long work can stop early; an answer is
/// still sent if anyone is there to take it. Readable from any thread.
using Cancelled = std::shared_ptr<const std::atomic<bool>>;

using RequestHandler = std::function<void(http::Request, Responder, Cancelled)>;

/// HTTP/1.1 on a listener: parsing, keep-alive, limits and time-outs. One request of a connection
/// at a time; pipelined ones wait. A message that cannot be parsed is answered with its status and
/// the connection closed. The handler runs on the loop thread, may answer at once or later, and
/// must not destroy the server. Destroying the server drops its connections. Loop thread only.
class HttpServer {
 public:
  /// Errors as net::Listener::Listen.
  static Result<std::unique_ptr<HttpServer>> Listen(net::Loop& loop, const net::HostPort& address,
                                                    HttpServerOptions options,
                                                    RequestHandler handler);
  ~HttpServer();

  net::HostPort local_address() const;
  std::size_t connections() const;
  /// Of answers that peers have not taken yet, all connections together.
  std::size_t unsent_bytes() const;

 private:
  struct Impl;
  explicit HttpServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace dunlin::server
