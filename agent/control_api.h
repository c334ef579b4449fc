#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/access.h"
#include "agent/command_memory.h"
#include "agent/recent_lines.h"
#include "agent/snapshot.h"
#include "protocol/net/address.h"
#include "protocol/net/loop.h"
#include "protocol/net/tls_context.h"
#include "protocol/server/http_server.h"
#include "protocol/server/router.h"
#include "protocol/wire/messages.h"

namespace dunlin::agent {

struct ControlOptions {
  net::HostPort address;
  Access::Rules access;
  net::TlsContext* tls = nullptr;  // outlives the API; null: plain HTTP
  /// Pause before the listener is tried again when its port is taken.
  std::chrono::milliseconds retry = std::chrono::seconds(5);
};

/// The agent's HTTP side: health, metrics, status, the end of the log, and commands. A port that is
/// taken never keeps the process from running: it is tried again until it is free. What a slow or
/// hostile client can take is bounded: connections, the size of a request and the time for it, and
/// answers that nobody reads. Loop thread only.
class ControlApi {
 public:
  struct Hooks {
    std::function<Snapshot()> snapshot;
    std::function<std::vector<wire::MetricFamily>()> metrics;
    // What may be asked of the process. The error says why it does not apply now.
    std::function<Result<void>(std::optional<std::chrono::nanoseconds> grace)> stop;
    std::function<Result<void>()> start;
    std::function<Result<void>()> restart;
    std::function<Result<void>(int signal)> signal;
    std::function<Result<void>(std::string_view line)> command;
    std::function<Result<void>()> drain;
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
  void Answer(http::Request request, const server::Responder& respond, server::Cancelled cancelled);
  void AddRoutes();
  void AddCommands();
  /// A command of one parameter at most (`parameter` may be empty).
  using Perform = std::function<Result<void>(const std::optional<std::string>& value)>;
  void AddCommand(std::string_view path, std::string_view parameter, Perform perform);
  http::Response Carry(const http::Request& request, std::string_view parameter,
                       const Perform& perform);
  http::Response Tail(const http::Request& request) const;

  net::Loop& loop_;
  ControlOptions options_;
  Hooks hooks_;
  Access access_;
  CommandMemory commands_;
  server::Router router_;
  net::Timer retry_timer_;
  bool reported_ = false;
  std::unique_ptr<server::HttpServer> server_;
};

}  // namespace dunlin::agent
