#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/probe_report.h"
#include "agent/restart_cause.h"
#include "agent/signal_name.h"
#include "protocol/base/clock.h"
#include "protocol/base/histogram.h"
#include "protocol/net/child_process.h"
#include "protocol/net/tls_context.h"
#include "shipper/shipper.h"

namespace dunlin::agent {

/// How the process ended the last time.
struct LastExit {
  net::ExitStatus status;
  bool oom = false;  // the kernel killed it for want of memory
  LogTime at{};
};

/// How the process's outputs reach the agent.
enum class CaptureMode {
  kPipe,    // one pipe each
  kMerged,  // one pipe for both
  kTty,     // a terminal, passed through uncaptured
};
std::string_view CaptureModeName(CaptureMode mode);

/// Everything the agent knows about itself at one moment, without asking the system: /metrics, the
/// snapshots for the collector and /v1/status are written from it, so they cannot disagree.
struct Snapshot {
  std::string project, service, deployment, container;
  std::string agent_id, boot_id;

  std::string_view state;  // starting, running, stopping, exited
  LogTime since{};         // of the state
  int pid = 0;             // 0 when there is none
  bool ready = false;
  bool draining = false;  // asked to take no new work, in this run
  std::vector<ProbeReport> probes;
  RestartsByCause restarts{};
  std::optional<double> backoff_seconds;  // until the next start, while one is awaited
  std::optional<LastExit> last_exit;
  std::optional<LogTime> started_at;
  SignalCounts signals_forwarded{};
  std::uint64_t orphans_reaped = 0;

  CaptureMode capture = CaptureMode::kPipe;
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

  Histogram batch_raw_bytes{shipper::kBatchByteBounds};
  Histogram batch_wire_bytes{shipper::kBatchByteBounds};
  std::uint64_t acknowledged_batches = 0;
  std::uint64_t rejected_batches = 0;
  std::uint64_t queue_bytes = 0;
  std::uint64_t queue_limit_bytes = 0;
  bool reading_held = false;  // --when-full block, and it is full: the process waits to write
  std::uint64_t queue_batches = 0;
  std::optional<shipper::SpoolStatus> spool;  // nothing: there is none
  std::string spool_folder;
  shipper::SpoolSync spool_sync = shipper::SpoolSync::kInterval;
  std::optional<shipper::AdoptionStatistics> adopted{};  // likewise
  double oldest_unsent_seconds = 0;
  bool collector_configured = false;
  bool collector_connected = false;
  std::string collector;                 // its address while connected
  std::optional<double> paused_seconds;  // what is left of a pause that the collector wants
  shipper::SenderStatistics sender;

  bool listening = false;
  std::optional<Histogram> loop_lag;
  /// Handshakes that failed, by TlsFailure; nothing where there is no TLS.
  std::optional<std::array<std::uint64_t, kTlsFailures>> control_tls_failures;
  std::optional<std::array<std::uint64_t, kTlsFailures>> collector_tls_failures;
  /// Until when their files hold.
  net::TlsExpiry control_tls_expiry, collector_tls_expiry;
  LogTime agent_started_at{};
};

}  // namespace dunlin::agent
