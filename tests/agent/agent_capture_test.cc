// From the process's write to the collector's disk, through the real agent.
#include <algorithm>
#include <cstdint>
#include <fstream>
#include <string>
#include <vector>

#include "protocol/wire/exposition.h"
#include "tests/agent/agent_run.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

namespace dunlin {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using testing::AgentRun;
using wire::Output;

/// A file of `text` in a folder of its own.
struct Sample {
  explicit Sample(const std::string& text) : path(folder.path() + "/sample") {
    std::ofstream(path, std::ios::binary) << text;
  }
  testing::TempDir folder;
  std::string path;
};

std::string Noise(std::size_t lines, std::size_t line_bytes = 99) {
  std::string text;
  std::uint64_t state = 88172645463325252U;
  for (std::size_t i = 0; i < lines; ++i) {
    for (std::size_t b = 0; b < line_bytes; ++b) {
      state = state * 6364136223846793005U + 1442695040888963407U;
      text.push_back(static_cast<char>('!' + (state >> 33) % 90));
    }
    text.push_back('\n');
  }
  return text;
}

double Sum(const std::string& metrics, std::initializer_list<const char*> series) {
  double sum = 0;
  for (const char* one : series) sum += AgentRun::Metric(metrics, one);
  return sum;
}

/// captured = acknowledged + queued + spooled + dropped.
void CheckIdentity(const std::string& metrics) {
  double captured = Sum(metrics, {"dunlin_agent_lines_captured_total{output=\"stdout\"}",
                                  "dunlin_agent_lines_captured_total{output=\"stderr\"}"});
  double accounted = Sum(metrics, {"dunlin_agent_lines_acknowledged_total",
                                   "dunlin_agent_lines_queued", "dunlin_agent_lines_spooled",
                                   "dunlin_agent_lines_dropped_total{reason=\"mem_full\"}",
                                   "dunlin_agent_lines_dropped_total{reason=\"rejected\"}",
                                   "dunlin_agent_lines_dropped_total{reason=\"shutdown\"}",
                                   "dunlin_agent_lines_dropped_total{reason=\"no_collector\"}",
                                   "dunlin_agent_lines_dropped_total{reason=\"rate_limit\"}"});
  CHECK(captured == accounted);
}

TEST_CASE("any bytes arrive, and pass through, as they were written", "[agent][capture]") {
  std::string text = GENERATE(
      as<std::string>{}, "one line\n", "no newline", "\n", "\n\n\nthree empty\n",
      "nul \0 and \xFF \xC3\x28 \xED\xA0\x80\r\r\n\x1B[31mred\n"s, Noise(3000), Noise(10, 200'000),
      Noise(1, 256 * 1024), Noise(3, 256 * 1024 + 1), Noise(2, 1024 * 1024));
  Sample sample(text);
  AgentRun run;
  run.Start({"cat", sample.path});
  CHECK(run.Wait() == 0);
  CHECK((run.collector.Text(Output::kStdout) == text));
  // More than the backlog may be dropped on the way through: that never blocks.
  if (text.size() <= 256 * 1024) CHECK((run.out == text));
  CHECK_FALSE(run.collector.failed());
}

TEST_CASE("writes of one byte each make the lines they spell", "[agent][capture]") {
  AgentRun run;
  run.StartWorkload({"bytes"});
  CHECK(run.Wait() == 0);
  std::string want;
  for (int i = 0; i < 3 * 256; ++i) want.push_back(static_cast<char>(i));
  CHECK((run.collector.Text(Output::kStdout) == want));
}

TEST_CASE("a line of 5 MiB is cut at 1 MiB and keeps its length", "[agent][capture]") {
  const std::string before = Noise(5);
  Sample sample(before + Noise(1, 5 << 20) + "after\n");
  AgentRun run;
  run.Start({"cat", sample.path});
  CHECK(run.Wait() == 0);
  const auto& entries = run.collector.entries;
  REQUIRE(entries.size() == 5 + 4 + 1);
  std::size_t kept = 0;
  for (std::size_t i = 5; i < 9; ++i) kept += entries[i].line.size();
  CHECK(kept == 1 << 20);
  CHECK(entries[8].mark.truncated_bytes == 5 << 20);
  CHECK(entries[9].line == "after");
}

TEST_CASE("the last bytes of a killed process are shipped, marked as unfinished",
          "[agent][capture]") {
  AgentRun run;
  run.Start({"/bin/sh", "-c", "printf 'whole\\nhalf'; kill -9 $$"});
  CHECK(run.Wait() == 137);
  REQUIRE(run.collector.entries.size() == 2);
  CHECK(run.collector.entries[1].line == "half");
  CHECK(run.collector.entries[1].mark.unterminated);
}

TEST_CASE("the outputs are told apart and each keeps its order", "[agent][capture]") {
  AgentRun run;
  run.StartWorkload({"outputs", "2000"});
  CHECK(run.Wait() == 0);
  std::string even;
  std::string odd;
  for (int i = 0; i < 2000; ++i) (i % 2 == 0 ? even : odd) += std::to_string(i) + "\n";
  CHECK(run.collector.Text(Output::kStdout) == even);
  CHECK(run.collector.Text(Output::kStderr) == odd);
  CHECK(run.out == even);
  CHECK(run.err == odd);
}

TEST_CASE("merged outputs keep their common order", "[agent][capture]") {
  AgentRun run;
  run.flags.push_back("--merge-outputs");
  run.StartWorkload({"outputs", "2000"});
  CHECK(run.Wait() == 0);
  std::string all;
  for (int i = 0; i < 2000; ++i) all += std::to_string(i) + "\n";
  CHECK(run.collector.Text(Output::kStdout) == all);
}

TEST_CASE("the last metrics account for everything", "[agent][capture]") {
  AgentRun run;
  run.StartWorkload({"lines", "1000"});
  CHECK(run.Wait() == 0);
  run.RunUntil([&] { return run.collector.connections() == 0; });
  REQUIRE(run.collector.metrics.size() >= 2);
  std::string text = "\n";
  wire::AppendExposition(text, run.collector.metrics.back().families);
  CheckIdentity(text);
  CHECK(AgentRun::Metric(text, "dunlin_agent_lines_acknowledged_total") == 1000);
  CHECK(AgentRun::Metric(text, "dunlin_agent_process_up") == 0);
}

TEST_CASE("a line is shipped while the process runs, without another one", "[agent][capture]") {
  AgentRun run;
  run.StartWorkload({"wait"});
  run.RunUntil([&] { return run.collector.durable_lines() == 1; });
  run.Signal(SIGTERM);
  run.Wait();
}

TEST_CASE("times rise strictly, whatever the outputs", "[agent][capture]") {
  AgentRun run;
  run.StartWorkload({"outputs", "5000"});
  run.Wait();
  const auto& entries = run.collector.entries;
  REQUIRE(entries.size() == 5000);
  CHECK(std::adjacent_find(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
          return a.time_ns >= b.time_ns;
        }) == entries.end());
}

TEST_CASE("many small writes at a high rate become few reads", "[agent][capture]") {
  testing::TempDir folder;
  const std::string took = folder.path() + "/took";
  AgentRun run;
  run.flags.insert(run.flags.end(), {"--passthrough", "off"});
  run.collector.decode = false;
  run.StartWorkload({"write-at-rate", "2", took});
  CHECK(run.Wait() == 0);
  run.RunUntil([&] { return run.collector.connections() == 0; });
  REQUIRE_FALSE(run.collector.metrics.empty());
  std::string text = "\n";
  wire::AppendExposition(text, run.collector.metrics.back().families);
  CHECK(AgentRun::Metric(text, "dunlin_agent_bytes_total{output=\"stdout\"}") == 100'000'000);
  // Half a pipe at a time is about 560 reads a second; without a pause there are hundreds of
  // thousands. On a loaded machine it takes longer, so the rate is what counts.
  double nanoseconds = 0;
  std::ifstream(took) >> nanoseconds;
  CHECK(nanoseconds >= 2e9);
  CHECK(AgentRun::Metric(text, "dunlin_agent_read_calls_total") < 600 * nanoseconds / 1e9);
}

TEST_CASE("a pipe that may not grow is read at its size", "[agent][capture]") {
  const std::string text = Noise(100'000);  // 10 MB as fast as they are read
  Sample sample(text);
  AgentRun run;
  run.launcher = {DUNLIN_CONFINE_BINARY, "refuse=EPERM:setpipe_sz", "--"};
  run.flags.insert(run.flags.end(), {"--memory-limit", "64MiB", "--passthrough", "off"});
  run.Start({"cat", sample.path});
  const int code = run.Wait();
  if (run.NotPossibleHere()) return;
  CHECK(code == 0);
  CHECK((run.collector.Text(Output::kStdout) == text));
  CHECK(run.err.empty());
}

TEST_CASE("every scrape accounts for every line", "[agent][capture]") {
  Sample sample(Noise(100'000));
  AgentRun run;
  run.flags.insert(run.flags.end(), {"--memory-limit", "1MiB", "--passthrough", "off"});
  run.collector.acknowledge = GENERATE(true, false);
  run.Start({"/bin/sh", "-c", "for i in 1 2 3; do cat '" + sample.path + "'; done; sleep 60"});
  for (int scrapes = 0; scrapes < 30; ++scrapes) CheckIdentity(run.Get("/metrics"));
  run.RunUntil([&] {
    std::string metrics = run.Get("/metrics");
    CheckIdentity(metrics);
    return AgentRun::Metric(metrics, "dunlin_agent_lines_captured_total{output=\"stdout\"}") ==
           300'000;
  });
  // What the collector was sent agrees with itself too.
  REQUIRE_FALSE(run.collector.metrics.empty());
  run.Signal(SIGKILL);
}

TEST_CASE("output beyond the rate limit is dropped, counted and marked", "[agent][capture]") {
  AgentRun run;
  run.flags.insert(run.flags.end(), {"--rate-limit", "20kB/s"});
  run.StartWorkload({"lines", "5000"});
  CHECK(run.Wait() == 0);
  CHECK(run.out.ends_with("line 4999 of some length\n"));
  std::uint64_t marked = 0;
  for (const auto& gap : run.collector.gaps) {
    CHECK(gap.reason == "rate_limit");
    marked += gap.lines;
  }
  CHECK(marked > 0);
  CHECK(run.collector.entries.size() + marked == 5000);
}

TEST_CASE("block: the process waits while the collector is away, and nothing is lost",
          "[agent][capture]") {
  const std::string text = Noise(150'000);  // 15 MB that do not compress well
  Sample sample(text);
  AgentRun run;
  run.flags.insert(run.flags.end(), {"--memory-limit", "1MiB", "--when-full", "block"});
  run.collector.acknowledge = false;
  run.collector.keep = false;
  run.Start({"cat", sample.path});
  run.RunUntil([&] {
    return AgentRun::Metric(run.Get("/metrics"), "dunlin_agent_queue_bytes{tier=\"mem\"}") > 7e5;
  });
  const std::string metrics = run.Get("/metrics");
  CHECK(AgentRun::Metric(metrics, "dunlin_agent_process_up") == 1);
  CHECK(AgentRun::Metric(metrics, "dunlin_agent_queue_bytes{tier=\"mem\"}") < 1.5e6);
  CHECK(AgentRun::Metric(metrics, "dunlin_agent_bytes_total{output=\"stdout\"}") < 5e6);
  run.collector.keep = true;
  run.collector.acknowledge = true;
  run.collector.Cut();
  CHECK(run.Wait() == 0);
  CHECK((run.collector.Text(Output::kStdout) == text));
  CHECK(run.collector.gaps.empty());
}

TEST_CASE("connections that break all the time lose nothing and store nothing twice",
          "[agent][capture]") {
  const std::string text = Noise(40'000);
  Sample sample(text);
  AgentRun run;
  run.flags.insert(run.flags.end(), {"--when-full", "block"});
  int arrived = 0;
  run.collector.on_batch = [&](const testing::ScriptedCollector::Batch&) {
    if (++arrived % 9 != 0) return false;
    run.collector.Cut();
    return true;
  };
  run.Start({"cat", sample.path});
  CHECK(run.Wait() == 0);
  CHECK((run.collector.Text(Output::kStdout) == text));
  CHECK(run.collector.hellos.size() > 2);
}

}  // namespace
}  // namespace dunlin
