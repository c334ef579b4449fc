#pragma once

#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "collector/ingest/agent_identity.h"
#include "collector/ingest/agent_session.h"
#include "collector/ingest/connection_id.h"
#include "protocol/base/clock.h"
#include "protocol/net/connection.h"

namespace dunlin::ingest {

/// One connection of the ingest port. Loop thread only.
struct AgentConnection {
  AgentConnection(ConnectionId the_id, std::unique_ptr<net::Connection> a_stream,
                  const SessionOptions& options, SteadyTime now)
      : id(the_id), stream(std::move(a_stream)), session(options, now), stopped(now) {}

  /// Begins or stops to read, unless that is so already.
  void SetReading(bool read, SteadyTime now) {
    if (read == std::exchange(reading, read)) return;
    if (read) {
      // The time it was not read is not its own.
      frame_began += now - stopped;
      stream->StartReading();
    } else {
      stopped = now;
      stream->StopReading();
    }
  }

  ConnectionId id;
  std::unique_ptr<net::Connection> stream;
  AgentSession session;
  std::optional<AgentIdentity> identity;  // once admitted
  bool reading = false;
  bool closing = false;
  bool heard = false;        // anything at all
  SteadyTime frame_began{};  // the one that has not come whole
  SteadyTime stopped;        // reading, the last time; or not begun yet
  SteadyTime asked_to_pause{};
};

using AgentConnections = std::map<ConnectionId, std::unique_ptr<AgentConnection>>;

}  // namespace dunlin::ingest
