// Exactly once, whatever is killed when: a sender numbers its batches and sends again what was not
// acknowledged; the machine crashes at every possible call.
#include <algorithm>
#include <map>

#include "collector/store/wal_writer.h"
#include "tests/store/store_fixture.h"

namespace dunlin::store {
namespace {

using testing::FaultyFileSystem;
using Lasting = FaultyFileSystem::Lasting;

constexpr std::uint64_t kBatches = 12;

std::vector<TestEntry> EntriesOf(std::uint64_t sequence) {
  std::vector<TestEntry> entries;
  for (int i = 0; i < 3; ++i) {
    auto time_ns = static_cast<std::int64_t>(sequence * 10) + i;
    entries.push_back(
        {time_ns,
         StreamOf(i == 0 ? "web" : "db"),
         "batch " + std::to_string(sequence) + " line " + std::to_string(i) + std::string(200, 'x'),
         {}});
  }
  return entries;
}

AppendRequest Numbered(std::uint64_t sequence) {
  AppendRequest request = RequestOf(EntriesOf(sequence));
  request.id = BatchId{IdOf(1), IdOf(2), sequence, 1};
  return request;
}

/// How often each line is in the store.
std::map<std::string, int> Count(StoreFixture& fixture) {
  std::map<std::string, int> counts;
  for (const TestEntry& entry : fixture.ScanAll()) ++counts[entry.line];
  return counts;
}

/// Sends everything from where the store wants to go on; answers the last acknowledged sequence.
std::uint64_t SendAll(StoreFixture& fixture, std::uint64_t acked) {
  std::uint64_t next = fixture.store().NextSequence(IdOf(1), IdOf(2));
  // What was acknowledged is durable; what was only sent may be, too.
  REQUIRE(next > acked);
  acked = next - 1;
  for (std::uint64_t sequence = next; sequence <= kBatches; ++sequence) {
    auto outcome = fixture.Append(Numbered(sequence));
    if (!outcome) return acked;
    CHECK(*outcome == AppendOutcome::kStored);
    acked = sequence;
    // Its answer does not matter: the entries are in the WAL.
    if (sequence % 4 == 0 && !fixture.store().Flush()) continue;
    if (sequence == 9 && !fixture.store().ApplyRetention()) continue;
    if (sequence >= 10 && sequence % 2 == 0 && !fixture.store().Compact()) continue;
  }
  return acked;
}

void CheckExactlyOnce(StoreFixture& fixture, std::uint64_t acked) {
  auto counts = Count(fixture);
  for (std::uint64_t sequence = 1; sequence <= kBatches; ++sequence) {
    int wanted = -1;
    for (const TestEntry& entry : EntriesOf(sequence)) {
      int count = counts[entry.line];
      CAPTURE(sequence, acked, entry.line);
      CHECK(count <= 1);
      if (sequence <= acked) CHECK(count == 1);
      // A batch is there whole or not at all.
      if (wanted == -1) wanted = count;
      CHECK(count == wanted);
    }
  }
  CHECK(fixture.last_stats().warnings.empty());
}

enum class Death { kPowerFailure, kTornPowerFailure, kKill };

void Die(StoreFixture& fixture, Death death, std::uint64_t seed) {
  switch (death) {
    case Death::kPowerFailure:
      fixture.CrashAndReopen();
      break;
    case Death::kTornPowerFailure:
      fixture.CrashTornAndReopen(seed);
      break;
    case Death::kKill:
      fixture.KillAndReopen();
      break;
  }
}

void DieAtEveryCall(Death death, std::uint64_t head_bytes) {
  for (std::uint64_t n = 0;; n += kStride) {
    StoreFixture fixture;
    fixture.options.head_bytes = head_bytes;
    fixture.options.wal_file_bytes = 4096;
    fixture.options.retention_age = std::chrono::hours(24 * 365 * 100);
    fixture.Open();
    // From call n on nothing reaches the files: the process is as good as dead there.
    fixture.files().FailCall(n, Lasting::kForever);
    std::uint64_t acked = SendAll(fixture, 0);
    bool reached = fixture.files().failures() > 0;
    CAPTURE(static_cast<int>(death), head_bytes, n);
    Die(fixture, death, n);
    CheckExactlyOnce(fixture, acked);
    acked = SendAll(fixture, acked);
    CHECK(acked == kBatches);
    CheckExactlyOnce(fixture, acked);
    fixture.Close();
    fixture.Open();
    CheckExactlyOnce(fixture, acked);
    if (!reached) break;
  }
}

// Large heads are written by Flush only; small ones also while batches come in.
constexpr std::uint64_t kLargeHead = 1 << 20;
constexpr std::uint64_t kSmallHead = 30'000;

TEST_CASE("a power failure at any call keeps what was acknowledged exactly once",
          "[store][crash]") {
  DieAtEveryCall(Death::kPowerFailure, GENERATE(kLargeHead, kSmallHead));
}

TEST_CASE("a power failure that keeps parts of writes is survived at any call", "[store][crash]") {
  DieAtEveryCall(Death::kTornPowerFailure, GENERATE(kLargeHead, kSmallHead));
}

TEST_CASE("kill -9 at any call keeps what was acknowledged exactly once", "[store][crash]") {
  DieAtEveryCall(Death::kKill, GENERATE(kLargeHead, kSmallHead));
}

TEST_CASE("a crash at any call of a restart loses nothing", "[store][crash]") {
  auto death = GENERATE(Death::kPowerFailure, Death::kTornPowerFailure, Death::kKill);
  for (std::uint64_t n = 0;; n += kStride) {
    StoreFixture fixture;
    fixture.options.head_bytes = 2000;
    fixture.options.wal_file_bytes = 4096;
    fixture.Open();
    std::uint64_t acked = SendAll(fixture, 0);
    REQUIRE(acked == kBatches);
    Die(fixture, Death::kPowerFailure, 0);
    fixture.Close();
    fixture.files().FailCall(n, Lasting::kForever);
    auto opened = fixture.TryOpen();
    fixture.Close();
    bool reached = fixture.files().failures() > 0;
    CAPTURE(static_cast<int>(death), n);
    Die(fixture, death, n);
    CheckExactlyOnce(fixture, acked);
    if (!reached) break;
  }
}

TEST_CASE("one failing call is survived without a restart", "[store][crash]") {
  auto code = GENERATE(ErrorCode::kIo, ErrorCode::kExhausted);
  for (std::uint64_t n = 0;; n += kStride) {
    StoreFixture fixture;
    fixture.options.wal_file_bytes = 4096;
    fixture.Open();
    fixture.files().FailCall(n, Lasting::kOnce, code);
    CAPTURE(n, ErrorCodeName(code));
    std::uint64_t acked = SendAll(fixture, 0);
    fixture.clock.Advance(std::chrono::seconds(2));  // a full disk is looked at again
    acked = SendAll(fixture, acked);
    CHECK(acked == kBatches);
    CheckExactlyOnce(fixture, acked);
    bool reached = fixture.files().failures() > 0;
    fixture.files().Heal();
    Die(fixture, Death::kPowerFailure, 0);
    CheckExactlyOnce(fixture, acked);
    if (!reached) break;
  }
}

TEST_CASE("when no wal file can be written, nothing is acknowledged and reads go on",
          "[store][crash]") {
  StoreFixture fixture;
  fixture.Open();
  REQUIRE(fixture.Append(Numbered(1)));
  fixture.files().FailCall(0, Lasting::kForever, ErrorCode::kIo, {FaultyFileSystem::Call::kSync});
  auto refused = fixture.Append(Numbered(2));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code() == ErrorCode::kIo);
  CHECK(fixture.store().Stats().read_only);
  CHECK(fixture.ScanAll() == EntriesOf(1));
  // What is durable is still recognised.
  CHECK(*fixture.Append(Numbered(1)) == AppendOutcome::kDuplicate);
  REQUIRE(fixture.store().Refusal());
  CHECK(fixture.store().Refusal()->code() == ErrorCode::kIo);
  fixture.CrashAndReopen();
  CHECK(fixture.ScanAll() == EntriesOf(1));
  CHECK(SendAll(fixture, 1) == kBatches);
}

TEST_CASE("a full disk refuses appends and recovers when there is space", "[store][crash]") {
  StoreFixture fixture;
  fixture.options.min_free_bytes = 1 << 20;
  fixture.Open();
  REQUIRE(fixture.Append(Numbered(1)));
  fixture.memory.SetFreeSpace(1000);
  fixture.clock.Advance(std::chrono::seconds(2));
  auto refused = fixture.Append(Numbered(2));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code() == ErrorCode::kExhausted);
  CHECK(fixture.store().Stats().read_only);
  CHECK(fixture.ScanAll() == EntriesOf(1));
  fixture.memory.SetFreeSpace(1 << 30);
  fixture.clock.Advance(std::chrono::seconds(2));
  CHECK(SendAll(fixture, 1) == kBatches);
  CHECK_FALSE(fixture.store().Stats().read_only);
  CheckExactlyOnce(fixture, kBatches);
}

