// The shipper with a spool in a real folder.
#include <cerrno>
#include <string>

#include "protocol/base/file_system.h"
#include "tests/shipper/spool_rig.h"
#include "tests/support/catch.h"
#include "tests/support/manual_clock.h"

namespace dunlin::shipper {
namespace {

TEST_CASE("an outage longer than memory costs no line when there is a spool", "[shipper][spool]") {
  SpoolRig rig;
  rig.options.queue.limit_bytes = 1_MiB;
  rig.Restart();
  rig.collector.CloseListener();
  rig.shipper->Start({});
  for (int i = 0; i < 40; ++i) {
    rig.Write(1000);
    RunUntil(rig.loop, [&] { return !rig.shipper->queue().has_unwritten(); });
    CHECK(rig.shipper->queue().bytes() <= 1_MiB);
    rig.CheckIdentity();
  }
  CHECK(rig.shipper->queue().on_disk_only());
  rig.collector.OpenListener();
  rig.Flush();
  CHECK(rig.collector.durable_lines() == 40'000);
  CHECK(rig.collector.gaps.empty());
  CHECK(rig.shipper->Account() == LineAccount{40'000, 40'000, 0, 0, 0});
  rig.Save();
  CHECK(rig.Spools() == 0);
}

TEST_CASE("what was not sent at the end is delivered by the next on the folder",
          "[shipper][spool]") {
  SpoolRig rig;
  rig.collector.CloseListener();
  rig.shipper->Start({});
  rig.Write(3000);
  rig.Save();
  const LineAccount saved = rig.shipper->Account();
  CHECK(saved.spooled == 3000);
  rig.shipper->Abandon();
  CHECK(rig.shipper->Account() == saved);
  rig.Restart();
  CHECK(rig.Spools() == 1);
  rig.collector.OpenListener();
  rig.shipper->Start({});
  RunUntil(rig.loop, [&] { return rig.shipper->adopted()->finished_spools == 1; });
  CHECK(rig.collector.durable_lines() == 3000);
  CHECK(rig.shipper->adopted()->acknowledged_lines == 3000);
  CHECK(rig.shipper->adopted()->dropped_lines == 0);
  CHECK(rig.shipper->Account().captured == 0);
}

TEST_CASE("a spool whose every batch was acknowledged before the kill is removed",
          "[shipper][spool]") {
  SpoolRig rig;
  const std::string identity = wire::Encode(rig.options.sender->hello);
  {
    SpoolFolder left(PosixFileSystem(), rig.folder.path(), {});
    auto spool = left.Create("one", RandomId{9}, identity);
    REQUIRE(spool);
    SpoolBatchInfo info;
    info.first_sequence = info.sequence = 1;
    REQUIRE((*spool)->Append(info, "a frame"));
    // The segment that is open stays; its owner would remove it at its end.
    REQUIRE((*spool)->Acknowledge(1));
  }
  REQUIRE(rig.Spools() == 1);
  rig.shipper->Start({});
  RunUntil(rig.loop, [&] { return rig.shipper->adopted()->finished_spools == 1; });
  CHECK(rig.Spools() == 0);
}

TEST_CASE("it is told what others left, what cannot be used, and what others hold",
          "[shipper][spool]") {
  SpoolRig rig;
  SpoolFolder left(PosixFileSystem(), rig.folder.path(), {});
  auto leave = [&](std::uint8_t boot, const std::string& identity) {
    auto spool = left.Create("one", RandomId{boot}, identity);
    REQUIRE(spool);
    SpoolBatchInfo info;
    info.first_sequence = info.sequence = 1;
    info.totals[0].lines = 10;
    REQUIRE((*spool)->Append(info, "a frame"));
    return std::move(*spool);
  };
  const std::string identity = wire::Encode(rig.options.sender->hello);
  const auto held = leave(0x10, identity);
  leave(0x20, "\xff");
  leave(0x30, identity);
  leave(0x40, identity);
  rig.collector.CloseListener();
  rig.shipper->Start({});
  // Its own is neither an orphan nor others'.
  rig.Write(2000);
  RunUntil(rig.loop, [&] {
    auto adopted = rig.shipper->adopted();
    return adopted->current && !adopted->current->last_error.empty();
  });
  const AdoptionStatistics adopted = *rig.shipper->adopted();
  CHECK(adopted.current->name == "one/30000000000000000000000000000000");
  CHECK(adopted.current->lines == 10);
  CHECK_FALSE(adopted.current->connected);
  CHECK(adopted.waiting_spools == 1);
  CHECK(adopted.held_spools == 1);
  CHECK(adopted.unusable_spools == 1);
  CHECK_FALSE(adopted.problem.empty());
}

TEST_CASE("a full spool drops its oldest and says so", "[shipper][spool]") {
  SpoolRig rig;
  rig.options.queue.limit_bytes = 256_KiB;
  rig.options.batcher.batch_bytes = 16_KiB;
  rig.spool_options.limit_bytes = 1_MiB;
  rig.Restart();
  rig.collector.CloseListener();
  rig.shipper->Start({});
  for (int i = 0; i < 40; ++i) {
    rig.Write(1000);
    RunUntil(rig.loop, [&] { return !rig.shipper->queue().has_unwritten(); });
    CHECK(rig.shipper->spool()->accounts.bytes <= 1_MiB);
    rig.CheckIdentity();
  }
  rig.collector.OpenListener();
  rig.Flush();
  const Dropped full =
      rig.shipper->queue().dropped()[static_cast<std::size_t>(DropReason::kSpoolFull)];
  CHECK(full.lines > 5'000);
  std::uint64_t in_gaps = 0;
  for (const wire::Gap& gap : rig.collector.gaps) in_gaps += gap.lines;
  CHECK(in_gaps == rig.shipper->Account().dropped);
  CHECK(rig.collector.durable_lines() + in_gaps == 40'000);
  CHECK_FALSE(rig.collector.failed());
}

TEST_CASE("with block a full spool holds up the process instead", "[shipper][spool]") {
  SpoolRig rig;
  rig.options.queue = {256_KiB, WhenFull::kBlock};
  rig.options.batcher.batch_bytes = 16_KiB;
  rig.spool_options.limit_bytes = 1_MiB;
  rig.Restart();
  rig.collector.CloseListener();
  rig.shipper->Start({});
  int written = 0;
  // Until memory and disk are full.
  RunUntil(rig.loop, [&] {
    if (rig.shipper->has_room()) {
      rig.Write(1000);
      ++written;
    }
    return !rig.shipper->has_room() && rig.shipper->spool()->full;
  });
  CHECK(rig.shipper->spool()->accounts.bytes > 1_MiB - 2 * 16_KiB);
  CHECK(written > 10);
  CHECK(written < 30);
  CHECK(rig.shipper->Account().dropped == 0);
  rig.collector.OpenListener();
  rig.Flush();
  CHECK(rig.shipper->has_room());
  CHECK(rig.collector.durable_lines() == 1000U * static_cast<unsigned>(written));
  CHECK_FALSE(rig.shipper->spool()->full);
}

TEST_CASE("a folder that cannot be used is memory's matter, and is told", "[shipper][spool]") {
  SpoolRig rig;
  REQUIRE(WriteFileAtomically(PosixFileSystem(), rig.folder.path() + "/one", "a file"));
  rig.Restart();
  rig.shipper->Start({});
  rig.Write(2000);
  rig.Flush();
  CHECK(rig.collector.durable_lines() == 2000);
  RunUntil(rig.loop, [&] { return !rig.shipper->spool()->errors.empty(); });
  CHECK_FALSE(rig.shipper->spool()->last_error.empty());
  CHECK(rig.shipper->spool()->last_errno == EEXIST);
  CHECK(rig.shipper->spool()->failing_since);
  CHECK(rig.shipper->Account() == LineAccount{2000, 2000, 0, 0, 0});
}

std::uint64_t LinesInGaps(const ScriptedCollector& collector, std::string_view reason) {
  std::uint64_t lines = 0;
  for (const wire::Gap& gap : collector.gaps) lines += gap.reason == reason ? gap.lines : 0;
  return lines;
}

TEST_CASE("lines that are too old leave the disk of an agent that is idle", "[shipper][spool]") {
  SpoolRig rig;
  testing::ManualClock clock;
  rig.clock = &clock;
  rig.options.batcher.batch_bytes = 16_KiB;
  rig.spool_options.max_age = std::chrono::hours(1);
  rig.timing.look_interval = std::chrono::milliseconds(5);
  rig.Restart();
  rig.collector.CloseListener();
  rig.shipper->Start({});
  rig.Write(1000);
  RunUntil(rig.loop, [&] { return !rig.shipper->queue().has_unwritten(); });
  const std::uint64_t spooled = rig.shipper->Account().spooled;
  CHECK(spooled > 500);
  CHECK(rig.shipper->queue().bytes() > 0);  // memory has them, too
  clock.Advance(std::chrono::hours(2));
  const auto too_old = [&] {
    return rig.shipper->queue().dropped()[static_cast<std::size_t>(DropReason::kTooOld)].lines;
  };
  RunUntil(rig.loop, [&] { return too_old() == spooled; });
  CHECK(rig.shipper->Account().spooled == 0);
  rig.CheckIdentity();
  rig.collector.OpenListener();
  rig.Flush();
  CHECK(rig.collector.durable_lines() == 1000 - spooled);
  CHECK(LinesInGaps(rig.collector, "too_old") == spooled);
  rig.shipper.reset();
}

/// The account of a process that is gone: nothing of what it spooled was sent.
LineAccount SpoolAndSave(SpoolRig& rig, int thousands) {
  rig.collector.CloseListener();
  rig.shipper->Start({});
  for (int i = 0; i < thousands; ++i) {
    rig.Write(1000);
    RunUntil(rig.loop, [&] { return !rig.shipper->queue().has_unwritten(); });
  }
  rig.Save();
  return rig.shipper->Account();
}

/// The same for one that dropped nothing; the lines that it left.
std::uint64_t LeaveSpool(SpoolRig& rig, int thousands) {
  const std::uint64_t left = SpoolAndSave(rig, thousands).spooled;
  CHECK(left == 1000U * static_cast<unsigned>(thousands));
  return left;
}

void DeliverSpool(SpoolRig& rig) {
  rig.Restart();
  rig.collector.OpenListener();
  rig.shipper->Start({});
  RunUntil(rig.loop, [&] { return rig.shipper->adopted()->finished_spools == 1; });
  CHECK(rig.Spools() == 0);
  CHECK_FALSE(rig.collector.failed());
}

TEST_CASE("what others left is not delivered when it is too old, and that is told",
          "[shipper][spool]") {
  SpoolRig rig;
  testing::ManualClock clock;
  rig.clock = &clock;
  rig.options.batcher.batch_bytes = 16_KiB;
  rig.Restart();
  const std::uint64_t left = LeaveSpool(rig, 2);
  rig.spool_options.max_age = std::chrono::hours(1);
  SECTION("all of it") {
    clock.Advance(std::chrono::hours(2));
    DeliverSpool(rig);
    CHECK(rig.collector.durable_lines() == 0);
    CHECK(LinesInGaps(rig.collector, "too_old") == left);
    CHECK(rig.shipper->adopted()->dropped_lines == left);
  }
  SECTION("but nothing that may be delivered") {
    clock.Advance(std::chrono::minutes(30));
    DeliverSpool(rig);
    CHECK(rig.collector.durable_lines() == left);
    CHECK(rig.collector.gaps.empty());
  }
  rig.shipper.reset();
}

TEST_CASE("what others left is delivered whole, whatever limit is this agent's",
          "[shipper][spool]") {
  SpoolRig rig;
  rig.options.batcher.batch_bytes = 16_KiB;
  rig.spool_options.segment_bytes = 128_KiB;
  rig.Restart();
  const std::uint64_t left = LeaveSpool(rig, 20);
  rig.spool_options.limit_bytes = 1_MiB;
  DeliverSpool(rig);
  CHECK(rig.collector.durable_lines() == left);
  CHECK(rig.collector.gaps.empty());
  CHECK(rig.shipper->adopted()->acknowledged_lines == left);
  CHECK(rig.shipper->adopted()->dropped_lines == 0);
}

TEST_CASE("what others dropped themselves is told in their stream and not counted again",
          "[shipper][spool]") {
  SpoolRig rig;
  rig.options.queue.limit_bytes = 256_KiB;
  rig.options.batcher.batch_bytes = 16_KiB;
  rig.spool_options.segment_bytes = 128_KiB;
  rig.spool_options.limit_bytes = 1_MiB;
  rig.Restart();
  const LineAccount left = SpoolAndSave(rig, 20);
  CHECK(left.dropped > 1000);
  CHECK(left.spooled + left.dropped == 20'000);
  DeliverSpool(rig);
  CHECK(rig.collector.durable_lines() == left.spooled);
  CHECK(LinesInGaps(rig.collector, "spool_full") == left.dropped);
  CHECK(rig.shipper->adopted()->acknowledged_lines == left.spooled);
  CHECK(rig.shipper->adopted()->dropped_lines == 0);
}

TEST_CASE("a batch that is rejected of what others left leaves a marker in their stream",
          "[shipper][spool]") {
  SpoolRig rig;
  rig.options.batcher.batch_bytes = 16_KiB;
  rig.Restart();
  const std::uint64_t left = LeaveSpool(rig, 1);
  rig.collector.on_batch = [&](const ScriptedCollector::Batch& batch) {
    if (batch.sequence != 2) return false;
    rig.collector.Refuse(2);
    return true;
  };
  DeliverSpool(rig);
  const std::uint64_t told = LinesInGaps(rig.collector, "rejected");
  CHECK(told > 50);
  CHECK(rig.collector.durable_lines() + told == left);
  CHECK(rig.shipper->adopted()->dropped_lines == told);
  CHECK(rig.shipper->queue().next_sequence() == 1);  // not in this one's
}

}  // namespace
}  // namespace dunlin::shipper
