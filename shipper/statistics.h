#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "protocol/base/clock.h"
#include "protocol/base/histogram.h"
#include "protocol/base/tls_failure.h"
#include "shipper/send_error.h"

namespace dunlin::shipper {

/// Bounds of the sizes of batches, in bytes: from the one line of a quiet service to the largest
/// batch that is configured.
inline constexpr double kBatchByteBounds[] = {256,    1024,   4096,    16384,   65536,
                                              131072, 262144, 1048576, 4194304, 16777216};
/// Seconds: a collector in the same machine, one across a continent, one in trouble.
inline constexpr double kAckLatencyBounds[] = {0.001, 0.005, 0.01, 0.025, 0.05, 0.1,
                                               0.25,  0.5,   1,    2.5,   10,   30};

/// What the sessions of one sender count, one after another.
struct SessionStatistics {
  std::uint64_t batches_sent = 0;   // sent again included
  std::uint64_t batches_again = 0;  // of them: for the second time or more
  std::uint64_t slow_downs = 0;     // times the collector asked for a pause
  std::string slow_down_reason{};   // of the latest, as the collector put it
  Histogram ack_latency{kAckLatencyBounds};
};

struct SenderStatistics {
  std::uint64_t connections = 0;   // that were welcomed
  std::uint64_t bytes_sent = 0;    // of batch frames
  std::uint64_t batches_lost = 0;  // sent, and the connection ended before an answer
  std::array<std::uint64_t, kSendErrorKinds.size()> errors{};
  SessionStatistics sessions{};
  std::optional<LogTime> connected_since{};  // while connected
  std::optional<LogTime> last_ack{};
  std::string last_error{};  // empty while connected
  /// Of the latest error, while connected, too.
  std::optional<SendErrorKind> last_error_kind{};
  /// What was wrong, when that is kTls.
  std::optional<TlsFailure> last_tls_failure{};
  std::optional<LogTime> last_error_at{};
};

}  // namespace dunlin::shipper