TEST_CASE("a disk that fills up without warning refuses appends too", "[store][crash]") {
  StoreFixture fixture;
  fixture.options.wal_file_bytes = 4096;
  fixture.Open();
  REQUIRE(fixture.Append(Numbered(1)));
  fixture.memory.SetFreeSpace(0);
  std::uint64_t acked = 1;
  for (std::uint64_t sequence = 2; sequence <= kBatches; ++sequence) {
    auto outcome = fixture.Append(Numbered(sequence));
    if (!outcome) {
      CHECK(outcome.error().code() == ErrorCode::kExhausted);
      break;
    }
    acked = sequence;
  }
  CHECK(acked < kBatches);
  CHECK(fixture.store().Stats().disk_full);
  CHECK_FALSE(fixture.store().Flush());
  fixture.memory.SetFreeSpace(1 << 30);
  fixture.clock.Advance(std::chrono::seconds(2));
  CHECK(SendAll(fixture, acked) == kBatches);
  fixture.CrashAndReopen();
  CheckExactlyOnce(fixture, kBatches);
}

TEST_CASE("the log is written again when the disk is well again", "[store][crash]") {
  StoreFixture fixture;
  fixture.Open();
  REQUIRE(fixture.Append(Numbered(1)));
  fixture.files().FailCall(0, Lasting::kForever, ErrorCode::kIo, {FaultyFileSystem::Call::kSync});
  for (int attempt = 0; attempt < 3; ++attempt) {
    REQUIRE_FALSE(fixture.Append(Numbered(2)));
    CHECK(fixture.store().Stats().wal_failed);
    fixture.clock.Advance(std::chrono::seconds(30));
  }
  fixture.files().Heal();
  CHECK(SendAll(fixture, 1) == kBatches);
  CHECK_FALSE(fixture.store().Stats().wal_failed);
  CHECK_FALSE(fixture.store().Stats().read_only);
  CHECK(fixture.store().Stats().wal_failures_total >= 4);
  CheckExactlyOnce(fixture, kBatches);
  Die(fixture, GENERATE(Death::kPowerFailure, Death::kTornPowerFailure, Death::kKill), 1);
  CheckExactlyOnce(fixture, kBatches);
}

