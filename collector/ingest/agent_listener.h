#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "collector/ingest/agent_directory.h"
#include "collector/ingest/agent_session.h"
#include "collector/ingest/read_gate.h"
#include "collector/metrics/collector_metrics.h"
#include "collector/store/store.h"
#include "protocol/base/clock.h"
#include "protocol/base/units.h"
#include "protocol/net/address.h"
#include "protocol/net/loop.h"
#include "protocol/net/tls_context.h"
#include "protocol/net/worker_pool.h"

namespace dunlin::ingest {

struct AgentListenerOptions {
  SessionOptions session;
  /// Outlives the listener; null: plain TCP. An agent that shows a certificate is held to it.
  net::TlsContext* tls = nullptr;
  /// Past it a newcomer takes the place of the one that has been here for longest without saying
  /// who it is; when all have, it is turned away.
  std::size_t max_connections = 8192;
  /// What connections may make the collector hold: batches count uncompressed, with what their rows
  /// take. Beyond it they are not read, so that TCP slows the agents down. The total stays below
  /// what the store lets queue.
  ReadGate::Limits limits;
  /// When all together have held more than half of their limit for `patience`, agents are asked to
  /// pause, each once in a `patience`.
  std::chrono::milliseconds patience{1000};
  std::chrono::milliseconds pause{100};
  /// What agents are asked to wait, again and again, while the store takes nothing.
  std::chrono::milliseconds refusal_pause{5000};
  /// A large frame has to come whole within this when others wait for its place.
  std::chrono::seconds large_frame_time{30};
};

/// The ingest port: connections of agents, each an AgentSession, and their way into the store.
/// Loop thread only.
class AgentListener {
 public:
  /// What it works with; all outlive the listener, and loop and store its last callback.
  struct Services {
    net::Loop& loop;
    net::WorkerPool& workers;
    store::Store& store;
    AgentDirectory& agents;
    collector::CollectorMetrics& metrics;
    const Clock& clock;
  };

  /// Errors as net::Listener::Listen.
  static Result<std::unique_ptr<AgentListener>> Listen(const net::HostPort& address,
                                                       AgentListenerOptions options,
                                                       Services services);
  ~AgentListener();
  AgentListener(const AgentListener&) = delete;
  AgentListener& operator=(const AgentListener&) = delete;

  net::HostPort local_address() const;
  std::size_t connections() const;

  /// What agents that connect from now on have to show.
  void SetToken(std::string token);

  /// Accepts and reads nothing more, acknowledges what is on its way, tells the agents and closes;
  /// then calls `done`. The caller bounds the time by destroying the listener.
  void Drain(std::function<void()> done);

 private:
  struct Impl;
  explicit AgentListener(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace dunlin::ingest
