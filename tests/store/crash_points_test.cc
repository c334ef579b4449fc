// The named moments of the write path. The machine dies exactly there; afterwards everything that
// was acknowledged is there once, and what was not comes again and is there once.
#include <atomic>
#include <functional>
#include <map>
#include <string>

#include "tests/store/store_fixture.h"

namespace dunlin::store {
namespace {

using testing::FaultyFileSystem;
using Call = FaultyFileSystem::Call;
using Lasting = FaultyFileSystem::Lasting;

constexpr std::uint64_t kBatches = 12;

std::string LineOf(std::uint64_t sequence) {
  return "batch " + std::to_string(sequence) + " " + std::string(900, 'x');
}

AppendRequest Numbered(std::uint64_t sequence) {
  AppendRequest request =
      RequestOf({{testing::ManualClock::kStartNs + static_cast<std::int64_t>(sequence),
                  StreamOf("web"),
                  LineOf(sequence),
                  {}}});
  request.id = BatchId{IdOf(1), IdOf(2), sequence, 1};
  return request;
}

enum class Death { kPowerFailure, kTornPowerFailure, kKill };

void Kill(testing::MemoryFileSystem& memory, Death death, std::uint64_t seed) {
  switch (death) {
    case Death::kPowerFailure:
      return memory.Crash();
    case Death::kTornPowerFailure:
      return memory.CrashTorn(seed);
    case Death::kKill:
      return memory.Kill();
  }
}

void Reopen(StoreFixture& fixture, Death death) {
  switch (death) {
    case Death::kPowerFailure:
    case Death::kTornPowerFailure:  // what it left is durable by now
      return fixture.CrashAndReopen();
    case Death::kKill:
      return fixture.KillAndReopen();
  }
}

/// Dies just before the call that is the `occurrence`-th at the point.
class Executioner {
 public:
  using Point = std::function<bool(Call, const std::string& path)>;

  Executioner(StoreFixture& fixture, Point point, Death death, std::uint64_t occurrence) {
    FaultyFileSystem* files = &fixture.files();
    testing::MemoryFileSystem* memory = &fixture.memory;
    files->OnCall([this, files, memory, point = std::move(point), death, occurrence](
                      std::uint64_t, Call kind, const std::string& path) {
      if (dead_ || !point(kind, path) || seen_++ != occurrence) return;
      dead_ = true;
      files->FailCall(0, Lasting::kForever);
      Kill(*memory, death, occurrence);
    });
  }

  bool dead() const { return dead_; }