TEST_CASE("while the log cannot be written, the disk is left in peace between attempts",
          "[store][crash]") {
  StoreFixture fixture;
  fixture.Open();
  REQUIRE(fixture.Append(Numbered(1)));
  fixture.files().FailCall(0, Lasting::kForever, ErrorCode::kIo, {FaultyFileSystem::Call::kSync});
  REQUIRE_FALSE(fixture.Append(Numbered(2)));
  std::uint64_t failures = fixture.files().failures();
  for (int i = 0; i < 5; ++i) REQUIRE_FALSE(fixture.Append(Numbered(2)));
  CHECK(fixture.files().failures() == failures);
}

TEST_CASE("nothing is acknowledged after a failed sync unless a later file takes it",
          "[store][crash]") {
  using Call = FaultyFileSystem::Call;
  for (std::uint64_t n = 0;; n += kStride) {
    StoreFixture fixture;
    fixture.options.wal_file_bytes = 4096;
    fixture.Open();
    // From the n-th sync on none succeeds, so no promise made afterwards could be kept.
    fixture.files().FailCall(n, Lasting::kForever, ErrorCode::kIo,
                             {Call::kSync, Call::kSyncDirectory});
    CAPTURE(n);
    std::uint64_t acked = 0;
    for (std::uint64_t sequence = 1; sequence <= kBatches; ++sequence) {
      bool failing = fixture.files().failures() > 0;
      auto outcome = fixture.Append(Numbered(sequence));
      if (failing) CHECK((!outcome || *outcome == AppendOutcome::kGap));
      if (outcome && *outcome == AppendOutcome::kStored) acked = sequence;
      fixture.clock.Advance(std::chrono::seconds(31));
      if (sequence % 4 == 0 && !fixture.store().Flush()) continue;
    }
    // Reads go on.
    CheckExactlyOnce(fixture, acked);
    bool reached = fixture.files().failures() > 0;
    Die(fixture, Death::kPowerFailure, 0);
    CheckExactlyOnce(fixture, acked);
    CHECK(SendAll(fixture, acked) == kBatches);
    CheckExactlyOnce(fixture, kBatches);
    if (!reached) break;
  }
}

TEST_CASE("a head that cannot be written holds no append up", "[store][crash]") {
  StoreFixture fixture;
  fixture.Open();
  REQUIRE(fixture.Append(Numbered(1)));
  fixture.files().FailCall(0, Lasting::kForever, ErrorCode::kIo, {FaultyFileSystem::Call::kRename});
  for (std::uint64_t sequence = 2; sequence <= kBatches; ++sequence) {
    CHECK_FALSE(fixture.store().Flush());
    REQUIRE(fixture.Append(Numbered(sequence)));
  }
  fixture.files().Heal();
  REQUIRE(fixture.store().Flush());
  CHECK(fixture.store().Stats().head_lines == 0);
  CheckExactlyOnce(fixture, kBatches);
}

