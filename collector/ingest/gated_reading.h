#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "collector/ingest/agent_connection.h"
#include "collector/ingest/read_gate.h"
#include "collector/metrics/collector_metrics.h"
#include "protocol/base/clock.h"
#include "protocol/net/loop.h"

namespace dunlin::ingest {

/// Does what a ReadGate decides: begins and stops to read the connections of the ingest port, and
/// tells the gate what they hold. Whatever changes that may stop any of them; those that wait are
/// let in from the loop, a few per turn, so that the first of them show what they send before the
/// next ones do. Loop thread only.
class GatedReading {
 public:
  /// All given outlives it.
  GatedReading(ReadGate::Limits limits, AgentConnections& connections, net::Loop& loop,
               collector::CollectorMetrics& metrics, const Clock& clock)
      : gate_(limits), connections_(connections), loop_(loop), metrics_(metrics), clock_(clock) {}
  GatedReading(const GatedReading&) = delete;
  GatedReading& operator=(const GatedReading&) = delete;

  void Add(AgentConnection& connection);
  void Remove(ConnectionId id);
  void Charge(AgentConnection& connection, std::uint64_t bytes);
  /// The connection may be gone by now.
  void Release(ConnectionId id, std::uint64_t bytes) { gate_.Release(id, bytes); }
  /// Its session was given `came` bytes.
  void NoteBytes(AgentConnection& connection, std::size_t came);
  /// After any of the above, and now and then: lets some of those that wait read.
  void Follow();
  /// Brings one connection in line with the gate: after it was set to close.
  void Update(AgentConnection& connection);
  /// From now on none is read.
  void StopAll();

  /// Since when all together have held more than half of what they may; nothing while they do not.
  std::optional<SteadyTime> pressed_since() const { return pressed_since_; }
  /// Counts those that are not read, for the metrics; that takes a look at each.
  void CountUnread() { metrics_.SetUnread(gate_.unread()); }
  /// Who has had a place for a large frame for `limit` while others wait for one.
  std::vector<ConnectionId> Dawdlers(std::chrono::nanoseconds limit) const;

 private:
  void OpenSome();
  void OpenMoreSoon();
  void UpdateAll();

  ReadGate gate_;
  AgentConnections& connections_;
  net::Loop& loop_;
  collector::CollectorMetrics& metrics_;
  const Clock& clock_;
  bool stopped_ = false;
  bool was_closed_ = false;
  bool opening_ = false;  // posted
  std::optional<SteadyTime> pressed_since_;
  std::shared_ptr<GatedReading*> self_ =
      std::make_shared<GatedReading*>(this);  // for what is posted
};

}  // namespace dunlin::ingest
