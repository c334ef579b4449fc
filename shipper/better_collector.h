#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/net/address.h"
#include "protocol/net/connection.h"
#include "protocol/net/loop.h"
#include "protocol/wire/frame.h"
#include "protocol/wire/messages.h"
#include "shipper/send_error.h"

namespace dunlin::shipper {

/// Looks for a better collector while another one is in use: those before it in the list, in order,
/// each with a connection of its own that ends with the collector's welcome. So the one in use goes
/// on taking batches until another has shown that it would. Loop thread only.
class BetterCollector {
 public:
  struct Options {
    std::vector<net::HostPort> collectors;
    net::TlsContext* tls = nullptr;  // outlives the search; null: plain TCP
    std::chrono::milliseconds connect_timeout{};
    std::chrono::milliseconds welcome_timeout{};
  };

  BetterCollector(net::Loop& loop, Options options);
  ~BetterCollector();
  BetterCollector(const BetterCollector&) = delete;
  BetterCollector& operator=(const BetterCollector&) = delete;

  /// A collector has welcomed this agent; the search is over. May begin another.
  std::function<void(std::size_t collector)> on_found;
  /// One has not.
  std::function<void(std::size_t collector, SendErrorKind kind, const std::string& reason)>
      on_failed;
  /// None of them has; the search is over. May begin another.
  std::function<void()> on_none;

  /// In `delay`, looks among the first `count` collectors. `hello` is asked for each connection.
  /// Ends a search that is under way.
  void Search(std::size_t count, std::chrono::milliseconds delay,
              std::function<wire::Hello()> hello);
  void Stop();

 private:
  void Try();
  void OnConnectDone(Result<std::unique_ptr<net::Connection>> result);
  void OnData(std::string_view bytes);
  void OnWelcome(std::string_view payload);
  void Fail(SendErrorKind kind, const std::string& reason);

  net::Loop& loop_;
  Options options_;
  net::Timer timer_;  // of the search's begin, then of each welcome
  std::size_t count_ = 0;
  std::size_t collector_ = 0;  // being tried
  std::function<wire::Hello()> hello_;
  std::unique_ptr<net::Connector> connector_;
  std::unique_ptr<net::Connection> connection_;
  wire::FrameReader reader_;
};

}  // namespace dunlin::shipper
