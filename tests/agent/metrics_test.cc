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
