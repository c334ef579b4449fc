#include "collector/ingest/agent_listener.h"

#include <map>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "collector/ingest/batch_pipeline.h"
#include "collector/ingest/warning_throttle.h"
#include "protocol/base/log.h"
#include "protocol/net/connection.h"

namespace dunlin::ingest {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::seconds kTick = 2s;
constexpr std::chrono::milliseconds kLinger = 1s;
/// A peer that does not read even our small answers is not served further.
constexpr std::size_t kMaxUnsentBytes = 1_MiB;

/// One connection of the port.
struct AgentConnection {
  AgentConnection(ConnectionId the_id, std::unique_ptr<net::Connection> a_stream,
                  const SessionOptions& options, SteadyTime now)
      : id(the_id), stream(std::move(a_stream)), session(options, now) {}

  ConnectionId id;
  std::unique_ptr<net::Connection> stream;
  AgentSession session;
  std::optional<AgentIdentity> identity;  // once admitted
  std::uint64_t in_flight_bytes = 0;
  bool reading = false;
  bool closing = false;
  bool heard = false;  // anything at all
};

}  // namespace

struct AgentListener::Impl {
  Impl(AgentListenerOptions the_options, Services the_services)
      : options(std::move(the_options)),
        services(the_services),
        pipeline(services.loop, services.workers, services.store, services.metrics, services.clock,
                 [this](std::vector<BatchPipeline::Finished> finished) {
                   OnFinished(std::move(finished));
                 }),
        tick(services.loop, [this] { OnTick(); }) {
    tick.Start(kTick, kTick);
  }

  ~Impl() {
    for (const auto& [id, connection] : connections) LeaveDirectory(*connection);
    services.metrics.SetConnections(0);
  }

  void OnAccept(std::unique_ptr<net::Connection> stream) {
    if (connections.size() >= options.max_connections) {
      services.metrics.CountRefused(collector::RefuseReason::kTooMany);
      if (auto held_back = throttle.Allow(services.clock.Steady())) {
        log::Warn("agent_refused", {{"peer", stream->peer()},
                                    {"reason", "too many connections"},
                                    {"held_back", *held_back}});
      }
      return;
    }
    ConnectionId id{next_id++};
    auto connection = std::make_unique<AgentConnection>(id, std::move(stream), options.session,
                                                        services.clock.Steady());
    connection->stream->on_data = [this, id](std::string_view bytes) { OnBytes(id, bytes); };
    connection->stream->on_close = [this, id](std::optional<Error> reason) { OnClose(id, reason); };
    AgentConnection& added = *connection;
    connections.emplace(id, std::move(connection));
    services.metrics.SetConnections(connections.size());
    UpdateReading(added);
  }

  AgentConnection* Find(ConnectionId id) {
    auto found = connections.find(id);
    return found == connections.end() ? nullptr : found->second.get();
  }

  void OnBytes(ConnectionId id, std::string_view bytes) {
    AgentConnection* connection = Find(id);
    if (connection == nullptr) return;
    if (!std::exchange(connection->heard, true)) {
      if (const auto* certificate = connection->stream->identity()) {
        connection->session.OnCertificate(*certificate);
      }
    }
    Perform(id, connection->session.OnBytes(bytes, services.clock.Steady()));
  }

  void OnClose(ConnectionId id, const std::optional<Error>& reason) {
    AgentConnection* connection = Find(id);
    if (connection == nullptr) return;
    // Whoever just leaves is not turned away.
    const bool refused = options.tls != nullptr && !connection->heard && !connection->closing &&
                         reason && reason->code() != ErrorCode::kUnavailable;
    if (refused) {
      action::Refuse refuse{collector::RefuseReason::kTls, reason->message()};
      Do(*connection, refuse);
    }
    Remove(id);
  }

  void OnTick() {
    std::vector<ConnectionId> ids;
    for (const auto& [id, connection] : connections) ids.push_back(id);
    for (ConnectionId id : ids) {
      if (AgentConnection* connection = Find(id)) {
        Perform(id, connection->session.OnTick(services.clock.Steady()));
      }
    }
  }

