#include <atomic>
#include <thread>

#include "tests/store/store_fixture.h"
#include "tests/support/temp_dir.h"

namespace dunlin::store {
namespace {

using namespace std::chrono_literals;

constexpr std::int64_t kDay = 86'400'000'000'000;
constexpr std::int64_t kStart = testing::ManualClock::kStartNs;

std::uint64_t ExpiredBecauseOf(StoreFixture& fixture, ExpiryReason reason) {
  return fixture.store().Stats().segments_expired_total[static_cast<std::size_t>(reason)];
}

TEST_CASE("entries past the retention age go, a file at a time", "[store][retention]") {
  StoreFixture fixture;
  fixture.options.retention_age = 48h;
  fixture.Open();
  fixture.Store1({{kStart, StreamOf("web"), "first day", {}},
                  {kStart + kDay, StreamOf("web"), "second day", {}}});
  fixture.Flush();
  CHECK(fixture.store().Stats().segments == 2);
  fixture.clock.Advance(48h + 1s);
  REQUIRE(fixture.store().ApplyRetention());
  auto left = fixture.ScanAll();
  REQUIRE(left.size() == 1);
  CHECK(left[0].line == "second day");
  CHECK(ExpiredBecauseOf(fixture, ExpiryReason::kAge) == 1);
  CHECK(fixture.memory.Files("/data/segments").size() == 1);
  fixture.CrashAndReopen();
  CHECK(fixture.ScanAll() == left);
}

TEST_CASE("the oldest segments go when all are too large", "[store][retention]") {
  StoreFixture fixture;
  fixture.Open();
  for (int i = 0; i < 4; ++i) {
    fixture.Store1({{kStart + i, StreamOf("web"), "line " + std::to_string(i), {}}});
    fixture.Flush();
  }
  std::uint64_t size = fixture.store().Stats().disk_bytes;
  fixture.Close();
  fixture.options.retention_bytes = size / 2 + 10;
  fixture.Open();
  REQUIRE(fixture.store().ApplyRetention());
  auto left = fixture.ScanAll();
  REQUIRE(left.size() == 2);
  CHECK(left[0].line == "line 2");
  CHECK(fixture.store().Stats().disk_bytes <= fixture.options.retention_bytes);
}

TEST_CASE("the oldest segments make room on the disk when asked to", "[store][retention]") {
  StoreFixture fixture;
  fixture.options.retention_free_bytes = 100'000;
  fixture.memory.SetFreeSpace(1 << 30);
  fixture.Open();
  for (int i = 0; i < 4; ++i) {
    fixture.Store1({{kStart + i, StreamOf("web"), "line " + std::to_string(i), {}}});
    fixture.Flush();
  }
  std::uint64_t size = fixture.store().Stats().disk_bytes;
  fixture.memory.SetFreeSpace(100'000 - size / 2);
  fixture.clock.Advance(2s);
  // Refused or not, it makes the store look at the disk.
  fixture.Store1({{kStart + 9, StreamOf("web"), "new", {}}});
  REQUIRE(fixture.store().ApplyRetention());
  auto left = fixture.ScanAll();
  REQUIRE(left.size() == 3);
  CHECK(left[0].line == "line 2");
  CHECK(ExpiredBecauseOf(fixture, ExpiryReason::kSpace) == 2);
}

TEST_CASE("a scan goes on in a segment that retention removes", "[store][retention]") {
  // On real files: a file that was deleted too early could not be opened again.
  testing::TempDir folder;
  testing::ManualClock clock;
  StoreOptions options;
  options.data_dir = folder.File("data");
  options.min_free_bytes = 0;
  options.retention_age = 1h;
  auto opened = Store::Open(PosixFileSystem(), clock, options, std::make_shared<TestDecoder>());
  REQUIRE(opened);
  Store& store = **opened;
  for (int i = 0; i < 3; ++i) {
    std::promise<bool> stored;
    store.Append(RequestOf({{kStart + i, StreamOf("web"), "line " + std::to_string(i), {}}}),
                 [&](Result<AppendOutcome> outcome) { stored.set_value(outcome.has_value()); });
    REQUIRE(stored.get_future().get());
    REQUIRE(store.Flush());
  }
  ScanRequest request;
  request.start_ns = 0;
  request.end_ns = INT64_MAX;
  request.order = Order::kAscending;
  std::vector<std::string> lines;
  auto stats = store.Scan(request, [&](const ScannedRow& row) {
    if (lines.empty()) {
      clock.Advance(2h);
      CHECK(store.ApplyRetention());
      CHECK(store.Stats().segments == 0);
    }
    lines.emplace_back(row.line);
    return true;
  });
  REQUIRE(stats);
  CHECK(lines == std::vector<std::string>{"line 0", "line 1", "line 2"});
  CHECK(stats->warnings.empty());
  auto after = store.Scan(request, [](const ScannedRow&) { return false; });
  REQUIRE(after);
  CHECK(after->rows_matched == 0);
}

TEST_CASE("one head with entries of very many days stays a bounded number of files",
          "[store][retention]") {
  StoreFixture fixture;
  fixture.Open();
  std::vector<TestEntry> entries;
  for (int i = 0; i < 300; ++i) {
    entries.push_back({kStart - i * kDay, StreamOf("web"), "day " + std::to_string(i), {}});
  }
  fixture.Store1(entries);
  fixture.Flush();
  CHECK(fixture.store().Stats().segments == 64);
  CHECK(fixture.ScanAll(Order::kDescending) == entries);
}

TEST_CASE("an old head is written without being full", "[store][retention]") {
  StoreFixture fixture;
  fixture.Open();
  fixture.Store1({{kStart, StreamOf("web"), "quiet", {}}});
  fixture.clock.Advance(fixture.options.head_age + 1s);
  // The segment thread looks once a second.
  while (fixture.store().Stats().segments == 0) std::this_thread::yield();
  CHECK(fixture.ScanAll().size() == 1);
}

TEST_CASE("append, scan, flush, merging and retention may all run at once", "[store][threads]") {
  StoreFixture fixture;
  fixture.options.head_bytes = 100'000;
  fixture.options.retention_age = std::chrono::hours(24 * 365 * 100);
  fixture.options.compact_by_itself = true;
  fixture.options.compaction.fan_in = 3;
  fixture.Open();
  constexpr int kSenders = 3;
  constexpr std::uint64_t kBatches = 60;
  std::atomic<bool> done{false};
  std::atomic<std::uint64_t> acked{0};
  std::vector<std::thread> threads;
  for (int sender = 0; sender < kSenders; ++sender) {
    threads.emplace_back([&, sender] {
      for (std::uint64_t sequence = 1; sequence <= kBatches; ++sequence) {
        std::vector<TestEntry> entries;
        for (int i = 0; i < 10; ++i) {
          entries.push_back({kStart + static_cast<std::int64_t>(sequence),
                             StreamOf("web"),
                             std::string(100, 'a') + std::to_string(sequence),
                             {}});
        }
        AppendRequest request = RequestOf(entries);
        request.id = BatchId{IdOf(static_cast<std::uint8_t>(sender + 1)), IdOf(1), sequence, 1};
        std::promise<bool> stored;
        fixture.store().Append(std::move(request), [&](Result<AppendOutcome> outcome) {
          stored.set_value(outcome && *outcome == AppendOutcome::kStored);
        });
        if (stored.get_future().get()) acked += 10;
      }
    });
  }
  std::atomic<bool> monotonic{true};
  for (Order order : {Order::kAscending, Order::kUnordered}) {
    threads.emplace_back([&, order] {
      while (!done) {
        std::uint64_t before = acked;
        std::uint64_t rows = 0;
        auto stats = fixture.store().Scan(fixture.Everything(order), [&](const ScannedRow& row) {
          rows += row.line.size() > 100 ? 1 : 0;
          return true;
        });
        // Sees everything whose append had finished.
        if (!stats || rows < before) monotonic = false;
      }
    });
  }
  threads.emplace_back([&] {
    while (!done) {
      if (!fixture.store().Compact()) monotonic = false;
    }
  });
  threads.emplace_back([&] {
    while (!done) {
      if (!fixture.store().Flush() || !fixture.store().ApplyRetention()) monotonic = false;
      if (fixture.store().Stats().lines == 0 &&
          fixture.store().NextSequence(IdOf(1), IdOf(1)) == 0) {
        monotonic = false;
      }
      if (fixture.store().Streams(0, INT64_MAX).size() > 1) monotonic = false;
    }
  });
  for (int sender = 0; sender < kSenders; ++sender)
    threads[static_cast<std::size_t>(sender)].join();
  done = true;
  for (std::size_t i = kSenders; i < threads.size(); ++i) threads[i].join();
  CHECK(monotonic);
  CHECK(acked == kSenders * kBatches * 10);
  CHECK(fixture.store().Stats().compactions_total > 0);
  CHECK(fixture.ScanAll().size() == acked);
}

}  // namespace
}  // namespace dunlin::store
