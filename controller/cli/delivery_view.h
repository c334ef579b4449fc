#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/base/clock.h"
#include "protocol/base/result.h"
#include "protocol/base/tls_failure.h"

namespace dunlin::cli {

/// When the first certificate of a program's TLS files ends; nothing where it has no such file.
struct CertificatesView {
  std::optional<LogTime> certificate;
  std::optional<LogTime> ca;
};

/// What GET /v1/status of an agent says about the way of its lines (docs/agent.md, "Control
/// listener").
struct AgentView {
  struct Pause {
    double seconds = 0;
    std::string reason;
  };
  struct LastError {
    std::string kind;
    std::string message;
    std::optional<TlsFailure> tls_failure = std::nullopt;  // where the kind is "tls"
  };

  struct Spool {
    std::string folder;
    std::string state;  // "works", "full", "failing"
    std::int64_t bytes = 0;
    std::int64_t limit_bytes = 0;
    std::int64_t lines = 0;
    std::optional<LogTime> oldest;
    /// While it fails.
    int error_number = 0;
    std::string error;
    std::optional<LogTime> failing_since;
  };
  /// Spools of processes that are gone.
  struct Adopted {
    std::string current;  // the one being delivered; empty: none
    std::int64_t current_lines = 0;
    std::string current_error;  // why it does not move
    std::int64_t acknowledged = 0;
    std::int64_t waiting_spools = 0;
    std::int64_t held_spools = 0;
    std::int64_t unusable_spools = 0;
    std::string problem;  // of the unusable ones, or of the folder
  };

  std::string name;  // project/service/container
  std::string state;
  std::string capture;
  std::int64_t captured = 0;
  std::int64_t acknowledged = 0;
  std::int64_t queued = 0;
  std::int64_t spooled = 0;
  std::int64_t dropped = 0;
  std::vector<std::pair<std::string, std::int64_t>> dropped_by_reason;  // those above zero
  std::int64_t queue_bytes = 0;
  std::int64_t queue_limit_bytes = 0;
  bool reading_held = false;
  double oldest_unsent_seconds = 0;
  bool collector_configured = false;
  bool connected = false;
  std::string collector;  // while connected
  std::optional<LogTime> connected_since;
  std::optional<LogTime> last_acknowledged;
  std::optional<Pause> pause;
  std::optional<LastError> last_error;
  std::optional<Spool> spool;
  std::optional<Adopted> adopted;
  CertificatesView certificates;
};

/// Errors: kCorruption for what is no agent's status.
Result<AgentView> ParseAgentView(std::string_view body);

/// What GET /metrics of a collector says about how it stores (docs/metrics.md, "Collector").
struct CollectorView {
  std::int64_t agents_connected = 0;
  std::optional<std::int64_t> disk_free_bytes;
  bool read_only = false;
  /// Why it is; nothing when it does not say.
  std::optional<bool> disk_full;
  std::optional<bool> wal_failed;
  std::int64_t quarantined_segments = 0;
  std::map<std::string, std::int64_t> refused_connections;  // by reason, those above zero
  CertificatesView certificates;
};

/// Errors: kCorruption for what are no collector's metrics.
Result<CollectorView> ParseCollectorView(std::string_view exposition);

/// The time of an HTTP answer's Date field (RFC 9110 section 5.6.7), or nothing.
std::optional<LogTime> ParseHttpDate(std::string_view text);

}  // namespace dunlin::cli