  /// Does what a session decided. The connection may be gone afterwards.
  void Perform(ConnectionId id, Actions actions) {
    for (Action& action : actions) {
      AgentConnection* connection = Find(id);
      if (connection == nullptr) return;
      std::visit([&](auto& a) { Do(*connection, a); }, action);
    }
    AgentConnection* connection = Find(id);
    if (connection == nullptr) return;
    if (connection->stream->pending_write_bytes() > kMaxUnsentBytes) {
      Remove(id);
      return;
    }
    UpdateReading(*connection);
  }

  void Do(AgentConnection& connection, action::Send& send) {
    connection.stream->Write(std::move(send.bytes));
  }

  void Do(AgentConnection& connection, action::Admit& admit) {
    auto boot = std::pair(admit.identity.agent, admit.identity.boot);
    auto older = by_boot.find(boot);
    if (older != by_boot.end()) {
      ConnectionId older_id = older->second;
      if (AgentConnection* replaced = Find(older_id)) {
        Perform(older_id, replaced->session.OnReplaced());
      }
    }
    by_boot[boot] = connection.id;
    connection.identity = admit.identity;
    pipeline.Open(connection.id, admit.identity);
    services.agents.Connected(admit.identity, services.clock.Now());
    log::Debug("agent_connected", {{"agent", admit.identity.ToString()},
                                   {"id", ToHex(admit.identity.agent)},
                                   {"peer", connection.stream->peer()}});
    Perform(connection.id, connection.session.OnAdmitted(services.store.NextSequence(
                               admit.identity.agent, admit.identity.boot)));
  }

  void Do(AgentConnection& connection, action::StoreBatch& store) {
    connection.in_flight_bytes += store.batch.memory_bytes;
    in_flight_bytes += store.batch.memory_bytes;
    ++in_flight_batches;
    pipeline.Submit(connection.id, std::move(store.batch));
  }

  void Do(AgentConnection& connection, action::KeepMetrics& keep) {
    services.agents.KeepMetrics(connection.identity->agent, std::move(keep.metrics),
                                services.clock.Now());
  }

  void Do(AgentConnection& connection, action::Refuse& refuse) {
    services.metrics.CountRefused(refuse.reason);
    if (auto held_back = throttle.Allow(services.clock.Steady())) {
      log::Warn("agent_refused", {{"peer", connection.stream->peer()},
                                  {"reason", refuse.text},
                                  {"held_back", *held_back}});
    }
  }

  void Do(AgentConnection& connection, action::Close&) {
    connection.closing = true;
    LeaveDirectory(connection);
    pipeline.Close(connection.id);
    connection.stream->CloseAfterWrites(kLinger);
  }

  void OnFinished(std::vector<BatchPipeline::Finished> finished) {
    std::map<ConnectionId, std::vector<BatchResult>> by_connection;
    for (BatchPipeline::Finished& one : finished) {
      in_flight_bytes -= one.memory_bytes;
      --in_flight_batches;
      if (AgentConnection* connection = Find(one.connection)) {
        connection->in_flight_bytes -= one.memory_bytes;
        by_connection[one.connection].push_back(std::move(one.result));
      }
    }
    services.metrics.SetInFlightBytes(in_flight_bytes);
    for (const auto& [id, results] : by_connection) {
      WarnOfRefusals(results);
      if (AgentConnection* connection = Find(id)) {
        Perform(id, connection->session.OnResults(results));
      }
    }
    if (some_paused) {
      some_paused = false;
      for (const auto& [id, connection] : connections) UpdateReading(*connection);
    }
    if (draining && in_flight_batches == 0) CloseAll();
  }

  void WarnOfRefusals(const std::vector<BatchResult>& results) {
    for (const BatchResult& result : results) {
      if (!result.slow_down) continue;
      services.metrics.CountSlowDown();
      if (auto held_back = throttle.Allow(services.clock.Steady())) {
        log::Warn("batch_not_stored", {{"reason", result.reason}, {"held_back", *held_back}});
      }
      return;
    }
  }

