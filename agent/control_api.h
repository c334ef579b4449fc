#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/recent_lines.h"
#include "agent/snapshot.h"
#include "protocol/net/address.h"
#include "protocol/net/loop.h"
#include "protocol/server/http_server.h"
#include "protocol/server/router.h"
#include "protocol/wire/messages.h"

namespace dunlin::agent {

struct ControlOptions {
  net::HostPort address;
  std::string token;  // empty: none is asked for
  /// Pause before the listener is tried again when its port is taken.
  std::chrono::milliseconds retry = std::chrono::seconds(5);
};

/// The agent's HTTP side: health, metrics, status, the end of the log, stop. A port that is taken
/// never keeps the process from running: it is tried again until it is free.
///
/// With a token, whatever changes something asks for it, and on an address that others can reach
/// everything but the two health answers does. Loop thread only.
class ControlApi {
 public:
  struct Hooks {
    std::function<Snapshot()> snapshot;
    std::function<std::vector<wire::MetricFamily>()> metrics;
    std::function<void(std::optional<std::chrono::nanoseconds> grace)> stop;
    const RecentLines* recent_lines;
  };

  ControlApi(net::Loop& loop, ControlOptions options, Hooks hooks);
  ControlApi(const ControlApi&) = delete;
  ControlApi& operator=(const ControlApi&) = delete;

  void Start();
  bool listening() const { return server_ != nullptr; }
  /// With the port that was bound; nothing while it is not.
  std::optional<net::HostPort> local_address() const;

 private:
  void Listen();
  void AddRoutes();
  bool Allowed(const http::Request& request) const;
  http::Response Stop(const http::Request& request);
  http::Response Tail(const http::Request& request) const;

  net::Loop& loop_;
  ControlOptions options_;
  Hooks hooks_;
  server::Router router_;
  net::Timer retry_timer_;
  bool reported_ = false;
  std::unique_ptr<server::HttpServer> server_;
};

}  // namespace dunlin::agent
