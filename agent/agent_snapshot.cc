// What the agent tells of itself.
#include <algorithm>
#include <chrono>

#include "agent/agent.h"
#include "agent/metrics.h"
#include "agent/process_usage.h"

namespace dunlin::agent {

Snapshot Agent::TakeSnapshot() const {
  Snapshot s;
  s.project = configuration_.project;
  s.service = configuration_.service;
  s.deployment = configuration_.deployment;
  s.container = configuration_.container;
  s.agent_id = ToHex(agent_id_);
  s.boot_id = ToHex(boot_id_);
  s.state = StateName(supervisor_.state());
  s.since = state_since_;
  s.pid = tree_ ? tree_->leader() : 0;
  s.ready = probes_.ready() && !draining_;
  s.draining = draining_;
  s.probes = probes_.Reports();
  if (auto exit = supervisor_.exit_status()) {
    s.last_exit = {*exit, supervisor_.out_of_memory(), ended_at_};
  }
  s.restarts = supervisor_.restarts();
  if (supervisor_.state() == Supervisor::State::kBackingOff) {
    const auto left = *supervisor_.deadline() - clock_.Steady();
    s.backoff_seconds = std::max(0.0, std::chrono::duration<double>(left).count());
  }
  s.started_at = started_at_;
  s.signals_forwarded = signals_forwarded_;
  s.orphans_reaped = orphans_reaped_;

  s.capture = terminal_.given()              ? CaptureMode::kTty
              : configuration_.merge_outputs ? CaptureMode::kMerged
                                             : CaptureMode::kPipe;
  s.lines = shipper_.Account();
  for (std::size_t i = 0; i < shipper::kOutputs; ++i) {
    s.captured_lines[i] = shipper_.batcher().captured()[i].lines;
  }
  const Captures::Totals captured = captures_.totals();
  s.captured_bytes = captured.bytes;
  s.reads = captured.reads;
  s.unread_bytes = captured.unread_bytes;
  s.blocked_seconds = std::chrono::duration<double>(captured.blocked_time).count();
  s.passthrough_dropped_bytes = captured.passthrough_dropped_bytes;
  s.dropped = shipper_.queue().dropped();
  s.fragmented_lines = shipper_.batcher().fragmented_lines();
  s.truncated_lines = shipper_.batcher().truncated_lines();
  s.batch_raw_bytes = shipper_.batch_raw_bytes();
  s.batch_wire_bytes = shipper_.batch_wire_bytes();
  s.acknowledged_batches = shipper_.queue().acknowledged_batches();
  s.rejected_batches = shipper_.queue().rejected_batches();
  s.queue_bytes = shipper_.queue().bytes();
  s.queue_limit_bytes = configuration_.memory_limit;
  s.reading_held = !shipper_.has_room();
  s.queue_batches = shipper_.queue().batches();
  if (const shipper::SpoolStatus* spool = shipper_.spool()) s.spool = *spool;
  s.spool_folder = configuration_.spool;
  s.spool_sync = configuration_.spool_sync;
  s.adopted = shipper_.adopted();
  if (auto oldest = shipper_.oldest_unsent()) {
    s.oldest_unsent_seconds = std::chrono::duration<double>(clock_.Steady() - *oldest).count();
  }
  if (const shipper::Sender* sender = shipper_.sender()) {
    s.collector_configured = true;
    s.collector_connected = sender->connected();
    s.collector = sender->peer();
    s.sender = sender->statistics();
    if (auto pause = sender->pause()) {
      s.paused_seconds = std::chrono::duration<double>(*pause).count();
    }
  }
  s.loop_lag = loop_.lag();
  s.listening = control_ && control_->listening();
  if (credentials_.listener_tls) {
    s.control_tls_failures = credentials_.listener_tls->failures();
    s.control_tls_expiry = credentials_.listener_tls->expiry();
  }
  if (credentials_.collector_tls) {
    s.collector_tls_failures = credentials_.collector_tls->failures();
    s.collector_tls_expiry = credentials_.collector_tls->expiry();
  }
  s.agent_started_at = agent_started_at_;
  return s;
}

std::vector<wire::MetricFamily> Agent::CollectMetrics() {
  CgroupUsage container;
  if (cgroup_) container = cgroup_->Read();
  oom_watch_.Note(container.oom_kills, clock_.Steady());
  return MetricsOf(TakeSnapshot(), ReadProcessUsage(), container);
}

}  // namespace dunlin::agent