 private:
  std::atomic<std::uint64_t> seen_{0};
  std::atomic<bool> dead_{false};
};

/// Sends what is not stored; answers the last acknowledged sequence.
std::uint64_t SendAll(StoreFixture& fixture, std::uint64_t acked) {
  std::uint64_t next = fixture.store().NextSequence(IdOf(1), IdOf(2));
  REQUIRE(next > acked);
  acked = next - 1;
  for (std::uint64_t sequence = next; sequence <= kBatches; ++sequence) {
    auto outcome = fixture.Append(Numbered(sequence));
    if (!outcome) return acked;
    CHECK(*outcome == AppendOutcome::kStored);
    acked = sequence;
    if (sequence % 4 == 0 && !fixture.store().Flush()) return acked;
    if (sequence % 6 == 0 && !fixture.store().Compact()) return acked;
  }
  return acked;
}

void CheckExactlyOnce(StoreFixture& fixture, std::uint64_t acked) {
  std::map<std::string, int> counts;
  for (const TestEntry& entry : fixture.ScanAll()) ++counts[entry.line];
  for (std::uint64_t sequence = 1; sequence <= kBatches; ++sequence) {
    CAPTURE(sequence, acked);
    CHECK(counts[LineOf(sequence)] <= 1);
    if (sequence <= acked) CHECK(counts[LineOf(sequence)] == 1);
  }
  CHECK(fixture.last_stats().warnings.empty());
}

bool Contains(const std::string& path, std::string_view part) {
  return path.find(part) != std::string::npos;
}

/// Dies at every occurrence of the point in the life of a store; fails when there is none.
void DieAt(const Executioner::Point& point) {
  auto death = GENERATE(Death::kPowerFailure, Death::kTornPowerFailure, Death::kKill);
  for (std::uint64_t occurrence = 0;; ++occurrence) {
    CAPTURE(static_cast<int>(death), occurrence);
    StoreFixture fixture;
    fixture.options.wal_file_bytes = 4096;
    fixture.Open();
    Executioner executioner(fixture, point, death, occurrence);
    std::uint64_t acked = SendAll(fixture, 0);
    bool died = executioner.dead();
    if (occurrence == 0) REQUIRE(died);
    fixture.files().OnCall(nullptr);
    Reopen(fixture, death);
    CheckExactlyOnce(fixture, acked);
    CHECK(SendAll(fixture, acked) == kBatches);
    CheckExactlyOnce(fixture, kBatches);
    fixture.CrashAndReopen();
    CheckExactlyOnce(fixture, kBatches);
    if (!died) break;
  }
}

TEST_CASE("death after the write to the log, before its sync", "[store][crash]") {
  DieAt([](Call kind, const std::string& path) {
    return kind == Call::kSync && Contains(path, "/wal/");
  });
}

TEST_CASE("death before the folder of a new log file is synced", "[store][crash]") {
  DieAt([](Call kind, const std::string& path) {
    return kind == Call::kSyncDirectory && path == "/data/wal";
  });
}

TEST_CASE("death after the sync of the log, before the acknowledgement", "[store][crash]") {
  auto death = GENERATE(Death::kPowerFailure, Death::kTornPowerFailure, Death::kKill);
  for (std::uint64_t last = 1; last <= kBatches; ++last) {
    CAPTURE(static_cast<int>(death), last);
    StoreFixture fixture;
    fixture.options.wal_file_bytes = 4096;
    fixture.Open();
    for (std::uint64_t sequence = 1; sequence < last; ++sequence) {
      REQUIRE(fixture.Append(Numbered(sequence)));
    }
    // The answer is given, but the sender never hears it.
    std::promise<void> dead;
    fixture.store().Append(Numbered(last), [&](Result<AppendOutcome> outcome) {
      CHECK(outcome);
      fixture.files().FailCall(0, Lasting::kForever);
      Kill(fixture.memory, death, last);
      dead.set_value();
    });
    dead.get_future().get();
    Reopen(fixture, death);
    // It is durable, and the welcome says so.
    CHECK(fixture.store().NextSequence(IdOf(1), IdOf(2)) == last + 1);
    CheckExactlyOnce(fixture, last);
    CHECK(*fixture.Append(Numbered(last)) == AppendOutcome::kDuplicate);
    CHECK(SendAll(fixture, last) == kBatches);
    CheckExactlyOnce(fixture, kBatches);
  }
}

TEST_CASE("death after a segment is written, before it is renamed", "[store][crash]") {
  DieAt([](Call kind, const std::string& path) {
    return kind == Call::kRename && path.ends_with(".seg");
  });
}

TEST_CASE("death after a segment is renamed, before its folder is synced", "[store][crash]") {
  DieAt([](Call kind, const std::string& path) {
    return kind == Call::kSyncDirectory && Contains(path, "/segments/");
  });
}

TEST_CASE("death after a segment is in its place, before the manifest lists it", "[store][crash]") {
  DieAt([](Call kind, const std::string& path) {
    return kind == Call::kWrite && Contains(path, "/manifest-");
  });
}

TEST_CASE("death between the append to the manifest and its sync", "[store][crash]") {
  DieAt([](Call kind, const std::string& path) {
    return kind == Call::kSync && Contains(path, "/manifest-");
  });
}

TEST_CASE("death after the manifest lists a segment, before the log lets go of it",
          "[store][crash]") {
  DieAt([](Call kind, const std::string& path) {
    return (kind == Call::kRename || kind == Call::kRemove) && Contains(path, "/wal/");
  });
}

TEST_CASE("death after the manifest lists a merged segment, before its sources are deleted",
          "[store][crash]") {
  DieAt([](Call kind, const std::string& path) {
    return kind == Call::kRemove && path.ends_with(".seg");
  });
}

TEST_CASE("death while segments are merged", "[store][crash]") {
  DieAt([](Call kind, const std::string& path) {
    return (kind == Call::kWrite || kind == Call::kSync) && path.ends_with(".tmp") &&
           Contains(path, "/segments/");
  });
}

TEST_CASE("death while a log file takes over the space of another", "[store][crash]") {
  DieAt([](Call kind, const std::string& path) {
    return (kind == Call::kWrite || kind == Call::kSync) && path.ends_with(".spare");
  });
}

TEST_CASE("death after retention is noted, before the file is deleted", "[store][crash]") {
  auto death = GENERATE(Death::kPowerFailure, Death::kTornPowerFailure, Death::kKill);
  StoreFixture fixture;
  fixture.options.retention_age = std::chrono::hours(48);
  fixture.Open();
  REQUIRE(SendAll(fixture, 0) == kBatches);
  fixture.clock.Advance(std::chrono::hours(72));
  Executioner executioner(
      fixture,
      [](Call kind, const std::string& path) {
        return kind == Call::kRemove && path.ends_with(".seg");
      },
      death, 0);
  CHECK(fixture.store().ApplyRetention());
  REQUIRE(executioner.dead());
  fixture.files().OnCall(nullptr);
  Reopen(fixture, death);
  CHECK(fixture.ScanAll().empty());
  CHECK(fixture.last_stats().warnings.empty());
  // The start finished the work.
  CHECK(fixture.memory.Files("/data/segments").empty());
  CHECK(*fixture.Append(Numbered(kBatches)) == AppendOutcome::kDuplicate);
}

}  // namespace
}  // namespace dunlin::store
