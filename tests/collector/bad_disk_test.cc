// A whole collector over a disk that misbehaves in its system calls: the functions below stand in
// front of the C library's for this binary, and do as the C library's unless a case says otherwise.
#include <fcntl.h>
#include <linux/limits.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/text.h"
#include "tests/collector/collector_fixture.h"
#include "tests/ingest/agent_frames.h"
#include "tests/support/catch.h"

namespace {

/// What happens to calls on files of the store; those that fail are on its write-ahead log.
struct Misbehaviour {
  std::atomic<bool> interrupts{false};     // every other read and write, before it does anything
  std::atomic<std::size_t> most_bytes{0};  // that one read or write moves; 0: all
  std::atomic<int> failing_writes{0};      // so many of the next ones fail
  std::atomic<int> failing_syncs{0};       // so many of the next ones fail
  std::atomic<int> error_number{EIO};      // of these
  std::atomic<std::uint64_t> calls{0};     // looked at while any of this was asked for
  std::atomic<std::uint64_t> interrupted{0};
  std::atomic<std::uint64_t> shortened{0};
} misbehaviour;

bool IsUnder(int fd, std::string_view folder) {
  std::array<char, PATH_MAX> path;
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  const ssize_t size = ::readlink(link.c_str(), path.data(), path.size());
  return size > 0 && std::string_view(path.data(), static_cast<std::size_t>(size)).find(folder) !=
                         std::string_view::npos;
}

bool TakeOne(std::atomic<int>& left) {
  int now = left.load();
  while (now > 0 && !left.compare_exchange_weak(now, now - 1)) {
  }
  return now > 0;
}

/// Whether the call does not happen, with errno set; else how many bytes it may move.
bool Prevented(int fd, bool write, std::size_t& size) {
  const std::size_t most = misbehaviour.most_bytes;
  if (!misbehaviour.interrupts && most == 0 && misbehaviour.failing_writes == 0) return false;
  if (!IsUnder(fd, "/data/")) return false;
  const std::uint64_t call = misbehaviour.calls++;
  if (write && IsUnder(fd, "/data/wal/") && TakeOne(misbehaviour.failing_writes)) {
    errno = misbehaviour.error_number;
    return true;
  }
  if (misbehaviour.interrupts && call % 2 == 0) {
    ++misbehaviour.interrupted;
    errno = EINTR;
    return true;
  }
  if (most != 0 && size > most) {
    ++misbehaviour.shortened;
    size = most;
  }
  return false;
}

}  // namespace

extern "C" {

ssize_t pwrite(int fd, const void* bytes, size_t size, off_t position) {
  if (Prevented(fd, /*write=*/true, size)) return -1;
  return ::syscall(SYS_pwrite64, fd, bytes, size, position);
}

ssize_t pread(int fd, void* bytes, size_t size, off_t position) {
  if (Prevented(fd, /*write=*/false, size)) return -1;
  return ::syscall(SYS_pread64, fd, bytes, size, position);
}

int fdatasync(int fd) {
  if (misbehaviour.failing_syncs > 0 && IsUnder(fd, "/data/wal/") &&
      TakeOne(misbehaviour.failing_syncs)) {
    errno = misbehaviour.error_number;
    return -1;
  }
  return static_cast<int>(::syscall(SYS_fdatasync, fd));
}

}  // extern "C"

