#include "agent/metrics.h"

#include <algorithm>
#include <csignal>
#include <iterator>
#include <optional>
#include <string>
#include <utility>

#include "agent/cgroup_metrics.h"
#include "agent/families.h"

namespace dunlin::agent {
namespace {

double Seconds(LogTime time) { return static_cast<double>(NanosecondsOf(time)) / 1e9; }

LabelSet OutputLabel(std::size_t index) {
  return {{"output", std::string(wire::OutputName(shipper::OutputAt(index)))}};
}

void AddLogPath(Families& out, const Snapshot& s) {
  out.BeginCounter("dunlin_agent_lines_captured_total", "Lines read from the process.");
  for (std::size_t i = 0; i < shipper::kOutputs; ++i)
    out.Sample(s.captured_lines[i], OutputLabel(i));
  out.BeginCounter("dunlin_agent_bytes_total", "Bytes read from the process.");
  for (std::size_t i = 0; i < shipper::kOutputs; ++i)
    out.Sample(s.captured_bytes[i], OutputLabel(i));
  out.Counter("dunlin_agent_lines_acknowledged_total", "Lines that a collector has made durable.",
              s.lines.acknowledged);
  out.Gauge("dunlin_agent_lines_queued", "Lines in memory, not acknowledged.", s.lines.queued);
  out.Gauge("dunlin_agent_lines_spooled", "Lines on disk, not acknowledged.", s.lines.spooled);
  out.BeginCounter("dunlin_agent_lines_dropped_total",
                   "Lines that will not be delivered, by reason.");
  for (auto reason : shipper::kDropReasons) {
    out.Sample(s.dropped[static_cast<std::size_t>(reason)].lines,
               {{"reason", std::string(shipper::DropReasonName(reason))}});
  }
  out.BeginCounter("dunlin_agent_dropped_bytes_total", "Bytes of those lines, by reason.");
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

void AddBatches(Families& out, const Snapshot& s) {
  const shipper::SessionStatistics& sessions = s.sender.sessions;
  out.Counter("dunlin_agent_batches_sent_total", "Batches sent, repetitions included.",
              sessions.batches_sent);
  out.Counter("dunlin_agent_retries_total", "Batches sent again after a connection had ended.",
              sessions.batches_again);
  out.Counter("dunlin_agent_sent_bytes_total", "Bytes of batches sent, repetitions included.",
              s.sender.bytes_sent);
  out.BeginCounter("dunlin_agent_requests_total", "What became of batches that were sent.");
  out.Sample(s.acknowledged_batches, {{"result", "acknowledged"}});
  out.Sample(s.rejected_batches, {{"result", "rejected"}});
  out.Sample(s.sender.batches_lost, {{"result", "lost"}});
  out.AddHistogram("dunlin_agent_batch_raw_bytes", "Bytes of the lines of a sealed batch.",
                   s.batch_raw_bytes);
  out.AddHistogram("dunlin_agent_batch_wire_bytes", "Bytes of a sealed batch, compressed.",
                   s.batch_wire_bytes);
  out.AddHistogram("dunlin_agent_ack_latency_seconds",
                   "Time from sending a batch to its acknowledgement.", sessions.ack_latency);
}

void AddConnection(Families& out, const Snapshot& s) {
  out.Gauge("dunlin_agent_connected", "Whether a collector has welcomed this agent.",
            s.collector_connected ? 1 : 0);
  out.Counter("dunlin_agent_reconnects_total", "Connections after the first one.",
              s.sender.connections > 0 ? s.sender.connections - 1 : 0);
  out.BeginCounter("dunlin_agent_send_errors_total",
                   "Connections, attempts and batches that failed, by kind.");
  for (auto kind : shipper::kSendErrorKinds) {
    out.Sample(s.sender.errors[static_cast<std::size_t>(kind)],
               {{"kind", std::string(shipper::SendErrorKindName(kind))}});
  }
  out.Counter("dunlin_agent_rate_limited_total", "Times the collector asked for a pause.",
              s.sender.sessions.slow_downs);
  if (s.sender.last_ack) {
    out.Gauge("dunlin_agent_last_ack_seconds", "When a batch was last acknowledged.",
              Seconds(*s.sender.last_ack));
  }
}

void AddSpool(Families& out, const shipper::SpoolStatus& spool) {
  out.Gauge("dunlin_agent_spool_bytes", "Bytes of the spool's files.", spool.accounts.bytes);
  out.Gauge("dunlin_agent_spool_limit_bytes", "What they may grow to.", spool.limit_bytes);
  out.Counter("dunlin_agent_spool_corrupt_frames_total",
              "Batches, or stretches of them, that did not survive on disk.",
              spool.accounts.damaged_batches);
  out.BeginCounter("dunlin_agent_spool_errors_total", "Refusals of the disk, by errno.");
  for (const auto& [number, count] : spool.errors) {
    out.Sample(count, {{"errno", std::to_string(number)}});
  }
}

void AddAdopted(Families& out, const shipper::AdoptionStatistics& adopted) {
  out.Counter("dunlin_agent_adopted_spools_total",
              "Spools of processes that are gone, taken over to be delivered.", adopted.spools);
  out.Counter("dunlin_agent_adopted_lines_acknowledged_total",
              "Their lines that a collector has made durable.", adopted.acknowledged_lines);
  out.Counter("dunlin_agent_adopted_lines_dropped_total",
              "Their lines that were damaged or rejected.", adopted.dropped_lines);
  out.Gauge("dunlin_agent_adopted_lines_spooled", "Lines left in the one being delivered.",
            adopted.spooled_lines);
}

void AddQueue(Families& out, const Snapshot& s) {
  out.BeginGauge("dunlin_agent_queue_bytes", "Bytes of sealed batches held, by tier.");
  out.Sample(s.queue_bytes, {{"tier", "mem"}});
  if (s.spool) out.Sample(s.spool->accounts.bytes, {{"tier", "spool"}});
  out.BeginGauge("dunlin_agent_queue_frames", "Sealed batches held, by tier.");
  out.Sample(s.queue_batches, {{"tier", "mem"}});
  if (s.spool) out.Sample(s.spool->accounts.batches, {{"tier", "spool"}});
  out.Gauge("dunlin_agent_queue_oldest_age_seconds", "Age of the oldest line not acknowledged.",
            s.oldest_unsent_seconds);
  if (s.spool) AddSpool(out, *s.spool);
  if (s.adopted) AddAdopted(out, *s.adopted);
}

/// Those that runtimes, terminals and log rotation send: there from the start, so that the first
/// one shows as a change.
constexpr int kUsualSignals[] = {SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGTERM};

void AddForwardedSignals(Families& out, const SignalCounts& counts) {
  out.BeginCounter("dunlin_agent_forwarded_signals_total",
                   "Signals that came for the process, by the signal that came.");
  for (std::size_t signal = 1; signal < counts.size(); ++signal) {
    const int number = static_cast<int>(signal);
    if (counts[signal] > 0 || std::ranges::find(kUsualSignals, number) != std::end(kUsualSignals)) {
      out.Sample(counts[signal], {{"sig", SignalName(number)}});
    }
  }
}

void AddProcess(Families& out, const Snapshot& s) {
  out.Gauge("dunlin_agent_process_up", "Whether the process runs.", s.pid != 0 ? 1 : 0);
  out.Gauge("dunlin_agent_ready", "Whether the process is ready.", s.ready ? 1 : 0);
  AddProbes(out, s.probes);
  if (s.started_at) {
    out.Gauge("dunlin_agent_start_time_seconds", "When the process was started.",
              Seconds(*s.started_at));
  }
  out.BeginCounter("dunlin_agent_restarts_total", "Restarts of the process, by cause.");
  for (auto cause : kRestartCauses) {
    out.Sample(s.restarts[static_cast<std::size_t>(cause)],
               {{"cause", std::string(RestartCauseName(cause))}});
  }
  out.Gauge("dunlin_agent_backoff_seconds", "Time until the process is started again.",
            s.backoff_seconds);
  if (s.last_exit) {
    out.Gauge("dunlin_agent_last_exit_code", "Exit code of the process, 128 + N for signal N.",
              s.last_exit->status.ShellCode());
    out.Gauge("dunlin_agent_last_exit_signal", "Signal that ended the process, or 0.",
              s.last_exit->status.signal);
  }
  AddForwardedSignals(out, s.signals_forwarded);
  out.Counter("dunlin_agent_orphans_reaped_total", "Descendants reaped in place of their parent.",
              s.orphans_reaped);
}

void AddTlsExpiry(Families& out, const Snapshot& s) {
  out.BeginGauge("dunlin_agent_tls_certificate_expiry_timestamp_seconds",
                 "When the first certificate of a TLS file ends, by connection and file.");
  for (const auto& [connection, ends] :
       {std::pair("control", s.control_tls_expiry), {"collector", s.collector_tls_expiry}}) {
    for (const auto& [file, end] : {std::pair("certificate", ends.certificate), {"ca", ends.ca}}) {
      if (end) {
        out.Sample(static_cast<double>(end->time_since_epoch().count()),
                   {{"connection", connection}, {"file", file}});
      }
    }
  }
}

void AddTlsFailures(Families& out, const Snapshot& s) {
  if (!s.control_tls_failures && !s.collector_tls_failures) return;
  out.BeginCounter("dunlin_agent_tls_failures_total",
                   "Handshakes that failed, by connection and kind.");
  for (const auto& [connection, failures] :
       {std::pair("control", s.control_tls_failures), {"collector", s.collector_tls_failures}}) {
    for (std::size_t i = 0; failures && i < kTlsFailures; ++i) {
      out.Sample((*failures)[i],
                 {{"connection", connection},
                  {"kind", std::string(TlsFailureName(static_cast<TlsFailure>(i)))}});
    }
  }
  AddTlsExpiry(out, s);
}

void AddAgent(Families& out, const Snapshot& s, const ProcessUsage& agent) {
  out.BeginGauge("dunlin_agent_build_info", "Version of the agent.");
  out.Sample(1, {{"version", DUNLIN_VERSION}});
  out.Gauge("dunlin_agent_listening", "Whether the control listener is bound.",
            s.listening ? 1 : 0);
  AddTlsFailures(out, s);
  out.Counter("process_cpu_seconds_total", "CPU time of the agent itself.", agent.cpu_seconds);
  out.Gauge("process_resident_memory_bytes", "Resident memory of the agent itself.",
            agent.resident_bytes);
  out.Gauge("dunlin_agent_anonymous_memory_bytes",
            "The part of it that is no file's: heap, stack, data written to.",
            agent.anonymous_bytes);
  out.Gauge("process_open_fds", "Open descriptors of the agent itself.", agent.open_descriptors);
  if (s.loop_lag) {
    out.AddHistogram("dunlin_agent_loop_lag_seconds", "How late the agent's timers fired.",
                     *s.loop_lag);
  }
  out.Gauge("process_start_time_seconds", "When the agent was started.",
            Seconds(s.agent_started_at));
}

}  // namespace

std::vector<wire::MetricFamily> MetricsOf(const Snapshot& snapshot, const ProcessUsage& agent,
                                          const CgroupUsage& container) {
  Families out;
  AddLogPath(out, snapshot);
  // Without a collector nothing is shipped, and nothing to be told of it.
  if (snapshot.collector_configured) {
    AddBatches(out, snapshot);
    AddConnection(out, snapshot);
    AddQueue(out, snapshot);
  }
  AddProcess(out, snapshot);
  AddCgroup(out, container);
  AddAgent(out, snapshot, agent);
  return std::move(out).Take();
}

}  // namespace dunlin::agent
