#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string_view>

#include "collector/store/store.h"
#include "protocol/metrics/registry.h"
#include "protocol/net/tls_context.h"

namespace dunlin::collector {

/// How entries came in: the `protocol` label.
enum class Protocol { kAgent, kLokiPush };

/// Why a line was refused for good: the `reason` label, named as Loki names its own.
enum class RejectReason {
  kMalformed,      // a batch that cannot be read
  kInvalidLabels,  // malformed, repeated or no label names
  kTooManyLabels,
  kLabelNameTooLong,
  kLabelValueTooLong,
  kLineTooLong,
  kMetadataTooLarge,
  kTooFarInFuture,
};
std::string_view RejectReasonName(RejectReason reason);

/// Why a connection to the ingest port was turned away: the `reason` label.
enum class RefuseReason {
  kNotDunlin,
  kVersion,
  kToken,
  kIdentity,
  kTooMany,
  kProtocol,
  kStalled,      // it kept others waiting, or out
  kTls,          // no handshake; AddTlsMetrics() counts why
  kCertificate,  // it does not speak for this agent
};
std::string_view RefuseReasonName(RefuseReason reason);

/// What a query was: the `kind` label.
enum class QueryKind { kLog, kMetric, kMeta };

/// How a query failed: the `reason` label.
enum class QueryError { kBadRequest, kTooMany, kTimeout, kCancelled, kInternal };

/// Every metric of the collector that is counted as things happen; their names are in the source
/// file and in docs/metrics.md. All series exist from the start, so that rate() sees the first
/// increment. Any thread.
class CollectorMetrics {
 public:
  explicit CollectorMetrics(metrics::Registry& registry);

  /// Entries that became durable, once each, with the bytes of their lines.
  void CountIngested(Protocol protocol, std::uint64_t lines, std::uint64_t bytes);
  void CountRejected(Protocol protocol, RejectReason reason, std::uint64_t lines);
  /// A whole batch of an agent, however many lines it claims.
  void CountRejectedBatch();
  void CountRefused(RefuseReason reason);
  void CountSlowDown();
  /// From the arrival of a batch to its being durable.
  void ObserveAcknowledge(double seconds);
  void SetConnections(std::size_t connections);
  void SetInFlightBytes(std::uint64_t bytes);
  void SetPartialFrameBytes(std::uint64_t bytes);
  void SetUnread(std::size_t connections);

  void CountQuery(QueryKind kind, double seconds, std::uint64_t scanned_bytes);
  void CountQueryError(QueryError error);
  void SetRunningQueries(std::size_t queries);

 private:
  static constexpr std::size_t kProtocols = 2;
  static constexpr std::size_t kRejectReasons = 8;
  static constexpr std::size_t kRefuseReasons = 9;
  static constexpr std::size_t kQueryKinds = 3;
  static constexpr std::size_t kQueryErrors = 5;

  std::array<prometheus::Counter*, kProtocols> lines_{};
  std::array<prometheus::Counter*, kProtocols> bytes_{};
  std::array<std::array<prometheus::Counter*, kRejectReasons>, kProtocols> rejected_{};
  std::array<prometheus::Counter*, kRefuseReasons> refused_{};
  prometheus::Counter* rejected_batches_;
  prometheus::Counter* slow_downs_;
  prometheus::Histogram* acknowledge_;
  prometheus::Gauge* connections_;
  prometheus::Gauge* in_flight_bytes_;
  prometheus::Gauge* partial_frame_bytes_;
  prometheus::Gauge* unread_;
  std::array<prometheus::Histogram*, kQueryKinds> query_duration_{};
  prometheus::Counter* query_scanned_bytes_;
  std::array<prometheus::Counter*, kQueryErrors> query_errors_{};
  prometheus::Gauge* running_queries_;
};

/// Adds dunlin_store_*, read from Store::Stats() at each scrape. The registry is not scraped after
/// the store is gone.
void AddStoreMetrics(metrics::Registry& registry, store::Store& store);

/// Adds what there is to tell of the TLS of these ports; the registry is not scraped after they are
/// gone.
void AddTlsMetrics(metrics::Registry& registry, const net::TlsContext& ingest,
                   const net::TlsContext& http);

/// Agents by what the collector knows of them: the `state` label.
struct AgentCounts {
  std::uint64_t ok = 0;     // connected
  std::uint64_t stale = 0;  // were, not long ago
  std::uint64_t gone = 0;
};

/// Adds dunlin_agents, counted at each scrape.
void AddAgentMetrics(metrics::Registry& registry, std::function<AgentCounts()> count);

}  // namespace dunlin::collector
