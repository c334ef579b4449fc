// captured = acknowledged + queued + spooled + dropped, at every scrape of the real agent, whatever
// happens to the collector.
#include <csignal>
#include <fstream>
#include <functional>
#include <string>

#include "protocol/base/text.h"
#include "protocol/wire/exposition.h"
#include "tests/agent/agent_run.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

namespace dunlin {
namespace {

using testing::AgentRun;
using Batch = testing::ScriptedCollector::Batch;

/// The sum of all series of a family.
double Sum(const std::string& metrics, std::string_view family) {
  double sum = 0;
  for (std::string_view line : Split(metrics, '\n')) {
    if (!line.starts_with(family) || line.size() == family.size()) continue;
    if (line[family.size()] != ' ' && line[family.size()] != '{') continue;
    sum += std::strtod(std::string(line.substr(line.rfind(' '))).c_str(), nullptr);
  }
  return sum;
}

struct Account {
  explicit Account(const std::string& metrics)
      : captured(Sum(metrics, "dunlin_agent_lines_captured_total")),
        acknowledged(Sum(metrics, "dunlin_agent_lines_acknowledged_total")),
        queued(Sum(metrics, "dunlin_agent_lines_queued")),
        spooled(Sum(metrics, "dunlin_agent_lines_spooled")),
        dropped(Sum(metrics, "dunlin_agent_lines_dropped_total")),
        memory_full(Sum(metrics, "dunlin_agent_lines_dropped_total{reason=\"mem_full\"}")),
        rejected(Sum(metrics, "dunlin_agent_lines_dropped_total{reason=\"rejected\"}")) {}
  double captured, acknowledged, queued, spooled, dropped, memory_full, rejected;
};

TEST_CASE("every captured line is accounted for at every scrape, whatever the collector does",
          "[agent][conservation]") {
  testing::TempDir folder;
  const std::string path = folder.File("lines");
  {
    std::ofstream file(path, std::ios::binary);
    std::uint64_t state = 88172645463325252U;
    for (int line = 0; line < 1000; ++line) {
      for (int i = 0; i < 99; ++i) {
        state = state * 6364136223846793005U + 1442695040888963407U;
        file.put(static_cast<char>('!' + (state >> 33) % 90));
      }
      file.put('\n');
    }
  }
  AgentRun run;
  run.flags.insert(run.flags.end(),
                   {"--memory-limit", "1MiB", "--batch-bytes", "16KiB", "--passthrough", "off"});
  run.Start(
      {"/bin/sh", "-c", "while :; do cat " + path + "; cat " + path + " >&2; sleep 0.02; done"});

  int scrapes = 0;
  double captured = 0;
  auto scrape = [&] {
    Account account(run.Get("/metrics"));
    CHECK(account.captured ==
          account.acknowledged + account.queued + account.spooled + account.dropped);
    CHECK(account.captured >= captured);
    captured = account.captured;
    ++scrapes;
    return account;
  };
  const auto limit = SystemClock().Steady() + std::chrono::minutes(3);
  auto scrape_until = [&](const std::function<bool(const Account&)>& done) {
    while (!done(scrape())) REQUIRE(SystemClock().Steady() < limit);
  };

  for (int round = 1; round <= 3; ++round) {
    CAPTURE(round);
    // Lines flow.
    Account before = scrape();
    scrape_until([&](const Account& a) { return a.acknowledged > before.acknowledged + 1000; });
    // The connection breaks, and again while batches are under way.
    run.collector.Cut();
    scrape();
    run.collector.Cut();
    // Nothing is acknowledged; then the collector is gone until memory is full.
    run.collector.acknowledge = false;
    scrape();
    run.collector.CloseListener();
    run.collector.Cut();
    scrape_until([&](const Account& a) { return a.memory_full > before.memory_full + 2000; });
    run.collector.OpenListener();
    run.collector.acknowledge = true;
    scrape_until([&](const Account& a) { return a.acknowledged > before.acknowledged + 2000; });
    // Some batches are refused.
    run.collector.on_batch = [&](const Batch& batch) {
      if (batch.sequence % 3 != 0) return false;
      run.collector.Refuse(batch.sequence);
      return true;
    };
    scrape_until([&](const Account& a) { return a.rejected > before.rejected + 1000; });
    run.collector.on_batch = nullptr;
    // The collector hangs: it takes nothing more from this connection.
    run.collector.StopReading();
    scrape();
    scrape();
    run.collector.Cut();
  }
  CHECK(scrapes > 30);

  run.Signal(SIGTERM);
  CHECK(run.Wait() == 128 + SIGTERM);
  run.RunUntil([&] { return run.collector.connections() == 0; });
  std::string text;
  REQUIRE_FALSE(run.collector.metrics.empty());
  wire::AppendExposition(text, run.collector.metrics.back().families);
  Account last(text);
  CHECK(last.queued == 0);
  CHECK(last.captured == last.acknowledged + last.spooled + last.dropped);
  // What the agent believes to be durable is what the collector has, and gaps tell of the rest.
  CHECK(last.acknowledged == static_cast<double>(run.collector.durable_lines()));
  CHECK_FALSE(run.collector.failed());
}

}  // namespace
}  // namespace dunlin