  /// Reads from a connection while there is room for what it sends. Reading stops at a limit and
  /// begins again below half of it, so that it does not flutter.
  void UpdateReading(AgentConnection& connection) {
    std::uint64_t own = options.connection_bytes;
    std::uint64_t all = options.total_bytes;
    if (!connection.reading) {
      own /= 2;
      all /= 2;
    }
    bool room = connection.in_flight_bytes < own && in_flight_bytes < all;
    bool read = room && !draining && !connection.closing;
    if (!read) some_paused = true;
    if (read == connection.reading) return;
    connection.reading = read;
    if (read) {
      connection.stream->StartReading();
    } else {
      connection.stream->StopReading();
    }
  }

  void LeaveDirectory(AgentConnection& connection) {
    if (!connection.identity) return;
    auto boot = std::pair(connection.identity->agent, connection.identity->boot);
    auto current = by_boot.find(boot);
    // Replaced by a newer connection, the agent is still there.
    if (current == by_boot.end() || current->second != connection.id) return;
    by_boot.erase(current);
    services.agents.Disconnected(boot.first, boot.second, services.clock.Now());
  }

  void Remove(ConnectionId id) {
    auto found = connections.find(id);
    if (found == connections.end()) return;
    LeaveDirectory(*found->second);
    pipeline.Close(id);
    connections.erase(found);
    services.metrics.SetConnections(connections.size());
    FinishDrainWhenEmpty();
  }

  void Drain(std::function<void()> done) {
    draining = true;
    on_drained = std::move(done);
    listener.reset();
    for (const auto& [id, connection] : connections) UpdateReading(*connection);
    if (in_flight_batches == 0) CloseAll();
  }

  void CloseAll() {
    std::vector<ConnectionId> ids;
    for (const auto& [id, connection] : connections) ids.push_back(id);
    for (ConnectionId id : ids) {
      if (AgentConnection* connection = Find(id)) Perform(id, connection->session.OnStopping());
    }
    FinishDrainWhenEmpty();
  }

  void FinishDrainWhenEmpty() {
    if (!draining || !connections.empty() || !on_drained) return;
    // Not from inside a callback of the connection that ended last.
    services.loop.Post(std::exchange(on_drained, nullptr));
  }

  AgentListenerOptions options;
  Services services;
  BatchPipeline pipeline;
  net::Timer tick;
  std::unique_ptr<net::Listener> listener;
  std::map<ConnectionId, std::unique_ptr<AgentConnection>> connections;
  std::map<std::pair<RandomId, RandomId>, ConnectionId> by_boot;  // the current one of each
  std::uint64_t next_id = 1;
  std::uint64_t in_flight_bytes = 0;
  std::uint64_t in_flight_batches = 0;
  bool some_paused = false;
  bool draining = false;
  std::function<void()> on_drained;
  WarningThrottle throttle{10s};
};

AgentListener::AgentListener(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
AgentListener::~AgentListener() = default;

Result<std::unique_ptr<AgentListener>> AgentListener::Listen(const net::HostPort& address,
                                                             AgentListenerOptions options,
                                                             Services services) {
  auto impl = std::make_unique<Impl>(std::move(options), services);
  auto listener = net::Listener::Listen(
      services.loop, address,
      [self = impl.get()](std::unique_ptr<net::Connection> stream) {
        self->OnAccept(std::move(stream));
      },
      impl->options.tls);
  if (!listener) return std::move(listener).error();
  impl->listener = std::move(*listener);
  return std::unique_ptr<AgentListener>(new AgentListener(std::move(impl)));
}

net::HostPort AgentListener::local_address() const { return impl_->listener->local_address(); }

std::size_t AgentListener::connections() const { return impl_->connections.size(); }

void AgentListener::SetToken(std::string token) { impl_->options.session.token = std::move(token); }

void AgentListener::Drain(std::function<void()> done) { impl_->Drain(std::move(done)); }

}  // namespace dunlin::ingest
