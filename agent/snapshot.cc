#include "agent/snapshot.h"

#include <utility>

#include "protocol/base/json_writer.h"
#include "protocol/base/rfc3339.h"

namespace dunlin::agent {
namespace {

double Seconds(LogTime time) { return static_cast<double>(NanosecondsOf(time)) / 1e9; }

/// Builds families one after another; a family without samples is left out.
class Families {
 public:
  void Begin(std::string name, std::string_view type, std::string_view help) {
    families_.push_back({std::move(name), std::string(help), std::string(type), {}});
  }
  template <typename T>
  void Sample(T value, LabelSet labels = {}) {
    families_.back().samples.push_back({std::move(labels), static_cast<double>(value), {}});
  }
  template <typename T>
  void Counter(std::string name, std::string_view help, T value) {
    Begin(std::move(name), "counter", help);
    Sample(value);
  }
  template <typename T>
  void Gauge(std::string name, std::string_view help, T value) {
    Begin(std::move(name), "gauge", help);
    Sample(value);
  }
  std::vector<wire::MetricFamily> Take() { return std::move(families_); }

 private:
  std::vector<wire::MetricFamily> families_;
};

LabelSet OutputLabel(std::size_t index) {
  return {{"output", std::string(wire::OutputName(shipper::OutputAt(index)))}};
}

void AddLogPath(Families& out, const Snapshot& s) {
  out.Begin("dunlin_agent_lines_captured_total", "counter", "Lines read from the process.");
  for (std::size_t i = 0; i < shipper::kOutputs; ++i)
    out.Sample(s.captured_lines[i], OutputLabel(i));
  out.Begin("dunlin_agent_bytes_total", "counter", "Bytes read from the process.");
  for (std::size_t i = 0; i < shipper::kOutputs; ++i)
    out.Sample(s.captured_bytes[i], OutputLabel(i));
  out.Counter("dunlin_agent_lines_acknowledged_total", "Lines that a collector has made durable.",
              s.lines.acknowledged);
  out.Gauge("dunlin_agent_lines_queued", "Lines in memory, not acknowledged.", s.lines.queued);
  out.Gauge("dunlin_agent_lines_spooled", "Lines on disk, not acknowledged.", s.lines.spooled);
  out.Begin("dunlin_agent_lines_dropped_total", "counter",
            "Lines that will not be delivered, by reason.");
  for (auto reason : shipper::kDropReasons) {
    out.Sample(s.dropped[static_cast<std::size_t>(reason)].lines,
               {{"reason", std::string(shipper::DropReasonName(reason))}});
  }
  out.Begin("dunlin_agent_dropped_bytes_total", "counter", "Bytes of those lines, by reason.");
  for (auto reason : shipper::kDropReasons) {
    out.Sample(s.dropped[static_cast<std::size_t>(reason)].bytes,
               {{"reason", std::string(shipper::DropReasonName(reason))}});
  }
  out.Counter("dunlin_agent_partial_lines_total", "Lines over the soft limit, sent as fragments.",
              s.fragmented_lines);
  out.Counter("dunlin_agent_truncated_lines_total", "Lines over the hard limit, cut.",
              s.truncated_lines);
  out.Counter("dunlin_agent_read_calls_total", "Reads of the process's pipes.", s.reads);
  out.Gauge("dunlin_agent_pipe_unread_bytes", "Bytes waiting in the process's pipes.",
            s.unread_bytes);
  out.Counter("dunlin_agent_pipe_full_seconds_total",
              "Time in which the process may have been held up for lack of room.",
              s.blocked_seconds);
  out.Counter("dunlin_agent_passthrough_dropped_bytes_total",
              "Bytes not copied to the agent's own output.", s.passthrough_dropped_bytes);
}

void AddShipPath(Families& out, const Snapshot& s) {
  out.Counter("dunlin_agent_batches_sent_total", "Batches sent, repetitions included.",
              s.sender.batches_sent);
  out.Counter("dunlin_agent_batch_wire_bytes_total", "Bytes of those batches.",
              s.sender.bytes_sent);
  out.Gauge("dunlin_agent_connected", "Whether a collector has welcomed this agent.",
            s.collector_connected ? 1 : 0);
  out.Counter("dunlin_agent_reconnects_total", "Connections after the first one.",
              s.sender.connections > 0 ? s.sender.connections - 1 : 0);
  out.Begin("dunlin_agent_send_errors_total", "counter",
            "Connections and attempts that failed, by kind.");
  for (auto kind : shipper::kSendErrorKinds) {
    out.Sample(s.sender.errors[static_cast<std::size_t>(kind)],
               {{"kind", std::string(shipper::SendErrorKindName(kind))}});
  }
  out.Begin("dunlin_agent_queue_bytes", "gauge", "Bytes of sealed batches held, by tier.");
  out.Sample(s.queue_bytes, {{"tier", "mem"}});
  out.Begin("dunlin_agent_queue_frames", "gauge", "Sealed batches held, by tier.");
  out.Sample(s.queue_batches, {{"tier", "mem"}});
  out.Gauge("dunlin_agent_queue_oldest_age_seconds", "Age of the oldest line not acknowledged.",
            s.oldest_unsent_seconds);
}

void AddProcess(Families& out, const Snapshot& s) {
  out.Gauge("dunlin_agent_process_up", "Whether the process runs.", s.pid != 0 ? 1 : 0);
  out.Gauge("dunlin_agent_ready", "Whether the process is ready.", s.ready ? 1 : 0);
  if (s.started_at) {
    out.Gauge("dunlin_agent_start_time_seconds", "When the process was started.",
              Seconds(*s.started_at));
  }
  out.Begin("dunlin_agent_restarts_total", "counter", "Restarts of the process, by cause.");
  out.Sample(s.restarts, {{"cause", "exit"}});
  if (s.last_exit) {
    out.Gauge("dunlin_agent_last_exit_code", "Exit code of the process, 128 + N for signal N.",
              s.last_exit->ShellCode());
    out.Gauge("dunlin_agent_last_exit_signal", "Signal that ended the process, or 0.",
              s.last_exit->signal);
  }
  out.Counter("dunlin_agent_forwarded_signals_total", "Signals passed on to the process.",
              s.signals_forwarded);
  out.Counter("dunlin_agent_orphans_reaped_total", "Descendants reaped in place of their parent.",
              s.orphans_reaped);
}

void AddAgent(Families& out, const Snapshot& s) {
  out.Begin("dunlin_agent_build_info", "gauge", "Version of the agent.");
  out.Sample(1, {{"version", DUNLIN_VERSION}});
  out.Gauge("dunlin_agent_listening", "Whether the control listener is bound.",
            s.listening ? 1 : 0);
  out.Counter("process_cpu_seconds_total", "CPU time of the agent itself.", s.usage.cpu_seconds);
  if (s.usage.resident_bytes) {
    out.Gauge("process_resident_memory_bytes", "Resident memory of the agent itself.",
              *s.usage.resident_bytes);
  }
  if (s.usage.open_descriptors) {
    out.Gauge("process_open_fds", "Open descriptors of the agent itself.",
              *s.usage.open_descriptors);
  }
  out.Gauge("process_start_time_seconds", "When the agent was started.",
            Seconds(s.agent_started_at));
}

void WriteLog(JsonWriter& json, const Snapshot& s) {
  json.BeginObject();
  json.Field("captured", s.lines.captured);
  json.Field("acknowledged", s.lines.acknowledged);
  json.Field("queued", s.lines.queued);
  json.Field("spooled", s.lines.spooled);
  json.Field("dropped", s.lines.dropped);
  json.Key("dropped_by_reason");
  json.BeginObject();
  for (auto reason : shipper::kDropReasons) {
    json.Field(shipper::DropReasonName(reason), s.dropped[static_cast<std::size_t>(reason)].lines);
  }
  json.EndObject();
  json.Field("queue_bytes", s.queue_bytes);
  json.Field("oldest_unsent_seconds", s.oldest_unsent_seconds);
  json.Field("collector_configured", s.collector_configured);
  json.Field("collector_connected", s.collector_connected);
  json.Key("collector");
  s.collector_connected ? json.String(s.collector) : json.Null();
  json.Key("last_error");
  s.sender.last_error.empty() ? json.Null() : json.String(s.sender.last_error);
  json.EndObject();
}

}  // namespace

std::vector<wire::MetricFamily> MetricsOf(const Snapshot& snapshot) {
  Families out;
  AddLogPath(out, snapshot);
  AddShipPath(out, snapshot);
  AddProcess(out, snapshot);
  AddAgent(out, snapshot);
  return out.Take();
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
  json.Field("restarts", s.restarts);
  json.Key("last_exit");
  if (s.last_exit) {
    json.BeginObject();
    json.Field("code", s.last_exit->ShellCode());
    json.Key("signal");
    s.last_exit->signal != 0 ? json.Integer(s.last_exit->signal) : json.Null();
    json.EndObject();
  } else {
    json.Null();
  }
  json.Key("log");
  WriteLog(json, s);
  json.EndObject();
  return body;
}

}  // namespace dunlin::agent
