#include "agent/snapshot.h"

#include <algorithm>
#include <set>
#include <string>

#include "tests/support/catch.h"

namespace dunlin::agent {
namespace {

Snapshot Sample() {
  Snapshot s;
  s.project = "p";
  s.service = "web";
  s.deployment = "7";
  s.container = "c-1";
  s.boot_id = "ab";
  s.state = "running";
  s.since = LogTimeOf(1'767'225'600'000'000'000);
  s.pid = 42;
  s.ready = true;
  s.lines = {10, 4, 3, 0, 3};
  s.captured_lines = {9, 1};
  s.dropped[0] = {3, 30};
  s.collector_configured = true;
  return s;
}

double Value(const std::vector<wire::MetricFamily>& families, std::string_view name,
             const LabelSet& labels = {}) {
  for (const auto& family : families) {
    if (family.name != name) continue;
    for (const auto& sample : family.samples) {
      if (sample.labels == labels) return sample.value;
    }
  }
  FAIL("no sample " << name << labels.ToString());
  return 0;
}

TEST_CASE("the metrics of the conservation identity have their names", "[agent][metrics]") {
  auto families = MetricsOf(Sample());
  CHECK(Value(families, "dunlin_agent_lines_captured_total", {{"output", "stdout"}}) == 9);
  CHECK(Value(families, "dunlin_agent_lines_captured_total", {{"output", "stderr"}}) == 1);
  CHECK(Value(families, "dunlin_agent_lines_acknowledged_total") == 4);
  CHECK(Value(families, "dunlin_agent_lines_queued") == 3);
  CHECK(Value(families, "dunlin_agent_lines_spooled") == 0);
  CHECK(Value(families, "dunlin_agent_lines_dropped_total", {{"reason", "mem_full"}}) == 3);
  CHECK(Value(families, "process_cpu_seconds_total") == 0);
}

TEST_CASE("metrics keep the rules of their names", "[agent][metrics]") {
  Snapshot s = Sample();
  s.last_exit = net::ExitStatus{.signal = 9};
  s.started_at = s.since;
  s.usage.resident_bytes = 1;
  s.usage.open_descriptors = 1;
  std::set<std::string> names;
  for (const auto& family : MetricsOf(s)) {
    CAPTURE(family.name);
    CHECK(names.insert(family.name).second);
    CHECK(family.name.starts_with("dunlin_agent_") + family.name.starts_with("process_") == 1);
    CHECK_FALSE(family.help.empty());
    CHECK_FALSE(family.samples.empty());
    CHECK((family.type == "counter") == family.name.ends_with("_total"));
  }
}

TEST_CASE("what is not known is absent, not zero", "[agent][metrics]") {
  for (const auto& family : MetricsOf(Sample())) {
    CHECK(family.name != "process_resident_memory_bytes");
    CHECK(family.name != "dunlin_agent_last_exit_code");
  }
}

TEST_CASE("the status says who, how and where the lines are", "[agent][status]") {
  const std::string body = StatusDocument(Sample());
  for (std::string_view part : {R"("project":"p")",
                                R"("service":"web")",
                                R"("deployment":"7")",
                                R"("container":"c-1")",
                                R"("boot_id":"ab")",
                                R"("state":"running")",
                                R"("since":"2026-01-01T00:00:00.000000000Z")",
                                R"("pid":42)",
                                R"("ready":true)",
                                R"("restarts":0)",
                                R"("last_exit":null)",
                                R"("captured":10)",
                                R"("acknowledged":4)",
                                R"("queued":3)",
                                R"("spooled":0)",
                                R"("dropped":3)",
                                R"("mem_full":3)",
                                R"("collector_connected":false)",
                                R"("oldest_unsent_seconds":0)",
                                R"("last_error":null)"}) {
    CAPTURE(part, body);
    CHECK(body.find(part) != std::string::npos);
  }
  Snapshot ended = Sample();
  ended.pid = 0;
  ended.last_exit = net::ExitStatus{.signal = 9};
  CHECK(StatusDocument(ended).find(R"("last_exit":{"code":137,"signal":9})") != std::string::npos);
  CHECK(StatusDocument(ended).find(R"("pid":null)") != std::string::npos);
}

}  // namespace
}  // namespace dunlin::agent
