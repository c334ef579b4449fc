#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/net/connection.h"
#include "tests/support/catch.h"

namespace dunlin::testing {

/// A server that answers every request with the same bytes, and keeps what it was asked.
class AnsweringServer {
 public:
  explicit AnsweringServer(net::Loop& loop, const net::HostPort& address = {"127.0.0.1", 0}) {
    auto listener = net::Listener::Listen(
        loop, address,
        [this](std::unique_ptr<net::Connection> connection) { OnAccept(std::move(connection)); });
    if (!listener) FAIL(listener.error().message());
    listener_ = std::move(*listener);
  }

  net::HostPort address() const { return listener_->local_address(); }

  std::string answer;  // empty: none ever
  bool closes = true;  // after its answer
  std::string asked;
  int closed = 0;
  std::vector<std::unique_ptr<net::Connection>> connections;

 private:
  void OnAccept(std::unique_ptr<net::Connection> connection) {
    net::Connection* peer = connection.get();
    connections.push_back(std::move(connection));
    peer->on_data = [this, peer](std::string_view bytes) {
      asked += bytes;
      if (!asked.ends_with("\r\n\r\n") || answer.empty()) return;
      peer->Write(answer);
      if (closes) peer->CloseAfterWrites(std::chrono::minutes(1));
    };
    peer->on_close = [this](std::optional<Error>) { ++closed; };
    peer->StartReading();
  }

  std::unique_ptr<net::Listener> listener_;
};

}  // namespace dunlin::testing
