#include "agent/metrics.h"

#include <csignal>
#include <set>
#include <string>

#include "tests/agent/full_sample.h"
#include "tests/support/catch.h"

namespace dunlin::agent {
namespace {

Snapshot Sample() {
  Snapshot s;
  s.state = "running";
  s.pid = 42;
  s.ready = true;
  s.lines = {10, 4, 3, 0, 3};
  s.captured_lines = {9, 1};
  s.dropped[0] = {3, 30};
  s.collector_configured = true;
  return s;
}

using Metrics = std::vector<wire::MetricFamily>;

double Value(const Metrics& families, std::string_view name, const LabelSet& labels = {}) {
  for (const auto& family : families) {
    if (family.name != name) continue;
    for (const auto& sample : family.samples) {
      if (sample.labels == labels) return sample.value;
    }
  }
  FAIL("no sample " << name << labels.ToString());
  return 0;
}

bool Has(const Metrics& families, std::string_view name) {
  for (const auto& family : families) {
    if (family.name == name) return true;
  }
  return false;
}

TEST_CASE("the metrics of the conservation identity have their names", "[agent][metrics]") {
  auto families = MetricsOf(Sample(), {}, {});
  CHECK(Value(families, "dunlin_agent_lines_captured_total", {{"output", "stdout"}}) == 9);
  CHECK(Value(families, "dunlin_agent_lines_captured_total", {{"output", "stderr"}}) == 1);
  CHECK(Value(families, "dunlin_agent_lines_acknowledged_total") == 4);
  CHECK(Value(families, "dunlin_agent_lines_queued") == 3);
  CHECK(Value(families, "dunlin_agent_lines_spooled") == 0);
  CHECK(Value(families, "dunlin_agent_lines_dropped_total", {{"reason", "mem_full"}}) == 3);
  CHECK(Value(families, "process_cpu_seconds_total") == 0);
}

TEST_CASE("every count of the log path has its own value", "[agent][metrics]") {
  Snapshot s = Sample();
  s.captured_bytes = {900, 100};
  s.fragmented_lines = 21;
  s.truncated_lines = 22;
  s.reads = 23;
  s.unread_bytes = 24;
  s.blocked_seconds = 2.5;
  s.passthrough_dropped_bytes = 26;
  for (auto reason : shipper::kDropReasons) {
    const auto index = static_cast<std::size_t>(reason);
    s.dropped[index] = {100 + index, 1000 + index};
  }
  auto families = MetricsOf(s, {}, {});
  CHECK(Value(families, "dunlin_agent_bytes_total", {{"output", "stdout"}}) == 900);
  CHECK(Value(families, "dunlin_agent_bytes_total", {{"output", "stderr"}}) == 100);
  CHECK(Value(families, "dunlin_agent_partial_lines_total") == 21);
  CHECK(Value(families, "dunlin_agent_truncated_lines_total") == 22);
  CHECK(Value(families, "dunlin_agent_read_calls_total") == 23);
  CHECK(Value(families, "dunlin_agent_pipe_unread_bytes") == 24);
  CHECK(Value(families, "dunlin_agent_pipe_full_seconds_total") == 2.5);
  CHECK(Value(families, "dunlin_agent_passthrough_dropped_bytes_total") == 26);
  for (auto reason : shipper::kDropReasons) {
    const LabelSet label{{"reason", std::string(shipper::DropReasonName(reason))}};
    const auto index = static_cast<double>(reason);
    CHECK(Value(families, "dunlin_agent_lines_dropped_total", label) == 100 + index);
    CHECK(Value(families, "dunlin_agent_dropped_bytes_total", label) == 1000 + index);
  }
}

TEST_CASE("every count of the shipping has its own value", "[agent][metrics]") {
  Snapshot s = Sample();
  s.acknowledged_batches = 31;
  s.rejected_batches = 32;
  s.queue_bytes = 33;
  s.queue_batches = 34;
  s.oldest_unsent_seconds = 3.5;
  s.sender.batches_lost = 36;
  s.sender.bytes_sent = 37;
  s.sender.connections = 38;
  s.sender.sessions.batches_sent = 39;
  s.sender.sessions.batches_again = 40;
  s.sender.sessions.slow_downs = 41;
  s.sender.sessions.ack_latency.Observe(0.5);
  s.sender.sessions.ack_latency.Observe(60);
  s.batch_raw_bytes.Observe(1000);
  s.batch_wire_bytes.Observe(100);
  s.listening = true;
  auto families = MetricsOf(s, {}, {});
  CHECK(Value(families, "dunlin_agent_requests_total", {{"result", "acknowledged"}}) == 31);
  CHECK(Value(families, "dunlin_agent_requests_total", {{"result", "rejected"}}) == 32);
  CHECK(Value(families, "dunlin_agent_requests_total", {{"result", "lost"}}) == 36);
  CHECK(Value(families, "dunlin_agent_queue_bytes", {{"tier", "mem"}}) == 33);
  CHECK(Value(families, "dunlin_agent_queue_frames", {{"tier", "mem"}}) == 34);
  CHECK(Value(families, "dunlin_agent_queue_oldest_age_seconds") == 3.5);
  CHECK(Value(families, "dunlin_agent_sent_bytes_total") == 37);
  CHECK(Value(families, "dunlin_agent_reconnects_total") == 37);
  CHECK(Value(families, "dunlin_agent_batches_sent_total") == 39);
  CHECK(Value(families, "dunlin_agent_retries_total") == 40);
  CHECK(Value(families, "dunlin_agent_rate_limited_total") == 41);
  auto bucket = [&](std::string_view name, const char* bound) {
    return Value(families, name, {{"le", bound}});
  };
  CHECK(bucket("dunlin_agent_ack_latency_seconds", "0.25") == 0);
  CHECK(bucket("dunlin_agent_ack_latency_seconds", "0.5") == 1);
  CHECK(bucket("dunlin_agent_ack_latency_seconds", "30") == 1);
  CHECK(bucket("dunlin_agent_ack_latency_seconds", "+Inf") == 2);
  CHECK(bucket("dunlin_agent_batch_raw_bytes", "256") == 0);
  CHECK(bucket("dunlin_agent_batch_raw_bytes", "1024") == 1);
  CHECK(bucket("dunlin_agent_batch_wire_bytes", "256") == 1);
  CHECK(Value(families, "dunlin_agent_listening") == 1);
  CHECK(Value(families, "dunlin_agent_build_info", {{"version", DUNLIN_VERSION}}) == 1);
}

TEST_CASE("metrics keep the rules of their names", "[agent][metrics]") {
  std::set<std::string> names;
  for (const auto& family : MetricsOf(FullSample(), FullUsage(), FullContainer())) {
    CAPTURE(family.name);
    CHECK(names.insert(family.name).second);
    CHECK(family.name.starts_with("dunlin_agent_") + family.name.starts_with("process_") +
              family.name.starts_with("container_") ==
          1);
    CHECK_FALSE(family.help.empty());
    CHECK_FALSE(family.samples.empty());
    CHECK((family.type == "counter") == family.name.ends_with("_total"));
    std::set<std::pair<std::string, LabelSet>> series;
    for (const auto& sample : family.samples) {
      CHECK(series.emplace(sample.suffix, sample.labels).second);
      CHECK(sample.suffix.empty() == (family.type != "histogram"));
    }
  }
}

TEST_CASE("what is not known is absent, not zero", "[agent][metrics]") {
  auto families = MetricsOf(Sample(), {}, {});
  for (const auto& family : families) {
    CAPTURE(family.name);
    CHECK_FALSE(family.name.starts_with("container_"));
  }
  for (std::string_view name :
       {"process_resident_memory_bytes", "process_open_fds", "dunlin_agent_anonymous_memory_bytes",
        "dunlin_agent_last_exit_code", "dunlin_agent_last_exit_signal",
        "dunlin_agent_start_time_seconds", "dunlin_agent_backoff_seconds",
        "dunlin_agent_last_ack_seconds", "dunlin_agent_loop_lag_seconds"}) {
    CAPTURE(name);
    CHECK_FALSE(Has(families, name));
    CHECK(Has(MetricsOf(FullSample(), FullUsage(), FullContainer()), name));
  }
}

TEST_CASE("without a collector there is no shipping to tell of", "[agent][metrics]") {
  Snapshot s = FullSample();
  CHECK(Has(MetricsOf(s, {}, {}), "dunlin_agent_connected"));
  CHECK(Has(MetricsOf(s, {}, {}), "dunlin_agent_batch_wire_bytes"));
  s.collector_configured = false;
  CHECK_FALSE(Has(MetricsOf(s, {}, {}), "dunlin_agent_connected"));
  CHECK_FALSE(Has(MetricsOf(s, {}, {}), "dunlin_agent_batch_wire_bytes"));
  CHECK(Has(MetricsOf(s, {}, {}), "dunlin_agent_lines_queued"));
}

TEST_CASE("a limit that is not set has no series", "[agent][metrics]") {
  CgroupUsage usage = FullContainer();
  CHECK(Value(MetricsOf(Sample(), {}, usage), "container_spec_memory_limit_bytes") == 268435456);
  CHECK(Value(MetricsOf(Sample(), {}, usage), "container_threads_max") == 512);
  usage.memory_limit_bytes.reset();
  usage.threads_limit.reset();
  CHECK_FALSE(Has(MetricsOf(Sample(), {}, usage), "container_spec_memory_limit_bytes"));
  CHECK_FALSE(Has(MetricsOf(Sample(), {}, usage), "container_threads_max"));
}

TEST_CASE("the container's usage has the names cAdvisor gives it", "[agent][metrics]") {
  auto families = MetricsOf(Sample(), {}, FullContainer());
  CHECK(Value(families, "container_cpu_usage_seconds_total") == 12.345678);
  CHECK(Value(families, "container_cpu_cfs_throttled_seconds_total") == 2.25);
  CHECK(Value(families, "container_memory_working_set_bytes") == 157286400 - 61079552);
  CHECK(Value(families, "container_memory_rss") == 48234496);
  CHECK(Value(families, "container_memory_cache") == 91226112);
  CHECK(Value(families, "container_memory_max_usage_bytes") == 201326592);
  CHECK(Value(families, "container_oom_events_total") == 2);
  CHECK(Value(families, "container_threads") == 17);
  CHECK(Value(families, "container_fs_writes_bytes_total", {{"device", "/dev/sda"}}) == 2097152);
  CHECK(Value(families, "container_pressure_memory_stalled_seconds_total") == 0.06025);
}

TEST_CASE("restarts and signals are told by cause and name", "[agent][metrics]") {
  Snapshot s = Sample();
  s.restarts[static_cast<std::size_t>(RestartCause::kOom)] = 2;
  s.signals_forwarded[SIGTERM] = 1;
  s.signals_forwarded[SIGWINCH] = 7;
  s.signals_forwarded[static_cast<std::size_t>(SIGRTMIN) + 3] = 1;
  auto families = MetricsOf(s, {}, {});
  CHECK(Value(families, "dunlin_agent_restarts_total", {{"cause", "oom"}}) == 2);
  CHECK(Value(families, "dunlin_agent_restarts_total", {{"cause", "exit"}}) == 0);
  CHECK(Value(families, "dunlin_agent_forwarded_signals_total", {{"sig", "TERM"}}) == 1);
  CHECK(Value(families, "dunlin_agent_forwarded_signals_total", {{"sig", "HUP"}}) == 0);
  CHECK(Value(families, "dunlin_agent_forwarded_signals_total", {{"sig", "WINCH"}}) == 7);
  CHECK(Value(families, "dunlin_agent_forwarded_signals_total", {{"sig", "RTMIN+3"}}) == 1);
}

}  // namespace
}  // namespace dunlin::agent
