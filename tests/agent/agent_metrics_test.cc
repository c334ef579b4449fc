// The values of the agent's metrics in real runs, against what the other side saw.
#include <cstdint>
#include <fstream>
#include <string>

#include "protocol/wire/exposition.h"
#include "protocol/wire/messages.h"
#include "tests/agent/agent_run.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

namespace dunlin {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using testing::AgentRun;
using wire::Output;

constexpr std::size_t kFragmentBytes = 256 * 1024;

/// A process that prints this.
void StartPrinting(AgentRun& run, const testing::TempDir& folder, const std::string& text,
                   const std::string& then = "true") {
  const std::string file = folder.path() + "/text";
  std::ofstream(file, std::ios::binary) << text;
  run.Start({"/bin/sh", "-c", "cat " + file + "; " + then});
}

/// What the agent told the collector about itself at its end.
std::string LastMetrics(AgentRun& run) {
  run.RunUntil([&] { return run.collector.connections() == 0; });
  REQUIRE_FALSE(run.collector.metrics.empty());
  std::string text = "\n";
  wire::AppendExposition(text, run.collector.metrics.back().families);
  return text;
}

double OfStdout(const std::string& metrics, const std::string& name) {
  return AgentRun::Metric(metrics, name + "{output=\"stdout\"}");
}

TEST_CASE("any bytes are counted as bytes and lines", "[agent][metrics]") {
  struct Text {
    std::string text;
    double lines;
    double fragmented = 0;
    double truncated = 0;
  };
  const auto text = GENERATE(values<Text>({
      {"one\n", 1},
      {"no newline", 1},
      {"\n\n\nthree empty\n", 4},
      {"nul \0 and \xFF \xC3\x28 \xED\xA0\x80\r\r\n\x1B[31mred\n\r\n\r"s, 4},
      {"last of nul \n\0"s, 2},
      {std::string(kFragmentBytes, 'x') + "\n", 1},
      {std::string(kFragmentBytes + 1, 'x') + "\nafter\n", 3, 1},
      {std::string(3 << 20, 'x') + "\n", 4, 1, 1},
  }));
  CAPTURE(text.text.size(), text.text.substr(0, 20));
  testing::TempDir folder;
  AgentRun run;
  StartPrinting(run, folder, text.text);
  CHECK(run.Wait() == 0);
  const std::string metrics = LastMetrics(run);
  CHECK(OfStdout(metrics, "dunlin_agent_bytes_total") == static_cast<double>(text.text.size()));
  CHECK(OfStdout(metrics, "dunlin_agent_lines_captured_total") == text.lines);
  CHECK(AgentRun::Metric(metrics, "dunlin_agent_lines_acknowledged_total") == text.lines);
  CHECK(AgentRun::Metric(metrics, "dunlin_agent_partial_lines_total") == text.fragmented);
  CHECK(AgentRun::Metric(metrics, "dunlin_agent_truncated_lines_total") == text.truncated);
  CHECK(static_cast<double>(run.collector.entries.size()) == text.lines);
}

TEST_CASE("what was sent is counted as the collector received it", "[agent][metrics]") {
  AgentRun run;
  run.StartWorkload({"lines", "5000"});
  CHECK(run.Wait() == 0);
  const std::string metrics = LastMetrics(run);
  const auto& arrivals = run.collector.arrivals;
  double frame_bytes = 0;
  for (const auto& batch : arrivals) {
    frame_bytes += static_cast<double>(batch.payload.size() + wire::kFrameHeaderBytes);
  }
  double line_bytes = 0;
  for (const auto& entry : run.collector.entries) {
    line_bytes += static_cast<double>(entry.line.size() + 1);  // with its newline
  }
  const auto batches = static_cast<double>(arrivals.size());
  CHECK(AgentRun::Metric(metrics, "dunlin_agent_batches_sent_total") == batches);
  CHECK(AgentRun::Metric(metrics, "dunlin_agent_requests_total{result=\"acknowledged\"}") ==
        batches);
  CHECK(AgentRun::Metric(metrics, "dunlin_agent_sent_bytes_total") == frame_bytes);
  CHECK(AgentRun::Metric(metrics, "dunlin_agent_batch_wire_bytes_sum") == frame_bytes);
  CHECK(AgentRun::Metric(metrics, "dunlin_agent_batch_raw_bytes_sum") == line_bytes);
  CHECK(AgentRun::Metric(metrics, "dunlin_agent_batch_raw_bytes_count") == batches);
  CHECK(AgentRun::Metric(metrics, "dunlin_agent_ack_latency_seconds_count") == batches);
  CHECK(AgentRun::Metric(metrics, "dunlin_agent_ack_latency_seconds_bucket{le=\"+Inf\"}") ==
        batches);
  CHECK(AgentRun::Metric(metrics, "dunlin_agent_ack_latency_seconds_sum") > 0);
}

TEST_CASE("lines dropped by the rate limit are counted as their markers say", "[agent][metrics]") {
  AgentRun run;
  run.flags.insert(run.flags.end(), {"--rate-limit", "20kB/s"});
  run.StartWorkload({"lines", "5000"});
  CHECK(run.Wait() == 0);
  const std::string metrics = LastMetrics(run);
  double lines = 0;
  double bytes = 0;
  for (const auto& gap : run.collector.gaps) {
    lines += static_cast<double>(gap.lines);
    bytes += static_cast<double>(gap.bytes);
  }
  CHECK(lines > 0);
  CHECK(AgentRun::Metric(metrics, "dunlin_agent_lines_dropped_total{reason=\"rate_limit\"}") ==
        lines);
  CHECK(AgentRun::Metric(metrics, "dunlin_agent_dropped_bytes_total{reason=\"rate_limit\"}") ==
        bytes);
}

TEST_CASE("what waits for a collector shows as frames, bytes and age", "[agent][metrics]") {
  AgentRun run;
  run.collector.acknowledge = run.collector.keep = false;
  run.StartWorkload({"wait"});
  std::string metrics;
  run.RunUntil([&] {
    metrics = run.Get("/metrics");
    return AgentRun::Metric(metrics, "dunlin_agent_queue_frames{tier=\"mem\"}") == 1;
  });
  CHECK(AgentRun::Metric(metrics, "dunlin_agent_queue_bytes{tier=\"mem\"}") > 0);
  CHECK(AgentRun::Metric(metrics, "dunlin_agent_lines_queued") == 1);
  const double age = AgentRun::Metric(metrics, "dunlin_agent_queue_oldest_age_seconds");
  CHECK(age > 0);
  run.RunUntil([&] {
    metrics = run.Get("/metrics");
    return AgentRun::Metric(metrics, "dunlin_agent_queue_oldest_age_seconds") > age;
  });
  run.collector.keep = run.collector.acknowledge = true;
  run.collector.Cut();
  run.RunUntil([&] {
    metrics = run.Get("/metrics");
    return AgentRun::Metric(metrics, "dunlin_agent_queue_frames{tier=\"mem\"}") == 0;
  });
  CHECK(AgentRun::Metric(metrics, "dunlin_agent_queue_oldest_age_seconds") == 0);
  CHECK(AgentRun::Metric(metrics, "dunlin_agent_queue_bytes{tier=\"mem\"}") == 0);
}

TEST_CASE("a process that waits in its write shows as unread bytes and time", "[agent][metrics]") {
  testing::TempDir folder;
  AgentRun run;
  run.flags.insert(run.flags.end(),
                   {"--memory-limit", "1MiB", "--when-full", "block", "--passthrough", "off"});
  run.collector.acknowledge = run.collector.keep = run.collector.decode = false;
  // Noise, which does not become smaller.
  run.Start({"/bin/sh", "-c", "while :; do head -c 65536 /dev/urandom; done"});
  std::string metrics;
  run.RunUntil([&] {
    metrics = run.Get("/metrics");
    return AgentRun::Metric(metrics, "dunlin_agent_pipe_full_seconds_total") > 0 &&
           AgentRun::Metric(metrics, "dunlin_agent_pipe_unread_bytes") >= 65536;
  });
  const double held = AgentRun::Metric(metrics, "dunlin_agent_pipe_full_seconds_total");
  run.RunUntil([&] {
    metrics = run.Get("/metrics");
    return AgentRun::Metric(metrics, "dunlin_agent_pipe_full_seconds_total") > held;
  });
  CHECK(run.Get("/v1/status").find("\"reading_held\":true") != std::string::npos);
  run.Signal(SIGKILL);
}

TEST_CASE("a pause that the collector asks for is counted", "[agent][metrics]") {
  AgentRun run;
  run.StartWorkload({"wait"});
  CHECK(AgentRun::Metric(run.Get("/metrics"), "dunlin_agent_rate_limited_total") == 0);
  run.collector.Send(wire::FrameType::kSlowDown, wire::Encode(wire::SlowDown{50, "busy"}));
  run.collector.Send(wire::FrameType::kSlowDown, wire::Encode(wire::SlowDown{50, "busy"}));
  run.RunUntil([&] {
    return AgentRun::Metric(run.Get("/metrics"), "dunlin_agent_rate_limited_total") == 2;
  });
}

TEST_CASE("whether the control listener is bound, and which agent it is", "[agent][metrics]") {
  const bool taken = GENERATE(false, true);
  AgentRun run;
  if (taken) run.flags[3] = run.collector.address().ToString();
  run.StartWorkload({"lines", "1"});  // which brings the connection about
  CHECK(run.Wait() == 0);
  const std::string metrics = LastMetrics(run);
  CHECK(AgentRun::Metric(metrics, "dunlin_agent_listening") == (taken ? 0 : 1));
  CHECK(AgentRun::Metric(metrics, "dunlin_agent_build_info{version=\"" DUNLIN_VERSION "\"}") == 1);
}

TEST_CASE("a line of 5 MiB leaves the agent's memory within its bound", "[agent][capture]") {
  testing::TempDir folder;
  AgentRun run;
  StartPrinting(run, folder, "before\n" + std::string(5 << 20, 'x') + "\nafter\n", "sleep 600");
  run.RunUntil([&] { return run.collector.durable_lines() == 1 + 4 + 1; });
  std::ifstream status("/proc/" + std::to_string(run.pid) + "/status");
  std::string word;
  double peak_kib = 0;
  while (status >> word) {
    if (word == "VmHWM:") status >> peak_kib;
  }
  CHECK(peak_kib > 0);
  INFO("peak of " << peak_kib << " KiB");
  if (testing::kMemoryIsReal) CHECK(peak_kib <= 8 * 1024);
  run.Signal(SIGTERM);
  CHECK(run.Wait() == 143);
}

}  // namespace
}  // namespace dunlin