TEST_CASE("what a given-up file kept of a refused group is not stored twice", "[store][crash]") {
  StoreFixture fixture;
  fixture.Open();
  REQUIRE(SendAll(fixture, 0) == kBatches);
  fixture.Close();
  // As if a file could not be removed in which a group was refused: its second record has a number
  // that nothing covers yet, and a batch that came again and was stored since.
  {
    WalWriter writer(fixture.memory, fixture.clock, {"/data/wal", 4096, 0}, 1, kBatches, {});
    AppendRequest first = Numbered(kBatches - 1);
    AppendRequest second = Numbered(kBatches);
    auto batch_of = [](const AppendRequest& request) {
      return WalBatch{request.id, {}, 42, request.payload_format, request.context, request.payload};
    };
    REQUIRE(writer.Commit(std::vector{batch_of(first), batch_of(second)}));
  }
  fixture.Open();
  CheckExactlyOnce(fixture, kBatches);
  CHECK(fixture.store().NextSequence(IdOf(1), IdOf(2)) == kBatches + 1);
}

TEST_CASE("a second copy of a batch waits until the first is durable", "[store][crash]") {
  StoreFixture fixture;
  fixture.Open();
  REQUIRE(fixture.Append(Numbered(1)));
  fixture.files().HoldSyncs();
  std::vector<std::future<Result<AppendOutcome>>> answers;
  auto append = [&](std::uint64_t sequence) {
    auto promise = std::make_shared<std::promise<Result<AppendOutcome>>>();
    answers.push_back(promise->get_future());
    fixture.store().Append(Numbered(sequence), [promise](Result<AppendOutcome> outcome) {
      promise->set_value(std::move(outcome));
    });
  };
  append(2);  // goes alone into the group whose sync is held
  fixture.files().WaitForHeldSync();
  append(3);
  append(3);
  append(2);
  append(5);
  CHECK(fixture.store().NextSequence(IdOf(1), IdOf(2)) == 2);
  for (auto& answer : answers) {
    CHECK(answer.wait_for(std::chrono::seconds(0)) == std::future_status::timeout);
  }
  SECTION("and is acknowledged with it") {
    fixture.files().ReleaseSyncs();
    CHECK(*answers[0].get() == AppendOutcome::kStored);
    CHECK(*answers[1].get() == AppendOutcome::kStored);
    CHECK(*answers[2].get() == AppendOutcome::kDuplicate);
    CHECK(*answers[3].get() == AppendOutcome::kDuplicate);
    CHECK(*answers[4].get() == AppendOutcome::kGap);
    CHECK(fixture.store().NextSequence(IdOf(1), IdOf(2)) == 4);
  }
  SECTION("and is refused with it") {
    fixture.files().FailCall(0, Lasting::kForever);
    fixture.files().ReleaseSyncs();
    for (auto& promised : answers) {
      auto answer = promised.get();
      // Batches after the one that failed now skip ahead.
      if (answer) CHECK(*answer == AppendOutcome::kGap);
    }
    CHECK(fixture.store().NextSequence(IdOf(1), IdOf(2)) == 2);
  }
}

TEST_CASE("a store that is closed leaves no wal behind and opens clean", "[store][crash]") {
  StoreFixture fixture;
  fixture.Open();
  REQUIRE(SendAll(fixture, 0) == kBatches);
  fixture.Close();
  CHECK(fixture.memory.Files("/data/wal").empty());
  fixture.Open();
  CheckExactlyOnce(fixture, kBatches);
  // Known before the restart, and from the manifest alone.
  CHECK(*fixture.Append(Numbered(5)) == AppendOutcome::kDuplicate);
}

TEST_CASE("a batch refused when the store stops says so", "[store]") {
  StoreFixture fixture;
  fixture.Open();
  fixture.files().HoldSyncs();
  std::vector<std::future<Result<AppendOutcome>>> answers;
  for (std::uint64_t sequence = 1; sequence <= 2; ++sequence) {
    auto promise = std::make_shared<std::promise<Result<AppendOutcome>>>();
    answers.push_back(promise->get_future());
    fixture.store().Append(Numbered(sequence), [promise](Result<AppendOutcome> outcome) {
      promise->set_value(std::move(outcome));
    });
    if (sequence == 1) fixture.files().WaitForHeldSync();
  }
  auto closed = std::async(std::launch::async, [&] { fixture.Close(); });
  auto queued = answers[1].get();
  REQUIRE_FALSE(queued);
  CHECK(queued.error().code() == ErrorCode::kUnavailable);
  fixture.files().ReleaseSyncs();
  CHECK(*answers[0].get() == AppendOutcome::kStored);
  closed.get();
}

}  // namespace
}  // namespace dunlin::store
