#include "shipper/spool/spool_folder.h"

#include "shipper/spool/spool_format.h"
#include "tests/spool/sparse_file_system.h"
#include "tests/spool/spool_fixture.h"
#include "tests/support/temp_dir.h"

namespace dunlin::shipper::testing {
namespace {

RandomId Boot(std::uint8_t n) {
  RandomId id{};
  id[15] = n;
  return id;
}

TEST_CASE("a spool of two gigabytes is opened by its summaries", "[spool][folder]") {
  dunlin::testing::TempDir temp;
  SparseFileSystem fs;
  SpoolFolder folder(fs, temp.path(), {.limit_bytes = 4096_MiB});
  {
    auto spool = folder.Create("web-1", kBoot, kIdentity);
    REQUIRE(spool);
    std::string frame(256_KiB, '\0');
    SpoolBatchInfo info;
    info.totals[0] = {10, 100, 1};
    for (std::uint64_t sequence = 1; sequence <= 8200; ++sequence) {
      info.first_sequence = info.sequence = sequence;
      REQUIRE((*spool)->Append(info, frame));
      info.before = AfterBatch(info);
    }
  }
  fs.counts = {};
  auto orphans = folder.Orphans("");
  REQUIRE(orphans);
  REQUIRE(orphans->size() == 1);
  auto spool = folder.Adopt(orphans->front());
  REQUIRE(spool);
  SpoolAccounts accounts = (*spool)->accounts();
  CHECK(accounts.bytes > 2048_MiB);
  CHECK(accounts.batches == 8200);
  CHECK(accounts.segments > 256);
  // Head, first record and summary of each; the records of the last one.
  CHECK(fs.counts.bytes_read < accounts.segments * 6_KiB + 256_KiB);
  CHECK(fs.counts.reads < accounts.segments * 4 + 100);
  CHECK(fs.counts.largest_read < 128_KiB);
}

TEST_CASE("a spool folder on a real disk is used by one at a time", "[spool][folder]") {
  dunlin::testing::TempDir temp;
  std::string shared = temp.File("shared");
  SpoolFolder one(PosixFileSystem(), shared, {.limit_bytes = 1_MiB});
  SpoolFolder two(PosixFileSystem(), shared, {.limit_bytes = 1_MiB});
  auto none = one.Orphans("a");
  REQUIRE(none);
  CHECK(none->empty());

  auto first = one.Create("a", Boot(1), "first");
  auto second = two.Create("b", Boot(2), "second");
  auto third = two.Create("a", Boot(3), "third");
  REQUIRE((first && second && third));
  CHECK(two.Create("a", Boot(1), "again").error().code() == ErrorCode::kAlreadyExists);
  SpoolBatchInfo info;
  info.first_sequence = info.sequence = 1;
  info.totals[0] = {1, 5, 1};
  for (auto* spool : {&first, &second, &third}) {
    REQUIRE((**spool)->Append(info, "frame of " + (**spool)->identity()));
    REQUIRE((**spool)->Sync());
  }
  // All are alive.
  CHECK(two.Orphans("a")->empty());
  CHECK(two.Adopt({"a", ToHex(Boot(1))}).error().code() == ErrorCode::kAlreadyExists);

  first->reset();
  second->reset();
  auto orphans = one.Orphans("b");
  REQUIRE(orphans);
  REQUIRE(orphans->size() == 2);
  CHECK(orphans->at(0).instance == "b");  // its own first
  auto adopted = one.Adopt(orphans->at(1));
  REQUIRE(adopted);
  CHECK(two.Adopt(orphans->at(1)).error().code() == ErrorCode::kAlreadyExists);
  CHECK((*adopted)->identity() == "first");
  CHECK((*adopted)->Read(1)->frame == "frame of first");
  REQUIRE((*adopted)->Acknowledge(1));
  REQUIRE(one.Remove(std::move(*adopted)));
  CHECK(two.Adopt(orphans->at(1)).error().code() == ErrorCode::kNotFound);
  CHECK(two.Orphans("a")->size() == 1);
  CHECK(*PosixFileSystem().List(shared + "/a") ==
        std::vector<std::string>{ToHex(Boot(3)), ToHex(Boot(3)) + ".lock"});
  // With its last boot the instance's folder goes.
  auto last = two.Adopt(orphans->at(0));
  REQUIRE(last);
  REQUIRE(two.Remove(std::move(*last)));
  CHECK(*PosixFileSystem().List(shared) == std::vector<std::string>{"a"});
}

TEST_CASE("what a kill left of an empty spool is cleared away", "[spool][folder]") {
  dunlin::testing::TempDir temp;
  SpoolFolder folder(PosixFileSystem(), temp.path(), {});
  { auto spool = folder.Create("a", Boot(1), "identity"); }
  // Only the lock was made.
  REQUIRE(PosixFileSystem().CreateDirectories(temp.File("b")));
  { auto lock = PosixFileSystem().Lock(temp.File("b/" + ToHex(Boot(2)) + ".lock")); }
  REQUIRE(WriteFileAtomically(PosixFileSystem(), temp.File("notes"), "not ours"));
  auto orphans = folder.Orphans("a");
  REQUIRE(orphans);
  CHECK(orphans->empty());
  CHECK(*PosixFileSystem().List(temp.path()) == std::vector<std::string>{"notes"});
}

TEST_CASE("an instance is no path", "[spool][folder]") {
  SpoolFixture fixture;
  for (std::string_view name : {"", ".", "..", "a/b"}) {
    CHECK(fixture.folder.Create(name, kBoot, kIdentity).error().code() ==
          ErrorCode::kInvalidArgument);
  }
  CHECK(fixture.folder.Adopt({"..", ToHex(kBoot)}).error().code() == ErrorCode::kInvalidArgument);
  CHECK(fixture.folder.Adopt({"a", "../b"}).error().code() == ErrorCode::kInvalidArgument);
}

TEST_CASE("a spool is created or nothing is left, whichever call fails", "[spool][folder]") {
  for (std::uint64_t n = 0;; ++n) {
    CAPTURE(n);
    SpoolFixture fixture;
    fixture.faulty.FailCall(n, dunlin::testing::FaultyFileSystem::Lasting::kOnce);
    auto made = fixture.folder.Create("web-1", kBoot, kIdentity);
    bool failed = fixture.faulty.failures() > 0;
    fixture.faulty.Heal();
    CHECK(made.has_value() == !failed);
    if (!failed) break;
    CHECK(fixture.folder.Orphans("")->empty());
    fixture.Create();
    fixture.AppendMany(3);
  }
}

TEST_CASE("an identity survives the damage of either place it is in", "[spool][folder]") {
  SpoolFixture fixture;
  fixture.Create();
  fixture.AppendMany(3);
  fixture.Kill();
  std::string segment = fixture.Segments().front();
  std::string boot = fixture.Folder() + "/boot";
  std::string damaged = GENERATE_COPY(segment, boot);
  fixture.memory.Corrupt(damaged, fixture.memory.Contents(damaged).find(kIdentity), 1);
  SECTION("one") {
    REQUIRE(fixture.Adopt());
    CHECK(fixture.spool->identity() == kIdentity);
    CHECK(fixture.CheckAll(SpoolFixture::After::kKill).empty());
  }
  SECTION("both") {
    std::string other = damaged == boot ? segment : boot;
    fixture.memory.Corrupt(other, fixture.memory.Contents(other).find(kIdentity), 1);
    auto adopted = fixture.folder.Adopt({"web-1", ToHex(kBoot)});
    REQUIRE_FALSE(adopted);
    CHECK(adopted.error().code() == ErrorCode::kCorruption);
    CHECK(fixture.memory.Exists(segment));
  }
}

}  // namespace
}  // namespace dunlin::shipper::testing
