#include "collector/ingest/agent_listener.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <variant>
#include <vector>

#include "collector/ingest/agent_connection.h"
#include "collector/ingest/batch_pipeline.h"
#include "collector/ingest/gated_reading.h"
#include "collector/ingest/warning_throttle.h"
#include "protocol/base/log.h"
#include "protocol/net/connection.h"

namespace dunlin::ingest {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::seconds kTick = 2s;
constexpr std::chrono::milliseconds kLinger = 1s;
/// An agent that is not read for this long hears from us without being asked.
constexpr std::chrono::seconds kUnheard = 5s;
/// A peer that does not read even our small answers is not served further.
constexpr std::size_t kMaxUnsentBytes = 64_KiB;

/// What any batch takes beside its bytes: its place in queues, its labels, its answer.
constexpr std::uint64_t kBatchOverheadBytes = 1_KiB;

/// What a batch takes on its way into the store, its rows included. A header may lie about their
/// number, but no entry is smaller than a byte.
std::uint64_t MemoryOf(const ReceivedBatch& batch) {
  return kBatchOverheadBytes + batch.memory_bytes +
         std::min(batch.entries, batch.memory_bytes) * sizeof(store::Row);
}

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
      if (strangers.empty()) {
        return Refuse(stream->peer(), collector::RefuseReason::kTooMany, "too many connections");
      }
      // An agent says who it is at once, so whoever holds places without a word keeps none out.
      TurnAway(*strangers.begin(), collector::RefuseReason::kTooMany,
               "it took long to say who it is, and others came");
    }
    ConnectionId id{next_id++};
    auto connection = std::make_unique<AgentConnection>(id, std::move(stream), options.session,
                                                        services.clock.Steady());
    connection->stream->on_data = [this, id](std::string_view bytes) { OnBytes(id, bytes); };
    connection->stream->on_close = [this, id](std::optional<Error> reason) { OnClose(id, reason); };
    strangers.insert(id);
    AgentConnection& added = *connection;
    connections.emplace(id, std::move(connection));
    services.metrics.SetConnections(connections.size());
    reading.Add(added);
  }

  void Refuse(const std::string& peer, collector::RefuseReason reason, std::string_view text) {
    services.metrics.CountRefused(reason);
    if (auto held_back = throttle.Allow(services.clock.Steady())) {
      log::Warn("agent_refused", {{"peer", peer}, {"reason", text}, {"held_back", *held_back}});
    }
  }

  void TurnAway(ConnectionId id, collector::RefuseReason reason, std::string_view text) {
    if (AgentConnection* connection = Find(id)) Refuse(connection->stream->peer(), reason, text);
    Remove(id);
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
    SteadyTime now = services.clock.Steady();
    Perform(id, connection->session.OnBytes(bytes, now));
    if (AgentConnection* left = Find(id)) reading.NoteBytes(*left, bytes.size());
    reading.Follow();
    connection = Find(id);
    auto pressed = reading.pressed_since();
    if (connection != nullptr && pressed && now - *pressed >= options.patience &&
        now - connection->asked_to_pause >= options.patience) {
      AskToPause(*connection, options.pause, "the collector is busy");
    }
  }

  void AskToPause(AgentConnection& connection, std::chrono::milliseconds pause,
                  const std::string& reason) {
    Actions actions = connection.session.OnBackPressure(pause, reason, services.clock.Steady());
    if (actions.empty()) return;
    connection.asked_to_pause = services.clock.Steady();
    services.metrics.CountSlowDown();
    Perform(connection.id, std::move(actions));
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
    SteadyTime now = services.clock.Steady();
    refusal = services.store.Refusal();
    for (ConnectionId id : ids) {
      AgentConnection* connection = Find(id);
      if (connection == nullptr) continue;
      if (refusal) {
        AskToPause(*connection, options.refusal_pause, refusal->message());
      } else if (!connection->reading && now - connection->stopped >= kUnheard) {
        // It may be waiting for an answer that nobody reads its question for.
        AskToPause(*connection, options.pause, "the collector is busy");
      }
      connection = Find(id);
      if (connection == nullptr) continue;
      if (!connection->reading) connection->session.OnUnread(now);
      Perform(id, connection->session.OnTick(now));
    }
    for (ConnectionId id : reading.Dawdlers(options.large_frame_time)) {
      TurnAway(id, collector::RefuseReason::kStalled, "a frame did not end in time");
    }
    reading.CountUnread();
    reading.Follow();
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
      return TurnAway(id, collector::RefuseReason::kStalled, "it does not read its answers");
    }
    reading.Update(*connection);
  }

  void Do(AgentConnection& connection, action::Send& send) {
    connection.stream->Write(std::move(send.bytes));
  }

  void Do(AgentConnection& connection, action::Admit& admit) {
    strangers.erase(connection.id);
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
    ConnectionId id = connection.id;
    Perform(id, connection.session.OnAdmitted(
                    services.store.NextSequence(admit.identity.agent, admit.identity.boot)));
    AgentConnection* admitted = Find(id);
    if (admitted == nullptr) return;
    // Told before it sends, it waits here instead of coming back all the time.
    if (auto now_refused = services.store.Refusal()) {
      AskToPause(*admitted, options.refusal_pause, now_refused->message());
    }
  }

  void Do(AgentConnection& connection, action::StoreBatch& store) {
    store.batch.memory_bytes = MemoryOf(store.batch);
    reading.Charge(connection, store.batch.memory_bytes);
    ++in_flight_batches;
    pipeline.Submit(connection.id, std::move(store.batch));
  }

  void Do(AgentConnection& connection, action::KeepMetrics& keep) {
    services.agents.KeepMetrics(connection.identity->agent, std::move(keep.metrics),
                                services.clock.Now());
  }

  void Do(AgentConnection& connection, action::Refuse& refuse) {
    Refuse(connection.stream->peer(), refuse.reason, refuse.text);
  }

  void Do(AgentConnection& connection, action::Close&) {
    connection.closing = true;
    strangers.erase(connection.id);
    LeaveDirectory(connection);
    pipeline.Close(connection.id);
    connection.stream->CloseAfterWrites(kLinger);
  }

  void OnFinished(std::vector<BatchPipeline::Finished> finished) {
    std::map<ConnectionId, std::vector<BatchResult>> by_connection;
    for (BatchPipeline::Finished& one : finished) {
      reading.Release(one.connection, one.memory_bytes);
      --in_flight_batches;
      if (Find(one.connection) != nullptr) {
        by_connection[one.connection].push_back(std::move(one.result));
      }
    }
    for (const auto& [id, results] : by_connection) {
      WarnOfRefusals(results);
      if (AgentConnection* connection = Find(id)) {
        Perform(id, connection->session.OnResults(results));
      }
    }
    reading.Follow();
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
    strangers.erase(id);
    reading.Remove(id);
    services.metrics.SetConnections(connections.size());
    FinishDrainWhenEmpty();
  }

  void Drain(std::function<void()> done) {
    draining = true;
    on_drained = std::move(done);
    listener.reset();
    reading.StopAll();
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
  AgentConnections connections;
  std::set<ConnectionId> strangers;  // nobody knows yet who they are; the oldest first
  GatedReading reading{options.limits, connections, services.loop, services.metrics,
                       services.clock};
  std::map<std::pair<RandomId, RandomId>, ConnectionId> by_boot;  // the current one of each
  std::uint64_t next_id = 1;
  std::optional<Error> refusal;  // of the store, as of the last tick
  std::uint64_t in_flight_batches = 0;
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
