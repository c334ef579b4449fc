#pragma once

#include <csignal>

#include "agent/cgroup.h"
#include "agent/process_usage.h"
#include "agent/snapshot.h"

namespace dunlin::agent {

/// A snapshot in which everything is known, so that every metric exists.
inline Snapshot FullSample() {
  Snapshot s;
  s.state = "running";
  s.pid = 42;
  s.ready = true;
  s.started_at = s.since;
  s.last_exit = LastExit{.status = {.signal = SIGKILL}, .oom = true};
  s.backoff_seconds = 1;
  s.probes.emplace_back();
  s.probes[0].check = "ready";
  s.probes[0].status = ProbePolicy::Status::kPassing;
  s.probes[0].last_duration_seconds = 0.003;
  s.collector_configured = true;
  s.collector_connected = true;
  s.sender.last_ack = s.since;
  s.loop_lag = shipper::SessionStatistics().ack_latency;
  s.control_tls_failures.emplace();
  s.collector_tls_failures.emplace();
  s.control_tls_expiry = {std::chrono::sys_seconds{}, std::chrono::sys_seconds{}};
  s.spool.emplace().errors[28] = 1;
  s.adopted.emplace();
  return s;
}

inline ProcessUsage FullUsage() {
  return {.cpu_seconds = 1, .resident_bytes = 2, .anonymous_bytes = 1, .open_descriptors = 4};
}

inline CgroupUsage FullContainer() {
  return Cgroup(DUNLIN_SOURCE_DIR "/tests/agent/data/cgroup-v2").Read();
}

}  // namespace dunlin::agent
