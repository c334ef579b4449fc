#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "protocol/net/connection.h"
#include "tests/support/loop_runner.h"

namespace dunlin::testing {

/// A scripted peer: sends bytes and waits for bytes, turning the loop meanwhile.
class TcpClient {
 public:
  TcpClient(net::Loop& loop, const net::HostPort& address) : loop_(loop) {
    std::optional<Result<std::unique_ptr<net::Connection>>> outcome;
    auto connector = net::Connector::Connect(
        loop, address, std::chrono::seconds(10),
        [&](Result<std::unique_ptr<net::Connection>> result) { outcome = std::move(result); });
    RunUntil(loop_, [&] { return outcome.has_value(); });
    if (!*outcome) FAIL(outcome->error().message());
    connection_ = std::move(**outcome);
    connection_->on_data = [this](std::string_view bytes) { received_ += bytes; };
    connection_->on_close = [this](std::optional<Error> reason) {
      closed_ = true;
      reason_ = std::move(reason);
    };
    connection_->StartReading();
  }

  void Send(std::string bytes) { connection_->Write(std::move(bytes)); }
  std::size_t pending_write_bytes() const { return connection_->pending_write_bytes(); }
  void StopReading() { connection_->StopReading(); }
  void StartReading() { connection_->StartReading(); }
  void Drop() { connection_.reset(); }

  /// Waits until `text` has arrived, and takes everything up to its end.
  std::string TakeThrough(const std::string& text) {
    INFO("waiting for: " << text);
    RunUntil(loop_, [&] { return received_.find(text) != std::string::npos || closed_; });
    INFO("received: " << received_);
    std::size_t at = received_.find(text);
    REQUIRE(at != std::string::npos);
    std::string taken = received_.substr(0, at + text.size());
    received_.erase(0, taken.size());
    return taken;
  }
  /// Waits for the end of the stream and takes the rest.
  std::string TakeToEnd() {
    RunUntil(loop_, [&] { return closed_; });
    return std::exchange(received_, {});
  }
  bool closed() const { return closed_; }
  /// Why the stream ended; nothing for the peer's orderly end.
  const std::optional<Error>& reason() const { return reason_; }
  const std::string& received() const { return received_; }

 private:
  net::Loop& loop_;
  std::unique_ptr<net::Connection> connection_;
  std::string received_;
  bool closed_ = false;
  std::optional<Error> reason_;
};

}  // namespace dunlin::testing
