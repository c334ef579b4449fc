#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "protocol/server/http_server.h"

/// For this folder only.
namespace dunlin::server {

/// One connection of an HttpServer: reads a request, hands it over, sends the answer, and so on.
/// While a request is handled or an answer sent, at most one read of the next request is held, and
/// then nothing more is read. Loop thread only.
class Session {
 public:
  /// `options` and `handler` outlive it. `on_over` runs once, when the connection is of no more
  /// use, and is to destroy the session.
  Session(net::Loop& loop, std::unique_ptr<net::Connection> connection,
          const HttpServerOptions& options, const RequestHandler& handler,
          std::function<void()> on_over);
  /// Drops the connection. A request still being handled is cancelled.
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// Reads and answers requests.
  void Serve();
  /// Whether it is the peer's turn: nothing is being handled or sent.
  bool waits() const { return state_ == State::kReading; }
  std::size_t unsent_bytes() const { return connection_->pending_write_bytes(); }

  /// Answers without a request, and closes.
  void Refuse(http::Response response);

 private:
  struct Exchange;

  enum class State {
    kReading,   // between requests, or in one
    kHandling,  // the handler has it
    kSending,   // the peer has not yet taken the answer
    kClosing,   // the last answer is on its way; what comes is ignored
  };

  void OnBytes(std::string_view bytes);
  void OnPeerEnd();
  void OnDrained();
  void OnDeadline();
  void Consume(std::string_view bytes);
  void Handle(http::Request request);
  void Answer(http::Response response);
  void ReadNext();
  void ArmReadDeadline();
  void Close();
  void Over();

  const HttpServerOptions& options_;
  const RequestHandler& handler_;
  std::function<void()> on_over_;
  std::unique_ptr<net::Connection> connection_;
  net::Timer deadline_;
  http::RequestParser parser_;
  State state_ = State::kReading;
  bool consuming_ = false;      // Consume is on the stack
  bool request_begun_ = false;  // its deadline runs
  bool head_request_ = false;   // of the request being handled
  bool keep_alive_ = true;      // likewise
  bool peer_ended_ = false;     // the peer sends no more
  std::string waiting_;         // bytes of the next requests
  std::weak_ptr<Exchange> exchange_;
  // Shared with the handler, which may outlive the session on some worker.
  std::shared_ptr<std::atomic<bool>> cancelled_;
};

}  // namespace dunlin::server