namespace dunlin::collector {
namespace {

using Catch::Matchers::Contains;
using ingest::BatchFrame;
using Lines = std::vector<std::string>;

constexpr std::int64_t kTime = 1'795'000'000'000'000'000;

/// Ends whatever a case began.
struct Healed {
  ~Healed() {
    misbehaviour.interrupts = false;
    misbehaviour.most_bytes = 0;
    misbehaviour.failing_writes = 0;
    misbehaviour.failing_syncs = 0;
    misbehaviour.error_number = EIO;
  }
};

constexpr int kAlways = 1'000'000'000;

double MetricOf(RunningCollector& collector, std::string_view series) {
  std::string page = collector.Ask("GET", "/metrics").body;
  std::size_t at = page.find(Join("\n", series, " "));
  REQUIRE(at != std::string::npos);
  return std::stod(page.substr(at + series.size() + 2));
}

/// The answer to a batch, however often the agent is asked to wait before it.
std::string Answer(ScriptedAgent& agent) {
  std::string word = agent.Next();
  while (word.starts_with("slow down")) word = agent.Next();
  return word;
}

TEST_CASE("interrupted and short reads and writes lose nothing", "[collector][disk]") {
  Healed healed;
  RunningCollector collector;
  std::mt19937_64 random(3);
  Lines want;
  misbehaviour.interrupts = true;
  misbehaviour.most_bytes = 700;
  {
    ScriptedAgent agent(collector.ingest(), "web");
    for (std::uint64_t i = 1; i <= 20; ++i) {
      want.push_back(Join(i, ":", std::string(3000, static_cast<char>('a' + i))));
      // Written as it came, so it has to be much for the log, too.
      for (int k = 0; k < 3000; ++k) want.back() += static_cast<char>('!' + random() % 90);
      agent.Send(BatchFrame(i, {want.back()}, kTime + static_cast<std::int64_t>(i)));
      agent.Await(Join("ack ", i));
    }
  }
  CHECK(misbehaviour.interrupted > 20);
  CHECK(misbehaviour.shortened > 20);
  CHECK(MetricOf(collector, "dunlin_store_wal_failures_total") == 0);
  collector.Stop();
  const std::uint64_t before = misbehaviour.interrupted;
  collector.Start();
  CHECK(collector.Lines(R"({service="web"})") == want);
  CHECK(misbehaviour.interrupted > before + 20);
  CHECK(ScriptedAgent(collector.ingest(), "web").welcome == "welcome next=21");
}

TEST_CASE("a log file that cannot be written or synced is given up and nothing is lost",
          "[collector][disk]") {
  Healed healed;
  auto [syncs, writes, error_number] =
      GENERATE(table<int, int, int>({{1, 0, EIO}, {0, 1, EIO}, {1, 0, EINTR}, {0, 1, EFBIG}}));
  CAPTURE(syncs, writes, error_number);
  RunningCollector collector;
  ScriptedAgent agent(collector.ingest(), "web");
  agent.Send(BatchFrame(1, {"before"}, kTime));
  agent.Await("ack 1");
  misbehaviour.error_number = error_number;
  misbehaviour.failing_writes = writes;
  misbehaviour.failing_syncs = syncs;
  agent.Send(BatchFrame(2, {"during"}, kTime + 1));
  // Durable in another file, or refused and sent again; never acknowledged from that one.
  REQUIRE(Answer(agent) == "ack 2");
  CHECK(misbehaviour.failing_writes == 0);
  CHECK(misbehaviour.failing_syncs == 0);
  CHECK(MetricOf(collector, "dunlin_store_wal_failures_total") == 1);
  CHECK(MetricOf(collector, "dunlin_store_wal_failed") == 0);
  CHECK(collector.Lines(R"({service="web"})") == Lines{"before", "during"});
  collector.Cut();
  collector.Start();
  CHECK(collector.Lines(R"({service="web"})") == Lines{"before", "during"});
  CHECK(ScriptedAgent(collector.ingest(), "web").welcome == "welcome next=3");
}

TEST_CASE("while no log can be synced nothing is acknowledged, and searches go on",
          "[collector][disk]") {
  Healed healed;
  auto error_number = GENERATE(EIO, ENOSPC);
  CAPTURE(error_number);
  RunningCollector collector;
  {
    ScriptedAgent agent(collector.ingest(), "web");
    agent.Send(BatchFrame(1, {"before"}, kTime));
    agent.Await("ack 1");
    misbehaviour.error_number = error_number;
    misbehaviour.failing_syncs = kAlways;
    agent.Send(BatchFrame(2, {"during"}, kTime + 1));
    CHECK_THAT(agent.Next(), Contains("slow down: "));
    CHECK_THAT(Answer(agent), Contains("goodbye: ") && Contains("(retry)"));
  }
  CHECK(misbehaviour.failing_syncs < kAlways);
  CHECK(MetricOf(collector, "dunlin_store_read_only") == 1);
  CHECK(collector.Lines(R"({service="web"})") == Lines{"before"});
  http::Response push = collector.Ask(
      "POST", "/loki/api/v1/push", {{"Content-Type", "application/json"}},
      R"({"streams":[{"stream":{"service":"web"},"values":[["1795000000000000000","x"]]}]})");
  CHECK((push.status == 429 || push.status == 503));
  CHECK_FALSE(push.headers.Get("Retry-After").empty());
  {
    // It comes back, and is told to wait before it sends anything.
    ScriptedAgent agent(collector.ingest(), "web");
    CHECK(agent.welcome == "welcome next=2");
    CHECK_THAT(agent.Next(), Contains("slow down: "));
  }
  collector.Cut();
  misbehaviour.failing_syncs = 0;
  collector.Start();
  // What was refused may lie in the log all the same; sent again, it is there once.
  ScriptedAgent agent(collector.ingest(), "web");
  if (agent.welcome == "welcome next=2") {
    agent.Send(BatchFrame(2, {"during"}, kTime + 1));
    CHECK(Answer(agent) == "ack 2");
  } else {
    CHECK(agent.welcome == "welcome next=3");
  }
  CHECK(collector.Lines(R"({service="web"})") == Lines{"before", "during"});
}

}  // namespace
}  // namespace dunlin::collector
