#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/process_usage.h"
#include "protocol/base/clock.h"
#include "protocol/net/child_process.h"
#include "protocol/wire/messages.h"
#include "shipper/shipper.h"

namespace dunlin::agent {

/// Everything the agent tells about itself, at one moment: /metrics, the snapshots for the
/// collector and /v1/status are written from it, so they cannot disagree.
struct Snapshot {
  std::string project, service, deployment, container;
  std::string agent_id, boot_id;

  std::string_view state;  // starting, running, stopping, exited
  LogTime since{};         // of the state
  int pid = 0;             // 0 when there is none
  bool ready = false;
  std::uint64_t restarts = 0;
  std::optional<net::ExitStatus> last_exit;
  std::optional<LogTime> started_at;
  std::uint64_t signals_forwarded = 0;
  std::uint64_t orphans_reaped = 0;

  shipper::LineAccount lines;
  std::array<std::uint64_t, shipper::kOutputs> captured_lines{};
  std::array<std::uint64_t, shipper::kOutputs> captured_bytes{};  // newlines included
  shipper::DroppedByReason dropped{};
  std::uint64_t fragmented_lines = 0;
  std::uint64_t truncated_lines = 0;
  std::uint64_t reads = 0;
  std::uint64_t unread_bytes = 0;
  double blocked_seconds = 0;
  std::uint64_t passthrough_dropped_bytes = 0;

  std::uint64_t queue_bytes = 0;
  std::uint64_t queue_batches = 0;
  double oldest_unsent_seconds = 0;
  bool collector_configured = false;
  bool collector_connected = false;
  std::string collector;  // its address while connected
  shipper::SenderStatistics sender;

  bool listening = false;
  LogTime agent_started_at{};
  ProcessUsage usage;
};

/// In the order of docs/agent.md, "Metrics".
std::vector<wire::MetricFamily> MetricsOf(const Snapshot& snapshot);

/// The body of GET /v1/status.
std::string StatusDocument(const Snapshot& snapshot);

}  // namespace dunlin::agent
