// The end of a process's output: what it wrote last arrives, however it ended.
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <fstream>
#include <string>
#include <string_view>

#include "protocol/base/rfc3339.h"
#include "tests/agent/agent_run.h"
#include "tests/agent/numbered_lines.h"
#include "tests/agent/processes.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

namespace dunlin {
namespace {

using namespace std::chrono_literals;
using testing::AgentRun;
using testing::ChildrenOf;
using testing::kNumberedLineBytes;
using testing::Lives;
using testing::NumberedLines;
using wire::Output;

bool Has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

/// All that a process can print stays in memory, however slow the collector is.
void HoldAll(AgentRun& run) {
  run.flags.insert(run.flags.end(), {"--memory-limit", "64MiB", "--passthrough", "off"});
}

/// As many lines of `want`, and the rest as one that did not end.
void CheckLastEntry(const AgentRun& run, const std::string& want) {
  const auto& entries = run.collector.entries;
  const std::size_t rest = want.size() % kNumberedLineBytes;
  REQUIRE(entries.size() == want.size() / kNumberedLineBytes + (rest > 0 ? 1 : 0));
  CHECK(entries.back().mark.unterminated == (rest > 0));
  if (rest > 0) CHECK(entries.back().line == want.substr(want.size() - rest));
  CHECK(std::count_if(entries.begin(), entries.end(),
                      [](const auto& entry) { return entry.mark.unterminated; }) <= 1);
}

TEST_CASE("the line of a process that ends at once is shipped every time", "[agent][capture]") {
  for (int i = 0; i < 30; ++i) {
    AgentRun run;
    run.StartWorkload({"lines", "1"});
    CHECK(run.Wait() == 0);
    REQUIRE(run.collector.Text(Output::kStdout) == "line 0 of some length\n");
  }
}

TEST_CASE("every run of a process that is started again and again ships its line",
          "[agent][capture]") {
  constexpr int kRuns = 200;
  testing::TempDir folder;
  AgentRun run;
  run.flags.insert(run.flags.end(), {"--restart", "on-failure", "--restart-limit", "0",
                                     "--restart-delay", "1ms", "--restart-max-delay", "1ms"});
  run.Start({"/bin/sh", "-c",
             "cd " + folder.path() +
                 "; read n < n || n=0; echo $((n + 1)) > n; echo run $n; [ $n -ge " +
                 std::to_string(kRuns) + " ]"});
  CHECK(run.Wait() == 0);
  std::string want;
  for (int i = 0; i <= kRuns; ++i) want += "run " + std::to_string(i) + "\n";
  CHECK(run.collector.Text(Output::kStdout) == want);
  CHECK(run.out == want);
}

TEST_CASE("all of 10 MB is shipped of a process that SIGKILL ends with its last byte",
          "[agent][capture]") {
  AgentRun run;
  HoldAll(run);
  run.StartWorkload({"write-and-die", "10"});
  CHECK(run.Wait() == 137);
  const std::string want = NumberedLines(10'000'000 + kNumberedLineBytes / 2);
  CHECK((run.collector.Text(Output::kStdout) == want));
  CheckLastEntry(run, want);
}

TEST_CASE("every byte that a killed process managed to write is shipped", "[agent][capture]") {
  testing::TempDir folder;
  const std::string file = folder.path() + "/taken";
  auto taken = [&] {
    std::uint64_t bytes = 0;
    std::ifstream(file, std::ios::binary).read(reinterpret_cast<char*>(&bytes), sizeof bytes);
    return bytes;
  };
  AgentRun run;
  HoldAll(run);
  run.StartWorkload({"write-until-killed", "200", file});
  run.RunUntil([&] { return taken() >= 10'000'000; });
  const auto children = ChildrenOf(run.pid);
  REQUIRE(children.size() == 1);
  REQUIRE(kill(children[0], SIGKILL) == 0);
  CHECK(run.Wait() == 137);
  const std::string got = run.collector.Text(Output::kStdout);
  CHECK(got.size() >= taken());
  CHECK((got == NumberedLines(got.size())));
  CheckLastEntry(run, got);
}

TEST_CASE("the end of the process is told while a descendant holds its outputs",
          "[agent][capture]") {
  const bool silent = GENERATE(true, false);
  AgentRun run;
  run.flags.insert(run.flags.end(), {"--stop-grace", "120s"});
  run.Start({"/bin/sh", "-c",
             std::string("sh -c 'trap \"\" TERM; echo $$; while :; do ") +
                 (silent ? "" : "echo still here; ") +
                 "sleep 0.05; done' & until [ -e /proc/$! ]; do :; done; sleep 0.2; exit 3"});
  run.WaitForOutput("\n");
  const pid_t descendant = std::stoi(run.out);
  run.RunUntil([&] { return Has(run.Get("/v1/status"), R"("last_exit":{"code":3,)"); });
  CHECK(Lives(descendant));
  if (!silent) {
    const std::uint64_t before = run.collector.durable_lines();
    run.RunUntil([&] { return run.collector.durable_lines() >= before + 10; });
  }
  CHECK(Has(run.Http("POST /v1/stop?grace=2s"), "HTTP/1.1 202"));
  CHECK(run.Wait() == 3);
  CHECK_FALSE(Lives(descendant));
  CHECK(run.collector.Text(Output::kStdout) == run.out);
}

/// Between reading the last line of a process and noticing its end, by the agent's own clock; the
/// line is the last thing that it does, and a silent descendant keeps its outputs.
std::chrono::nanoseconds NoticeTime() {
  AgentRun run;
  run.flags.insert(run.flags.end(), {"--stop-grace", "120s"});
  run.Start({"/bin/sh", "-c", "trap '' TERM; sleep 600 & echo $!; exit 3"});
  std::string status;
  run.RunUntil([&] {
    status = run.Get("/v1/status");
    return run.collector.durable_lines() == 1 && Has(status, R"("last_exit":{"code":3,)");
  });
  constexpr std::string_view kAt = R"("core_dumped":false,"at":")";
  const std::size_t at = status.find(kAt);
  REQUIRE(at != std::string::npos);
  const std::size_t begin = at + kAt.size();
  const auto ended = ParseRfc3339(status.substr(begin, status.find('"', begin) - begin));
  REQUIRE(ended);
  const LogTime read{std::chrono::nanoseconds(run.collector.entries.at(0).time_ns)};
  CHECK(Has(run.Http("POST /v1/stop?grace=1s"), "HTTP/1.1 202"));
  CHECK(run.Wait() == 3);
  return *ended - read;
}

TEST_CASE("the end of a process is noticed at once although its outputs stay open",
          "[agent][capture]") {
  // The process may be kept from running between its line and its end, so the best of some tries
  // counts. One that waits for the outputs would need the time of the stop plan every time.
  auto best = NoticeTime();
  for (int i = 0; i < 9 && best >= 200ms; ++i) best = std::min(best, NoticeTime());
  CHECK(best < 200ms);
}

}  // namespace
}  // namespace dunlin
