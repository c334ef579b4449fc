#include "shipper/spool/spool.h"

#include <cerrno>

#include "tests/spool/spool_fixture.h"

namespace dunlin::shipper::testing {
namespace {

using Call = dunlin::testing::FaultyFileSystem::Call;
using Lasting = dunlin::testing::FaultyFileSystem::Lasting;

TEST_CASE("spool gives back what was appended, byte for byte", "[spool]") {
  SpoolFixture fixture;
  fixture.Create();
  fixture.AppendMany(40);
  REQUIRE(fixture.AppendSealed(fixture.SealGap(5)));
  fixture.AppendMany(40, 3000);
  CHECK(fixture.Segments().size() > 10);
  CHECK(fixture.CheckAll().empty());
  // Going back, and jumping.
  for (std::uint64_t sequence : {85u, 1u, 60u, 59u, 2u, 45u}) {
    auto batch = fixture.spool->Read(sequence);
    REQUIRE(batch);
    CHECK(batch->frame == fixture.batch(sequence).frame);
  }
  // Each sequence of a gap batch leads to it.
  for (std::uint64_t sequence = 41; sequence <= 45; ++sequence) {
    auto batch = fixture.spool->Read(sequence);
    REQUIRE(batch);
    CHECK(batch->first_sequence == 41);
    CHECK(batch->sequence == 45);
  }
  CHECK(fixture.spool->Read(86).error().code() == ErrorCode::kNotFound);
}

TEST_CASE("spool forgets what is acknowledged and removes its segments", "[spool]") {
  SpoolFixture fixture;
  fixture.Create();
  fixture.AppendMany(60);
  std::size_t segments = fixture.Segments().size();
  for (std::uint64_t sequence = 1; sequence <= 60; ++sequence) {
    CAPTURE(sequence);
    REQUIRE(fixture.Acknowledge(sequence));
    CHECK(fixture.spool->Read(sequence).error().code() == ErrorCode::kNotFound);
    CHECK(fixture.CheckAll().empty());
    SpoolAccounts accounts = fixture.spool->accounts();
    CHECK(accounts.batches == 60 - sequence);
    CHECK(SameCounts(accounts.unacknowledged, fixture.Accounted(sequence + 1, 60)));
    CHECK(accounts.oldest_entry.has_value() == (sequence < 60));
    if (sequence < 60) {
      CHECK(accounts.oldest_entry == fixture.batch(sequence + 1).info.oldest_entry);
    }
    CHECK(fixture.Segments().size() <= segments);
    segments = fixture.Segments().size();
  }
  CHECK(segments == 1);  // the one that grows
  CHECK(fixture.spool->empty());
  REQUIRE(fixture.folder.Remove(std::move(fixture.spool)));
  CHECK(fixture.memory.Files("/spool").empty());
}

TEST_CASE("spool goes on after a kill where it was", "[spool]") {
  SpoolFixture fixture;
  fixture.Create();
  fixture.AppendMany(60);
  REQUIRE(fixture.Acknowledge(33));
  fixture.Kill();
  REQUIRE(fixture.Adopt());
  CHECK(fixture.spool->first_sequence() == 34);
  CHECK(fixture.spool->last_sequence() == 60);
  CHECK(fixture.CheckAll().empty());
  SpoolAccounts accounts = fixture.spool->accounts();
  CHECK(accounts.batches == 27);
  CHECK(accounts.oldest_entry == fixture.batch(34).info.oldest_entry);
  CHECK(SameCounts(accounts.unacknowledged, fixture.Accounted(34, 60)));
  REQUIRE(fixture.Acknowledge(50));
  fixture.Kill();
  REQUIRE(fixture.Adopt());
  CHECK(fixture.spool->first_sequence() == 51);
  REQUIRE(fixture.Acknowledge(60));
  CHECK(fixture.spool->empty());
  REQUIRE(fixture.folder.Remove(std::move(fixture.spool)));
  CHECK(fixture.memory.Files("/spool").empty());
}

TEST_CASE("spool keeps what was synced through a power failure", "[spool]") {
  SpoolFixture fixture;
  fixture.Create();
  fixture.AppendMany(50);
  REQUIRE(fixture.Sync());
  fixture.AppendMany(2);
  fixture.PowerFailure();
  REQUIRE(fixture.Adopt());
  CHECK(fixture.spool->last_sequence() == 50);
  CHECK(fixture.CheckAll(SpoolFixture::After::kPowerFailure).empty());
}

TEST_CASE("spool drops the oldest unsent segment and keeps a gap for it", "[spool]") {
  SpoolFixture fixture;
  fixture.Create();
  fixture.AppendMany(60);
  REQUIRE(fixture.Segments().size() > 6);
  // Batches up to 3 are sent: the segment they are in stays.
  auto first = fixture.DropOldest(4);
  REQUIRE(first);
  REQUIRE(*first);
  CHECK((*first)->first_sequence > 4);
  auto second = fixture.DropOldest(4);
  REQUIRE(second);
  REQUIRE(*second);
  // The second one widens the first.
  CHECK((*second)->first_sequence == (*first)->first_sequence);
  CHECK((*second)->sequence > (*first)->sequence);
  // Once the gap is sent it stays as it is.
  auto third = fixture.DropOldest((*second)->sequence + 1);
  REQUIRE(third);
  REQUIRE(*third);
  CHECK((*third)->first_sequence == (*second)->sequence + 1);
  std::set<std::uint64_t> gone;
  for (auto sequence = (*first)->first_sequence; sequence <= (*third)->sequence; ++sequence) {
    gone.insert(sequence);
  }
  auto gap = fixture.spool->Read((*first)->first_sequence);
  REQUIRE(gap);
  CHECK(gap->gaps == (*second)->gaps);
  CHECK(gap->sequence == (*second)->sequence);
  CHECK(fixture.CheckAll() == gone);
  fixture.Kill();
  REQUIRE(fixture.Adopt());
  CHECK(fixture.CheckAll(SpoolFixture::After::kKill) == gone);
  auto again = fixture.spool->Read((*first)->first_sequence);
  REQUIRE(again);
  CHECK(again->gaps == gap->gaps);
  CHECK(again->sequence == gap->sequence);
}

TEST_CASE("spool drops until it is within its limit, and never what was sent", "[spool]") {
  SpoolFixture fixture({.limit_bytes = 16_KiB, .segment_bytes = 2_KiB});
  fixture.Create();
  std::uint64_t dropped_lines = 0;
  for (int i = 0; i < 300; ++i) {
    while (fixture.spool->over_limit(300)) {
      auto drop = fixture.DropOldest(6);
      REQUIRE(drop);
      REQUIRE(*drop);
      dropped_lines += LinesOf((*drop)->totals);
    }
    REQUIRE(fixture.Append(300, i % 5 == 0));
    CHECK(fixture.spool->accounts().bytes <= 16_KiB);
  }
  auto gaps = fixture.CheckAll();
  CHECK_FALSE(gaps.contains(5));
  std::uint64_t lines = 0;
  for (std::uint64_t sequence : gaps) lines += LinesOf(fixture.batch(sequence).info.totals);
  CHECK(lines == dropped_lines);
  // Everything is sent: nothing is left to drop.
  auto none = fixture.DropOldest(301);
  REQUIRE(none);
  CHECK_FALSE(*none);
}

TEST_CASE("spool drops what is too old", "[spool]") {
  SpoolFixture fixture(
      {.limit_bytes = 64_KiB, .max_age = std::chrono::seconds(100), .segment_bytes = 2_KiB});
  fixture.Create();
  fixture.AppendMany(50);  // one second apart
  LogTime newest = fixture.batch(50).info.oldest_entry;
  CHECK_FALSE(fixture.spool->too_old(1, newest + std::chrono::seconds(50)));
  LogTime later = newest + std::chrono::seconds(70);
  std::uint64_t last = 0;
  while (fixture.spool->too_old(1, later)) {
    auto drop = fixture.DropOldest(1);
    REQUIRE(drop);
    REQUIRE(*drop);
    last = (*drop)->sequence;
  }
  CHECK(last > 10);
  CHECK(last <= 20);
}

TEST_CASE("spool tells errno and goes on when the disk is well again", "[spool]") {
  int number = GENERATE(ENOSPC, EDQUOT, EROFS, EIO, EACCES);
  SpoolFixture fixture;
  fixture.Create();
  fixture.AppendMany(20);
  REQUIRE(fixture.Sync());
  fixture.faulty.FailCallWithErrno(0, Lasting::kForever, number);
  for (int i = 0; i < 15; ++i) {
    auto appended = fixture.Append();
    REQUIRE_FALSE(appended);
    CHECK(appended.error().error_number() == number);
  }
  CHECK_FALSE(fixture.Acknowledge(3));
  CHECK(fixture.spool->first_sequence() == 4);
  auto drop = fixture.spool->DropOldest(5, "spool_full");
  CHECK_FALSE(drop);
  fixture.CheckAll();
  fixture.faulty.Heal();
  REQUIRE(fixture.Acknowledge(3));
  fixture.AppendMany(20);
  REQUIRE(fixture.Sync());
  auto gaps = fixture.CheckAll();
  CHECK(gaps.size() == 15);  // never appended: their owner has them in memory
  fixture.PowerFailure();
  REQUIRE(fixture.Adopt());
  CHECK(fixture.CheckAll(SpoolFixture::After::kPowerFailure) == gaps);
}

TEST_CASE("spool promises nothing for what a failed sync was for, and all for what follows",
          "[spool]") {
  SpoolFixture fixture({.limit_bytes = 1_MiB});
  fixture.Create();
  fixture.AppendMany(5);
  REQUIRE(fixture.Sync());
  fixture.AppendMany(5);
  fixture.faulty.FailCallWithErrno(0, Lasting::kOnce, EIO, {Call::kSync});
  CHECK(fixture.Sync().error().error_number() == EIO);
  fixture.AppendMany(5);
  REQUIRE(fixture.Sync());
  fixture.PowerFailure();
  REQUIRE(fixture.Adopt());
  CHECK(fixture.spool->last_sequence() == 15);
  CHECK(fixture.CheckAll(SpoolFixture::After::kPowerFailure) ==
        std::set<std::uint64_t>{6, 7, 8, 9, 10});
}

TEST_CASE("spool refuses what it could not keep in order", "[spool]") {
  SpoolFixture fixture;
  fixture.Create();
  fixture.AppendMany(3);
  SpoolBatchInfo info = fixture.Seal().info;
  auto refused = [&](std::string_view frame) {
    auto appended = fixture.spool->Append(info, frame);
    return !appended && appended.error().code() == ErrorCode::kInvalidArgument;
  };
  CHECK(refused(""));
  CHECK(refused(std::string(64_KiB, 'x')));
  info.sequence = info.first_sequence = 3;
  CHECK(refused("frame"));
  info.sequence = 5;
  CHECK(refused("frame"));
  info.first_sequence = 6;
  CHECK(refused("frame"));
  CHECK(fixture.spool->last_sequence() == 3);
}

TEST_CASE("spool acknowledges on a full disk and then has room", "[spool]") {
  SpoolFixture fixture;
  fixture.Create();
  fixture.AppendMany(40);
  fixture.memory.SetFreeSpace(0);
  CHECK(fixture.Append().error().code() == ErrorCode::kExhausted);
  REQUIRE(fixture.Acknowledge(30));
  REQUIRE(fixture.Append());
  fixture.memory.SetFreeSpace(0);
  // So does dropping.
  auto drop = fixture.DropOldest(31);
  REQUIRE(drop);
  REQUIRE(*drop);
  CHECK(fixture.Append());
  fixture.CheckAll();
}

TEST_CASE("spool gives up bytes that the disk does not give when it is told to", "[spool]") {
  SpoolFixture fixture;
  fixture.Create();
  fixture.AppendMany(30);
  fixture.faulty.FailCallWithErrno(0, Lasting::kForever, EIO, {Call::kRead});
  auto failed = fixture.spool->Read(5);
  REQUIRE_FALSE(failed);
  CHECK(failed.error().error_number() == EIO);
  auto lost = fixture.spool->Read(5, Spool::Unreadable::kLose);
  REQUIRE(lost);
  CHECK(lost->frame.empty());
  CHECK(fixture.spool->accounts().damaged_batches == 1);
  fixture.faulty.Heal();
  CHECK(fixture.CheckAll().empty());
}

}  // namespace
}  // namespace dunlin::shipper::testing
