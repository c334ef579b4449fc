#include "agent/status_document.h"

#include <algorithm>
#include <numeric>
#include <optional>

#include "protocol/base/json_writer.h"
#include "protocol/base/rfc3339.h"

namespace dunlin::agent {
namespace {

void WriteTime(JsonWriter& json, std::string_view name, const std::optional<LogTime>& time) {
  json.Key(name);
  time ? json.String(FormatRfc3339(*time)) : json.Null();
}

void WriteRestarts(JsonWriter& json, const Snapshot& s) {
  json.Field("restarts", std::accumulate(s.restarts.begin(), s.restarts.end(), std::uint64_t{0}));
  json.Key("restarts_by_cause");
  json.BeginObject();
  for (auto cause : kRestartCauses) {
    json.Field(RestartCauseName(cause), s.restarts[static_cast<std::size_t>(cause)]);
  }
  json.EndObject();
  json.Key("backoff_seconds");
  s.backoff_seconds ? json.Double(*s.backoff_seconds) : json.Null();
}

void WriteLastExit(JsonWriter& json, const std::optional<LastExit>& exit) {
  json.Key("last_exit");
  if (!exit) return json.Null();
  json.BeginObject();
  json.Field("code", exit->status.ShellCode());
  json.Key("signal");
  exit->status.signal != 0 ? json.Integer(exit->status.signal) : json.Null();
  json.Field("oom", exit->oom);
  json.Field("core_dumped", exit->status.core_dumped);
  json.Field("at", FormatRfc3339(exit->at));
  json.EndObject();
}

void WriteDropped(JsonWriter& json, const shipper::DroppedByReason& dropped) {
  json.BeginObject();
  for (auto reason : shipper::kDropReasons) {
    json.Field(shipper::DropReasonName(reason), dropped[static_cast<std::size_t>(reason)].lines);
  }
  json.EndObject();
}

void WriteLastError(JsonWriter& json, const shipper::SenderStatistics& sender) {
  if (sender.last_error.empty() || !sender.last_error_kind) return json.Null();
  json.BeginObject();
  json.Field("kind", shipper::SendErrorKindName(*sender.last_error_kind));
  json.Key("tls_failure");
  sender.last_tls_failure ? json.String(TlsFailureName(*sender.last_tls_failure)) : json.Null();
  json.Field("message", sender.last_error);
  WriteTime(json, "at", sender.last_error_at);
  json.EndObject();
}

void WritePause(JsonWriter& json, const Snapshot& s) {
  if (!s.paused_seconds) return json.Null();
  json.BeginObject();
  json.Field("seconds", *s.paused_seconds);
  json.Field("reason", s.sender.sessions.slow_down_reason);
  json.EndObject();
}

std::string_view SpoolSyncName(shipper::SpoolSync sync) {
  switch (sync) {
    case shipper::SpoolSync::kNever:
      return "never";
    case shipper::SpoolSync::kInterval:
      return "interval";
    case shipper::SpoolSync::kBatch:
      return "batch";
  }
  return "unknown";
}

/// Where what is new goes.
std::string_view SpoolState(const shipper::SpoolStatus& spool) {
  if (spool.failing_since) return "failing";
  return spool.full ? "full" : "works";
}

void WriteSpool(JsonWriter& json, const Snapshot& s) {
  if (!s.spool) return json.Null();
  const shipper::SpoolStatus& spool = *s.spool;
  json.BeginObject();
  json.Field("folder", s.spool_folder);
  json.Field("state", SpoolState(spool));
  json.Field("sync", SpoolSyncName(s.spool_sync));
  json.Field("bytes", spool.accounts.bytes);
  json.Field("limit_bytes", spool.limit_bytes);
  json.Field("lines", s.lines.spooled);
  // The accounts are those of the last visit to the disk.
  WriteTime(json, "oldest_at",
            s.lines.spooled > 0 ? spool.accounts.oldest_entry : std::optional<LogTime>());
  json.Field("damaged_batches", spool.accounts.damaged_batches);
  json.Key("last_error");
  if (spool.failing_since) {
    json.BeginObject();
    json.Field("errno", spool.last_errno);
    json.Field("message", spool.last_error);
    WriteTime(json, "since", spool.failing_since);
    json.EndObject();
  } else {
    json.Null();
  }
  json.EndObject();
}

/// What others have left, and what becomes of it.
void WriteAdopted(JsonWriter& json, const std::optional<shipper::AdoptionStatistics>& adopted) {
  if (!adopted) return json.Null();
  json.BeginObject();
  json.Field("spools", adopted->spools);
  json.Field("finished_spools", adopted->finished_spools);
  json.Field("acknowledged", adopted->acknowledged_lines);
  json.Field("dropped", adopted->dropped_lines);
  json.Key("current");
  if (adopted->current) {
    json.BeginObject();
    json.Field("spool", adopted->current->name);
    json.Field("lines", adopted->current->lines);
    json.Field("connected", adopted->current->connected);
    json.Key("last_error");
    adopted->current->last_error.empty() ? json.Null() : json.String(adopted->current->last_error);
    json.EndObject();
  } else {
    json.Null();
  }
  json.Field("waiting_spools", adopted->waiting_spools);
  json.Field("held_spools", adopted->held_spools);
  json.Field("unusable_spools", adopted->unusable_spools);
  json.Key("problem");
  adopted->problem.empty() ? json.Null() : json.String(adopted->problem);
  json.EndObject();
}

/// Where the lines are, and why they are not moving.
void WriteDelivery(JsonWriter& json, const Snapshot& s) {
  json.BeginObject();
  json.Field("captured", s.lines.captured);
  json.Field("acknowledged", s.lines.acknowledged);
  json.Field("queued", s.lines.queued);
  json.Field("spooled", s.lines.spooled);
  json.Field("dropped", s.lines.dropped);
  json.Key("dropped_by_reason");
  WriteDropped(json, s.dropped);
  json.Field("queue_bytes", s.queue_bytes);
  json.Field("queue_limit_bytes", s.queue_limit_bytes);
  json.Field("reading_held", s.reading_held);
  json.Field("oldest_unsent_seconds", s.oldest_unsent_seconds);
  json.Field("collector_configured", s.collector_configured);
  json.Field("connected", s.collector_connected);
  json.Key("collector");
  s.collector_connected ? json.String(s.collector) : json.Null();
  WriteTime(json, "connected_since", s.sender.connected_since);
  WriteTime(json, "last_acknowledged_at", s.sender.last_ack);
  json.Key("pause");
  WritePause(json, s);
  json.Key("last_error");
  WriteLastError(json, s.sender);
  json.EndObject();
}

/// Both connections have the same files, and look at them when a new one is made: the later end is
/// of what was read last.
std::optional<LogTime> Later(const std::optional<std::chrono::sys_seconds>& a,
                             const std::optional<std::chrono::sys_seconds>& b) {
  return std::max(a, b);
}

/// Null without TLS.
void WriteTls(JsonWriter& json, const Snapshot& s) {
  json.Key("tls");
  if (!s.control_tls_failures && !s.collector_tls_failures) return json.Null();
  json.BeginObject();
  WriteTime(json, "certificate_expires_at",
            Later(s.control_tls_expiry.certificate, s.collector_tls_expiry.certificate));
  WriteTime(json, "ca_expires_at", Later(s.control_tls_expiry.ca, s.collector_tls_expiry.ca));
  json.EndObject();
}

}  // namespace

std::string_view CaptureModeName(CaptureMode mode) {
  switch (mode) {
    case CaptureMode::kPipe:
      return "pipe";
    case CaptureMode::kMerged:
      return "merged";
    case CaptureMode::kTty:
      return "tty";
  }
  return "unknown";
}

std::string StatusDocument(const Snapshot& s) {
  std::string body;
  JsonWriter json(body);
  json.BeginObject();
  json.Field("project", s.project);
  json.Field("service", s.service);
  json.Field("deployment", s.deployment);
  json.Field("container", s.container);
  json.Field("agent_id", s.agent_id);
  json.Field("boot_id", s.boot_id);
  json.Field("version", DUNLIN_VERSION);
  json.Field("state", s.state);
  json.Field("since", FormatRfc3339(s.since));
  json.Key("pid");
  s.pid != 0 ? json.Integer(s.pid) : json.Null();
  json.Field("ready", s.ready);
  json.Key("probes");
  WriteProbes(json, s.probes);
  WriteTime(json, "started_at", s.started_at);
  json.Field("agent_started_at", FormatRfc3339(s.agent_started_at));
  WriteRestarts(json, s);
  WriteLastExit(json, s.last_exit);
  json.Field("capture", CaptureModeName(s.capture));
  WriteTls(json, s);
  json.Key("delivery");
  WriteDelivery(json, s);
  json.Key("spool");
  WriteSpool(json, s);
  json.Key("adopted");
  WriteAdopted(json, s.adopted);
  json.EndObject();
  return body;
}

}  // namespace dunlin::agent
