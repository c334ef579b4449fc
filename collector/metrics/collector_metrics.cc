#include "collector/metrics/collector_metrics.h"

#include <string>
#include <utility>

namespace dunlin::collector {
namespace {

template <typename Enum>
std::size_t IndexOf(Enum value) {
  return static_cast<std::size_t>(value);
}

std::string_view ProtocolName(Protocol protocol) {
  switch (protocol) {
    case Protocol::kAgent:
      return "agent";
    case Protocol::kLokiPush:
      return "loki_push";
  }
  return "";
}

std::string_view QueryKindName(QueryKind kind) {
  switch (kind) {
    case QueryKind::kLog:
      return "log";
    case QueryKind::kMetric:
      return "metric";
    case QueryKind::kMeta:
      return "meta";
  }
  return "";
}

std::string_view QueryErrorName(QueryError error) {
  switch (error) {
    case QueryError::kBadRequest:
      return "bad_request";
    case QueryError::kTooMany:
      return "too_many";
    case QueryError::kTimeout:
      return "timeout";
    case QueryError::kCancelled:
      return "cancelled";
    case QueryError::kInternal:
      return "internal";
  }
  return "";
}

std::string_view ExpiryReasonName(store::ExpiryReason reason) {
  switch (reason) {
    case store::ExpiryReason::kAge:
      return "age";
    case store::ExpiryReason::kSize:
      return "size";
    case store::ExpiryReason::kSpace:
      return "space";
  }
  return "";
}

double AsDouble(std::uint64_t value) { return static_cast<double>(value); }

double SecondsOf(std::int64_t time_ns) { return static_cast<double>(time_ns) / 1e9; }

}  // namespace

std::string_view RejectReasonName(RejectReason reason) {
  switch (reason) {
    case RejectReason::kMalformed:
      return "malformed";
    case RejectReason::kInvalidLabels:
      return "invalid_labels";
    case RejectReason::kTooManyLabels:
      return "max_label_names_per_series";
    case RejectReason::kLabelNameTooLong:
      return "label_name_too_long";
    case RejectReason::kLabelValueTooLong:
      return "label_value_too_long";
    case RejectReason::kLineTooLong:
      return "line_too_long";
    case RejectReason::kMetadataTooLarge:
      return "structured_metadata_too_large";
    case RejectReason::kTooFarInFuture:
      return "too_far_in_future";
  }
  return "";
}

std::string_view RefuseReasonName(RefuseReason reason) {
  switch (reason) {
    case RefuseReason::kNotDunlin:
      return "not_dunlin";
    case RefuseReason::kVersion:
      return "version";
    case RefuseReason::kToken:
      return "token";
    case RefuseReason::kIdentity:
      return "identity";
    case RefuseReason::kTooMany:
      return "too_many";
    case RefuseReason::kProtocol:
      return "protocol";
    case RefuseReason::kStalled:
      return "stalled";
    case RefuseReason::kTls:
      return "tls";
    case RefuseReason::kCertificate:
      return "certificate";
  }
  return "";
}

CollectorMetrics::CollectorMetrics(metrics::Registry& registry) {
  auto& lines = registry.Counter("dunlin_ingest_lines_total", "Entries stored durably, once each.");
  auto& bytes = registry.Counter("dunlin_ingest_bytes_total",
                                 "Bytes of the lines of entries stored, uncompressed.");
  auto& rejected = registry.Counter("dunlin_ingest_rejected_lines_total",
                                    "Entries refused for good; their senders were told.");
  for (std::size_t p = 0; p < kProtocols; ++p) {
    std::string protocol(ProtocolName(static_cast<Protocol>(p)));
    lines_[p] = &lines.Add({{"protocol", protocol}});
    bytes_[p] = &bytes.Add({{"protocol", protocol}});
    for (std::size_t r = 0; r < kRejectReasons; ++r) {
      std::string reason(RejectReasonName(static_cast<RejectReason>(r)));
      rejected_[p][r] = &rejected.Add({{"protocol", protocol}, {"reason", reason}});
    }
  }
  auto& refused = registry.Counter("dunlin_ingest_refused_connections_total",
                                   "Connections to the ingest port that were turned away.");
  for (std::size_t r = 0; r < kRefuseReasons; ++r) {
    std::string reason(RefuseReasonName(static_cast<RefuseReason>(r)));
    refused_[r] = &refused.Add({{"reason", reason}});
  }
  rejected_batches_ = &registry
                           .Counter("dunlin_ingest_rejected_batches_total",
                                    "Batches of agents that can never be read, refused whole.")
                           .Add({});
  slow_downs_ = &registry
                     .Counter("dunlin_ingest_slow_downs_total",
                              "Times an agent was asked to wait because nothing could be stored.")
                     .Add({});
  acknowledge_ = &registry
                      .Histogram("dunlin_ingest_acknowledge_duration_seconds",
                                 "From the arrival of an agent's batch to its being durable.")
                      .Add({}, metrics::LatencyBuckets());
  connections_ =
      &registry.Gauge("dunlin_ingest_connections", "Connections of agents now open.").Add({});
  in_flight_bytes_ = &registry
                          .Gauge("dunlin_ingest_in_flight_bytes",
                                 "Uncompressed bytes received from agents and not yet durable.")
                          .Add({});
  partial_frame_bytes_ = &registry
                              .Gauge("dunlin_ingest_partial_frame_bytes",
                                     "Bytes held of agents' frames that have not come whole.")
                              .Add({});
  unread_ = &registry
                 .Gauge("dunlin_ingest_unread_connections",
                        "Connections of agents not read now, because they or all hold too much.")
                 .Add({});

  auto& duration = registry.Histogram("dunlin_query_duration_seconds",
                                      "Time to answer a query, by what it was.");
  for (std::size_t k = 0; k < kQueryKinds; ++k) {
    std::string kind(QueryKindName(static_cast<QueryKind>(k)));
    query_duration_[k] = &duration.Add({{"kind", kind}}, metrics::LatencyBuckets());
  }
  query_scanned_bytes_ = &registry
                              .Counter("dunlin_query_scanned_bytes_total",
                                       "Uncompressed line bytes that queries looked at.")
                              .Add({});
  auto& errors = registry.Counter("dunlin_query_errors_total", "Queries not answered, by reason.");
  for (std::size_t e = 0; e < kQueryErrors; ++e) {
    std::string reason(QueryErrorName(static_cast<QueryError>(e)));
    query_errors_[e] = &errors.Add({{"reason", reason}});
  }
  running_queries_ =
      &registry.Gauge("dunlin_query_running", "Queries running or waiting for a worker.").Add({});
}

void CollectorMetrics::CountIngested(Protocol protocol, std::uint64_t lines, std::uint64_t bytes) {
  lines_[IndexOf(protocol)]->Increment(AsDouble(lines));
  bytes_[IndexOf(protocol)]->Increment(AsDouble(bytes));
}

void CollectorMetrics::CountRejected(Protocol protocol, RejectReason reason, std::uint64_t lines) {
  rejected_[IndexOf(protocol)][IndexOf(reason)]->Increment(AsDouble(lines));
}

void CollectorMetrics::CountRefused(RefuseReason reason) { refused_[IndexOf(reason)]->Increment(); }

void CollectorMetrics::CountRejectedBatch() { rejected_batches_->Increment(); }

void CollectorMetrics::CountSlowDown() { slow_downs_->Increment(); }

void CollectorMetrics::ObserveAcknowledge(double seconds) { acknowledge_->Observe(seconds); }

void CollectorMetrics::SetConnections(std::size_t connections) {
  connections_->Set(AsDouble(connections));
}

void CollectorMetrics::SetInFlightBytes(std::uint64_t bytes) {
  in_flight_bytes_->Set(AsDouble(bytes));
}

void CollectorMetrics::SetPartialFrameBytes(std::uint64_t bytes) {
  partial_frame_bytes_->Set(AsDouble(bytes));
}

void CollectorMetrics::SetUnread(std::size_t connections) { unread_->Set(AsDouble(connections)); }

void CollectorMetrics::CountQuery(QueryKind kind, double seconds, std::uint64_t scanned_bytes) {
  query_duration_[IndexOf(kind)]->Observe(seconds);
  query_scanned_bytes_->Increment(AsDouble(scanned_bytes));
}

void CollectorMetrics::CountQueryError(QueryError error) {
  query_errors_[IndexOf(error)]->Increment();
}

void CollectorMetrics::SetRunningQueries(std::size_t queries) {
  running_queries_->Set(AsDouble(queries));
}

void AddStoreMetrics(metrics::Registry& registry, store::Store& store) {
  registry.OnScrape([&store](metrics::Snapshot& out) {
    store::StoreStats s = store.Stats();
    out.Gauge("dunlin_store_streams", "Streams with entries.", AsDouble(s.streams));
    out.Counter("dunlin_store_streams_created_total", "Streams seen for the first time.",
                AsDouble(s.streams_created_total));
    out.Gauge("dunlin_store_lines", "Entries that can be searched.", AsDouble(s.lines));
    const char* bytes_help =
        "Bytes stored: lines as they came, segments and WAL as they lie on disk.";
    out.Gauge("dunlin_store_bytes", bytes_help, AsDouble(s.uncompressed_bytes),
              {{"kind", "uncompressed"}});
    out.Gauge("dunlin_store_bytes", bytes_help, AsDouble(s.disk_bytes), {{"kind", "compressed"}});
    out.Gauge("dunlin_store_bytes", bytes_help, AsDouble(s.wal_bytes), {{"kind", "wal"}});
    out.Gauge("dunlin_store_segments", "Segments in use.", AsDouble(s.segments));
    out.Gauge("dunlin_store_quarantined_segments",
              "Segments put aside because they are damaged; queries over their time warn.",
              AsDouble(s.quarantined_segments));
    out.Gauge("dunlin_store_head_lines", "Entries in memory and WAL, not yet in a segment.",
              AsDouble(s.head_lines));
    out.Gauge("dunlin_store_disk_free_bytes", "Free bytes where the data folder lies.",
              AsDouble(s.disk_free_bytes));
    out.Gauge("dunlin_store_read_only",
              "1 while nothing can be stored: the disk is full or the WAL cannot be written.",
              s.read_only ? 1 : 0);
    out.Gauge("dunlin_store_disk_full", "1 while the disk has no room for new entries.",
              s.disk_full ? 1 : 0);
    out.Gauge("dunlin_store_wal_failed",
              "1 while neither the WAL's file nor a new one can be written; tried now and then.",
              s.wal_failed ? 1 : 0);
    out.Counter("dunlin_store_wal_failures_total",
                "WAL files given up after a failed write or sync.", AsDouble(s.wal_failures_total));
    const char* files_help = "Files of the write-ahead log: in use, and kept for their space.";
    out.Gauge("dunlin_store_wal_files", files_help, AsDouble(s.wal_files), {{"state", "used"}});
    out.Gauge("dunlin_store_wal_files", files_help, AsDouble(s.wal_spare_files),
              {{"state", "spare"}});
    out.Counter("dunlin_store_wal_recycled_files_total",
                "WAL files begun in the space of a covered one.",
                AsDouble(s.wal_recycled_files_total));
    out.Gauge("dunlin_store_queued_bytes", "Bytes of batches waiting for the write-ahead log.",
              AsDouble(s.queued_bytes));
    out.Gauge("dunlin_store_dedup_boots",
              "Starts of agents whose place is remembered, to recognise batches sent again.",
              AsDouble(s.dedup_boots));
    out.Gauge("dunlin_store_dedup_bodies",
              "Bodies of pushes remembered, to recognise those sent again.",
              AsDouble(s.dedup_bodies));
    out.Counter("dunlin_store_wal_bytes_total", "Bytes written to the write-ahead log.",
                AsDouble(s.wal_written_bytes_total));
    out.Counter("dunlin_store_wal_syncs_total", "Times the write-ahead log was made durable.",
                AsDouble(s.wal_syncs_total));
    out.Counter("dunlin_store_wal_sync_seconds_total",
                "Time spent making the write-ahead log durable.", s.wal_sync_seconds_total);
    out.Counter("dunlin_store_segments_written_total", "Segments written.",
                AsDouble(s.segments_written_total));
    out.Counter("dunlin_store_compactions_total", "Merges of segments into one.",
                AsDouble(s.compactions_total));
    out.Counter("dunlin_store_compaction_read_bytes_total", "Bytes of the segments merged.",
                AsDouble(s.compaction_read_bytes_total));
    out.Counter("dunlin_store_compaction_written_bytes_total",
                "Bytes of what merging made of them.", AsDouble(s.compaction_written_bytes_total));
    for (std::size_t r = 0; r < store::kExpiryReasons; ++r) {
      std::string reason(ExpiryReasonName(static_cast<store::ExpiryReason>(r)));
      out.Counter("dunlin_store_segments_expired_total", "Segments deleted, by what asked for it.",
                  AsDouble(s.segments_expired_total[r]), {{"reason", reason}});
    }
    out.Counter("dunlin_store_duplicate_batches_total",
                "Batches that had been stored before and were recognised.",
                AsDouble(s.duplicate_batches_total));
    out.Gauge("dunlin_store_oldest_timestamp_seconds",
              "Time of the oldest entry as Unix time, 0 when there is none.",
              SecondsOf(s.oldest_time_ns));
    out.Gauge("dunlin_store_newest_timestamp_seconds",
              "Time of the newest entry as Unix time, 0 when there is none.",
              SecondsOf(s.newest_time_ns));
  });
}

void AddTlsMetrics(metrics::Registry& registry, const net::TlsContext& ingest,
                   const net::TlsContext& http) {
  registry.OnScrape([&ingest, &http](metrics::Snapshot& out) {
    for (const auto& [port, context] : {std::pair("ingest", &ingest), {"http", &http}}) {
      const auto failures = context->failures();
      for (std::size_t i = 0; i < failures.size(); ++i) {
        std::string kind(TlsFailureName(static_cast<TlsFailure>(i)));
        out.Counter("dunlin_tls_failures_total", "Handshakes that failed, by port and kind.",
                    AsDouble(failures[i]), {{"port", port}, {"kind", std::move(kind)}});
      }
      const net::TlsExpiry ends = context->expiry();
      for (const auto& [file, end] :
           {std::pair("certificate", ends.certificate), {"ca", ends.ca}}) {
        if (!end) continue;
        out.Gauge("dunlin_tls_certificate_expiry_timestamp_seconds",
                  "When the first certificate of a TLS file ends, by port and file.",
                  static_cast<double>(end->time_since_epoch().count()),
                  {{"port", port}, {"file", file}});
      }
    }
  });
}

void AddAgentMetrics(metrics::Registry& registry, std::function<AgentCounts()> count) {
  registry.OnScrape([count = std::move(count)](metrics::Snapshot& out) {
    AgentCounts counts = count();
    const char* help = "Agents the collector has heard of, by whether they are connected.";
    out.Gauge("dunlin_agents", help, AsDouble(counts.ok), {{"state", "ok"}});
    out.Gauge("dunlin_agents", help, AsDouble(counts.stale), {{"state", "stale"}});
    out.Gauge("dunlin_agents", help, AsDouble(counts.gone), {{"state", "gone"}});
  });
}

}  // namespace dunlin::collector
