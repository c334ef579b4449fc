// The real agent with a spool that is damaged, hangs, is huge; and killed at each call of its disk.
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <fstream>
#include <set>
#include <string>
#include <utility>

#include "protocol/base/text.h"
#include "protocol/wire/messages.h"
#include "shipper/spool/spool_folder.h"
#include "tests/agent/spool_run.h"
#include "tests/spool/sparse_file_system.h"
#include "tests/support/catch.h"

namespace dunlin {
namespace {

using namespace testing;

/// The numbers 1 to 4000, in bursts that become batches of their own.
constexpr const char* kBursts =
    "i=0; while [ $i -lt 40 ]; do seq $((i * 100 + 1)) $((i * 100 + 100)); i=$((i + 1)); "
    "sleep 0.03; done; exec sleep 60";

std::uint64_t LinesInGaps(const AgentRun& run) {
  std::uint64_t lines = 0;
  for (const wire::Gap& gap : run.collector.gaps) lines += gap.lines;
  return lines;
}

/// The numbers that arrived, none of them twice.
std::set<int> Arrived(const AgentRun& run) {
  std::set<int> numbers;
  for (const auto& entry : run.collector.entries) {
    CAPTURE(entry.line);
    CHECK(numbers.insert(std::stoi(entry.line)).second);
  }
  return numbers;
}

TEST_CASE("killed at any call of its disk, what an agent had captured is a beginning of it, once",
          "[agent][spool][kill]") {
  const auto& [call, n, sync] = GENERATE(table<std::string, int, std::string>({
      {"mkdir", 0, "interval"},
      {"flock", 0, "interval"},
      {"fsync", 0, "batch"},
      {"pwrite64", 0, "never"},  // the lock's
      {"pwrite64", 1, "never"},  // the boot file's
      {"pwrite64", 4, "never"},  // a record without its frame
      {"pwrite64", 11, "batch"},
      {"fdatasync", 0, "interval"},
      {"fdatasync", 3, "batch"},
      {"unlink", 0, "interval"},  // everything is acknowledged
      {"unlink", 1, "interval"},
      {"rmdir", 0, "interval"},
  }));
  CAPTURE(call, n, sync);
  TempDir folder;
  AgentRun run;
  UseSpool(run, folder);
  run.flags.insert(run.flags.end(), {"--spool-sync", sync});
  run.launcher = {DUNLIN_MEDDLE_BINARY, "kill", call, std::to_string(n), "--"};
  // The first ten batches are stored and acknowledged, those behind them neither.
  run.collector.on_batch = [](const ScriptedCollector::Batch& batch) {
    return batch.sequence > 10;
  };
  run.Start({"/bin/sh", "-c", kBursts});
  run.RunUntil([&] {
    return run.exit ||
           (!run.collector.arrivals.empty() && run.collector.arrivals.back().sequence > 15);
  });
  run.collector.on_batch = nullptr;
  run.collector.Cut();
  run.RunUntil([&] { return run.exit || run.collector.durable_lines() == 4000; });
  if (!run.exit) run.Signal(SIGTERM);
  run.Wait();
  if (run.NotPossibleHere()) return;
  REQUIRE(run.exit->signal == SIGKILL);
  const std::uint64_t durable = run.collector.durable_lines();
  const std::size_t hellos = run.collector.hellos.size();

  run.launcher.clear();
  run.exit.reset();
  run.Start({"/bin/sh", "-c", "exec sleep 60"});
  // It may have been killed before it had said anything.
  run.RunUntil([&] { return run.collector.hellos.size() > hellos; });
  run.RunUntil([&] { return Spools(folder) == 0; });
  const std::set<int> numbers = Arrived(run);
  if (!numbers.empty()) {
    CHECK(*numbers.begin() == 1);
    CHECK(*numbers.rbegin() == static_cast<int>(numbers.size()));  // no hole
  }
  CHECK(numbers.size() >= durable);
  CHECK(run.collector.durable_lines() == numbers.size());
  CHECK(run.collector.gaps.empty());
  CHECK_FALSE(run.collector.failed());
}

TEST_CASE("a disk that hangs delays neither the lines nor the end of the agent",
          "[agent][spool][hang]") {
  const std::string call = GENERATE("mkdir", "pwrite64", "fdatasync");
  CAPTURE(call);
  TempDir folder;
  AgentRun run;
  UseSpool(run, folder);
  run.flags.insert(run.flags.end(), {"--stop-grace", "3s"});
  run.launcher = {DUNLIN_MEDDLE_BINARY, "hold", call, call == "pwrite64" ? "3" : "0", "--"};
  run.Start({"/bin/sh", "-c", "seq 1 1000; exec sleep 60"});
  SECTION("with a collector") {
    run.RunUntil([&] { return run.exit || run.collector.durable_lines() == 1000; });
    if (run.exit && run.NotPossibleHere()) return;
    CheckEachOnce(run, 1000);
    run.Signal(SIGTERM);
    // Only its own patience with the disk ends this.
    CHECK(run.Wait() == 128 + SIGTERM);
    CHECK(run.err.find("lines were not delivered") == std::string::npos);
  }
  SECTION("without one") {
    run.collector.keep = false;
    run.RunUntil([&] { return run.exit || !run.collector.arrivals.empty(); });
    if (run.exit && run.NotPossibleHere()) return;
    run.Signal(SIGTERM);
    CHECK(run.Wait() == 128 + SIGTERM);
    CHECK(run.err.find("lines were not delivered") != std::string::npos);
  }
}

TEST_CASE("a write that the system cuts short and then refuses costs no line",
          "[agent][spool][faults]") {
  TempDir folder;
  AgentRun run;
  UseSpool(run, folder);
  // Files of 4 KiB at most: the write that crosses it is short, the next one fails.
  run.launcher = {"/bin/sh", "-c", "ulimit -f 8; exec \"$@\"", "sh"};
  run.collector.keep = false;
  run.Start({"/bin/sh", "-c", kBursts});
  WaitFor(run, "dunlin_agent_lines_captured_total{output=\"stdout\"}", 4000);
  const std::string refused =
      "dunlin_agent_spool_errors_total{errno=\"" + std::to_string(EFBIG) + "\"} ";
  const auto limit = SystemClock().Steady() + std::chrono::minutes(1);
  while (run.Get("/metrics").find(refused) == std::string::npos) {
    REQUIRE(SystemClock().Steady() < limit);
  }
  CHECK(AgentRun::Metric(run.Get("/metrics"), "dunlin_agent_lines_spooled") > 0);
  run.collector.keep = true;
  run.collector.Cut();
  run.RunUntil([&] { return run.collector.durable_lines() == 4000; });
  CheckEachOnce(run, 4000);
  CHECK(run.collector.gaps.empty());
  run.Signal(SIGTERM);
  CHECK(run.Wait() == 128 + SIGTERM);
}

TEST_CASE("damage to a spool costs the lines it touches, and those are told",
          "[agent][spool][damage]") {
  TempDir folder;
  AgentRun first;
  UseSpool(first, folder);
  first.collector.keep = false;
  first.Start({"/bin/sh", "-c", kBursts});
  first.RunUntil([&] { return !first.collector.hellos.empty(); });
  WaitForSpooled(first, 4000);
  first.Signal(SIGKILL);
  first.Wait();

  const std::string instance = folder.path() + "/one/";
  std::string boot;
  const auto boots = PosixFileSystem().List(instance);
  REQUIRE(boots);
  for (const std::string& name : *boots) {
    if (name.size() == 32) boot = instance + name + "/";
  }
  std::string segment;
  const auto files = PosixFileSystem().List(boot);
  REQUIRE(files);
  for (const std::string& name : *files) {
    if (name.ends_with(".spool")) segment = boot + name;
  }
  std::string bytes = *ReadFile(PosixFileSystem(), segment);
  std::uint64_t lost_at_most = 4000;
  SECTION("a flipped bit") { bytes[bytes.size() / 2] ^= 0x10; }
  SECTION("a zeroed range") { std::fill_n(bytes.begin() + bytes.size() * 3 / 4, 64, '\0'); }
  SECTION("a torn tail") { bytes.resize(bytes.size() - 10); }
  SECTION("bytes behind the end") {
    bytes.append(1000, 'x');
    lost_at_most = 0;
  }
  SECTION("a foreign file") {
    std::ofstream(boot + "notes.txt") << "mine";
    lost_at_most = 0;
  }
  std::ofstream(segment, std::ios::binary | std::ios::trunc) << bytes;

  AgentRun second;
  UseSpool(second, folder);
  second.Start({"/bin/sh", "-c", "exec sleep 60"});
  second.RunUntil([&] { return second.collector.durable_lines() + LinesInGaps(second) >= 4000; });
  const std::set<int> numbers = Arrived(second);
  CHECK(numbers.size() + LinesInGaps(second) == 4000);
  CHECK(numbers.size() >= 2000);
  CHECK(LinesInGaps(second) <= lost_at_most);
  CHECK((LinesInGaps(second) == 0) == (lost_at_most == 0));
  CHECK_FALSE(second.collector.failed());
  WaitFor(second, "dunlin_agent_adopted_lines_acknowledged_total",
          static_cast<double>(numbers.size()));
  CHECK(AgentRun::Metric(second.Get("/metrics"), "dunlin_agent_adopted_lines_dropped_total") ==
        static_cast<double>(LinesInGaps(second)));
  if (PosixFileSystem().Exists(boot + "notes.txt")) {
    CHECK(*ReadFile(PosixFileSystem(), boot + "notes.txt") == "mine");
  }
}

/// 2 GiB in segments of 8 MiB, whose frames are holes, as a process that is gone left it.
void LeaveHugeSpool(const TempDir& folder) {
  shipper::testing::SparseFileSystem sparse;
  shipper::SpoolFolder in(sparse, folder.path(), {.limit_bytes = 4_GiB, .segment_bytes = 8_MiB});
  RandomId boot{};
  boot.fill(0xab);
  wire::Hello hello;
  hello.agent_id = hello.boot_id = boot;
  hello.service = "huge";
  auto spool = in.Create("other", boot, wire::Encode(hello));
  REQUIRE(spool);
  const std::string frame(1_MiB, 'x');
  shipper::SpoolBatchInfo info;
  for (std::uint64_t sequence = 1; sequence <= 2048; ++sequence) {
    info.first_sequence = info.sequence = sequence;
    info.before[0] = {(sequence - 1) * 10, (sequence - 1) * 1000, 1};
    info.totals[0] = {10, 1000, 1};
    REQUIRE((*spool)->Append(info, frame));
  }
}

TEST_CASE("a spool of two gigabytes delays neither the start nor takes memory",
          "[agent][spool][huge]") {
  TempDir folder;
  LeaveHugeSpool(folder);
  AgentRun run;
  UseSpool(run, folder);
  run.flags.insert(run.flags.end(), {"--spool-limit", "4GiB", "--passthrough", "on"});
  // Of two connections the first to come is the agent's own; the other one waits for its welcome.
  run.collector.on_welcomed = [&] { run.collector.welcome = false; };
  run.Start({"/bin/sh", "-c", "echo started; exec sleep 60"});
  run.WaitForOutput("started");
  WaitFor(run, "dunlin_agent_adopted_lines_spooled", 20480);
  std::ifstream status("/proc/" + std::to_string(run.pid) + "/status");
  long high_water_kib = 0;
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) high_water_kib = std::stol(line.substr(6));
  }
  CAPTURE(high_water_kib);
  CHECK(high_water_kib > 0);
  if (kMemoryIsReal) CHECK(high_water_kib < 8 * 1024);
}

}  // namespace
}  // namespace dunlin
