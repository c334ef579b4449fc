// A full disk: refused, not lost; read on; over when there is room.
#include <thread>

#include "collector/store/append_queue.h"
#include "collector/store/disk_guard.h"
#include "collector/store/wal_outage.h"
#include "tests/store/store_fixture.h"

namespace dunlin::store {
namespace {

using namespace std::chrono_literals;
using testing::FaultyFileSystem;
using Lasting = FaultyFileSystem::Lasting;

constexpr std::int64_t kStart = testing::ManualClock::kStartNs;

TEST_CASE("the disk is full below the limit and has room some way above it", "[store][disk]") {
  testing::MemoryFileSystem memory;
  REQUIRE(memory.CreateDirectories("/d"));
  testing::ManualClock clock;
  memory.SetFreeSpace(1000);
  DiskGuard disk(memory, clock, {"/d", 1000, 0});
  CHECK_FALSE(disk.Refusal());
  auto look = [&](std::uint64_t free) {
    memory.SetFreeSpace(free);
    clock.Advance(2s);
    disk.Check();
    return disk.full();
  };
  CHECK(look(999));
  REQUIRE(disk.Refusal());
  CHECK(disk.Refusal()->code() == ErrorCode::kExhausted);
  CHECK(look(1000));  // the next deleted file would open it for a moment only
  CHECK_FALSE(look(1100));
  CHECK_FALSE(look(1000));
}

TEST_CASE("the disk is looked at once a second at most", "[store][disk]") {
  testing::MemoryFileSystem memory;
  REQUIRE(memory.CreateDirectories("/d"));
  testing::ManualClock clock;
  DiskGuard disk(memory, clock, {"/d", 1000, 0});
  memory.SetFreeSpace(0);
  disk.Check();
  CHECK_FALSE(disk.full());
  clock.Advance(1s);
  disk.Check();
  CHECK(disk.full());
}

TEST_CASE("the ballast is given up when a write finds the disk full, and taken again",
          "[store][disk]") {
  testing::MemoryFileSystem memory;
  REQUIRE(memory.CreateDirectories("/d"));
  testing::ManualClock clock;
  memory.SetFreeSpace(10'000);
  DiskGuard disk(memory, clock, {"/d", 1000, 4000});
  CHECK(memory.Contents("/d/BALLAST").size() == 4000);
  CHECK(*memory.FreeSpace("/d") == 6000);
  disk.OnDiskFull();
  CHECK(disk.full());
  CHECK_FALSE(memory.Exists("/d/BALLAST"));
  // As long as it would not fit with the limit beside it, nothing is stored.
  memory.SetFreeSpace(4500);
  clock.Advance(2s);
  disk.Check();
  CHECK(disk.full());
  memory.SetFreeSpace(8000);
  clock.Advance(2s);
  disk.Check();
  CHECK_FALSE(disk.full());
  CHECK(memory.Contents("/d/BALLAST").size() == 4000);
}

TEST_CASE("a quota that free space does not show is noticed by the ballast", "[store][disk]") {
  testing::MemoryFileSystem memory;
  REQUIRE(memory.CreateDirectories("/d"));
  FaultyFileSystem files(memory);
  testing::ManualClock clock;
  DiskGuard disk(files, clock, {"/d", 1000, 4000});
  disk.OnDiskFull();
  files.FailCall(0, Lasting::kForever, ErrorCode::kExhausted, {FaultyFileSystem::Call::kWrite});
  clock.Advance(2s);
  disk.Check();
  CHECK(disk.full());
  CHECK_FALSE(memory.Exists("/d/BALLAST"));
  files.Heal();
  clock.Advance(2s);
  disk.Check();
  CHECK_FALSE(disk.full());
}

TEST_CASE("the ballast of an earlier run is taken over", "[store][disk]") {
  testing::MemoryFileSystem memory;
  REQUIRE(memory.CreateDirectories("/d"));
  testing::ManualClock clock;
  memory.Put("/d/BALLAST", std::string(4000, '\0'));
  memory.SetFreeSpace(2000);
  DiskGuard disk(memory, clock, {"/d", 1000, 4000});
  CHECK_FALSE(disk.full());
  DiskGuard other_size(memory, clock, {"/d", 1000, 5000});
  CHECK(other_size.full());
}

TEST_CASE("a log that cannot be written is tried again ever less often", "[store][wal]") {
  WalOutage outage;
  SteadyTime now{};
  CHECK_FALSE(outage.Refusal(now));
  for (std::chrono::seconds delay : {1s, 2s, 4s, 8s, 16s, 30s, 30s}) {
    outage.OnFailure(Error(ErrorCode::kIo, "bad cable"), now);
    CHECK(outage.ongoing());
    REQUIRE(outage.Refusal(now + delay - 1ns));
    CHECK(outage.Refusal(now)->code() == ErrorCode::kIo);
    CHECK_FALSE(outage.Refusal(now + delay));
    now += delay;
  }
  outage.OnSuccess();
  CHECK_FALSE(outage.ongoing());
  outage.OnFailure(Error(ErrorCode::kIo, "bad cable"), now);
  CHECK_FALSE(outage.Refusal(now + 1s));
}

TEST_CASE("pushes that fill the queue do not keep agents out", "[store]") {
  AppendQueue queue(1000);
  int refused = 0;
  auto push = [&](std::size_t bytes, bool agent) {
    AppendRequest request;
    request.payload.assign(bytes, 'x');
    if (agent) request.id = BatchId{IdOf(1), IdOf(1), 1, 1};
    queue.Push(std::move(request), [&](Result<AppendOutcome> outcome) {
      if (!outcome && outcome.error().code() == ErrorCode::kExhausted) ++refused;
    });
  };
  push(5000, false);  // one is always taken, however large
  CHECK(refused == 0);
  push(1, false);
  CHECK(refused == 1);
  push(600, true);
  push(400, true);
  CHECK(refused == 1);
  push(1, true);
  CHECK(refused == 2);
  CHECK(queue.bytes() == 6000);
  auto work = queue.Take(0);
  REQUIRE(work);
  CHECK(work->group.size() == 3);
  CHECK(queue.bytes() == 0);
  push(1, false);
  CHECK(refused == 2);
  queue.Stop();
}

TEST_CASE("a disk without room for a segment keeps reads going and recovers by itself",
          "[store][disk]") {
  StoreFixture fixture;
  fixture.options.wal_file_bytes = 4096;
  fixture.options.min_free_bytes = 1000;
  fixture.options.ballast_bytes = 20'000;
  fixture.memory.SetFreeSpace(1 << 20);
  fixture.Open();
  fixture.Store1({{kStart, StreamOf("web"), "before", {}}});
  // Somebody else takes everything; only the ballast is left to write the segment with.
  fixture.memory.SetFreeSpace(0);
  auto flushed = fixture.store().Flush();
  CHECK(fixture.store().Stats().disk_full);
  CHECK(fixture.ScanAll().size() == 1);
  REQUIRE(fixture.store().Refusal());
  auto refused = fixture.Append(RequestOf({{kStart + 1, StreamOf("web"), "during", {}}}));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code() == ErrorCode::kExhausted);
  // With the ballast given up the segment fits, although the disk is as full as before.
  if (!flushed) CHECK(fixture.store().Flush());
  CHECK(fixture.store().Stats().segments == 1);
  CHECK(fixture.store().Stats().disk_full);
  fixture.memory.SetFreeSpace(1 << 20);
  fixture.clock.Advance(2s);
  fixture.Store1({{kStart + 2, StreamOf("web"), "after", {}}});
  CHECK_FALSE(fixture.store().Stats().read_only);
  CHECK(fixture.memory.Contents("/data/BALLAST").size() == 20'000);
  fixture.CrashAndReopen();
  CHECK(fixture.ScanAll().size() == 2);
}

TEST_CASE("on a full disk what has expired goes at once", "[store][disk]") {
  StoreFixture fixture;
  fixture.options.retention_age = 30s;
  fixture.options.min_free_bytes = 1000;
  fixture.Open();
  // After the second flush the segment thread has had its regular look, the next is a minute off.
  for (int i = 0; i < 2; ++i) {
    fixture.Store1({{kStart, StreamOf("web"), "old", {}}});
    fixture.Flush();
  }
  fixture.memory.SetFreeSpace(900);
  fixture.clock.Advance(31s);
  auto patience = std::chrono::steady_clock::now() + 60s;
  // The files go after they have left the view.
  auto files = [&] { return fixture.memory.Files("/data/segments").size(); };
  while (files() > 0 && std::chrono::steady_clock::now() < patience) std::this_thread::yield();
  CHECK(files() == 0);
  CHECK(fixture.store().Stats().segments == 0);
}

TEST_CASE("a store opens and reads on a full disk", "[store][disk]") {
  StoreFixture fixture;
  fixture.options.min_free_bytes = 1000;
  fixture.options.ballast_bytes = 4000;
  fixture.Open();
  fixture.Store1({{kStart, StreamOf("web"), "line", {}}});
  fixture.memory.SetFreeSpace(0);
  fixture.KillAndReopen();
  CHECK(fixture.ScanAll().size() == 1);
  CHECK(fixture.store().Stats().read_only);
  REQUIRE_FALSE(fixture.Append(RequestOf({{kStart + 1, StreamOf("web"), "more", {}}})));
}

}  // namespace
}  // namespace dunlin::store
