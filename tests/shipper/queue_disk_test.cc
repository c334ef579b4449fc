// Queue with a disk beside it: the test plays the disk worker.
#include <map>
#include <random>
#include <string>
#include <utility>

#include "shipper/queue.h"
#include "shipper/spool/spool_format.h"
#include "tests/shipper/sealed_batch.h"
#include "tests/support/catch.h"

namespace dunlin::shipper {
namespace {

using wire::Output;

std::uint64_t DroppedLines(const Queue& queue) {
  std::uint64_t lines = 0;
  for (const Dropped& dropped : queue.dropped()) lines += dropped.lines;
  return lines;
}

std::uint64_t DroppedFor(const Queue& queue, DropReason reason) {
  return queue.dropped()[static_cast<std::size_t>(reason)].lines;
}

/// A queue with room for about `batches` of ten lines, and a disk that works.
struct Tiers {
  explicit Tiers(std::size_t batches, WhenFull when_full = WhenFull::kDropOldest)
      : queue({MakeBatch(10, 100).frame.size() * batches + 100, when_full}) {
    queue.UseDisk();
  }
  void Push(int batches = 1) {
    for (int i = 0; i < batches; ++i) {
      PushBatch(queue, 10, 100);
      pushed += 10;
    }
  }
  /// The disk takes everything that waits for it.
  void Write(std::size_t bytes = 1_MiB) {
    std::uint64_t through = 0;
    for (UnwrittenBatch& batch : queue.BeginWrite(bytes)) {
      CHECK(batch.info.first_sequence > last_written);
      last_written = through = batch.info.sequence;
      disk.emplace(batch.info.sequence, std::move(batch));
    }
    queue.EndWrite(through, false);
  }
  void Fail() {
    queue.BeginWrite(1_MiB);
    queue.EndWrite(0, true);
  }
  /// The disk gives what the queue wants next.
  void Read() {
    while (queue.wants_read()) {
      const auto& [sequence, batch] = *disk.lower_bound(queue.on_disk_only()->first);
      queue.OnRead({batch.info.first_sequence, sequence, batch.info.totals, batch.info.gaps,
                    batch.frame, AfterBatch(batch.info)});
    }
  }
  void CheckIdentity() const {
    CHECK(pushed == queue.acknowledged_lines() + queue.lines() + DroppedLines(queue));
    CHECK(queue.spooled_lines() <= queue.lines());
  }

  Queue queue;
  std::map<std::uint64_t, UnwrittenBatch> disk;
  std::uint64_t last_written = 0;
  std::uint64_t pushed = 0;
};

TEST_CASE("a batch is written once, with everything before it accounted for",
          "[shipper][queue][disk]") {
  Tiers tiers(10);
  tiers.Push(2);
  auto first = tiers.queue.BeginWrite(1);
  REQUIRE(first.size() == 1);  // one at least
  CHECK(first[0].info.sequence == 1);
  CHECK(LinesOf(first[0].info.before) == 0);
  tiers.queue.EndWrite(1, false);
  CHECK(tiers.queue.spooled_lines() == 10);
  CHECK(tiers.queue.lines() == 20);
  auto second = tiers.queue.BeginWrite(1_MiB);
  REQUIRE(second.size() == 1);
  CHECK(second[0].info.sequence == 2);
  CHECK(LinesOf(second[0].info.before) == 10);
  tiers.queue.EndWrite(2, false);
  CHECK_FALSE(tiers.queue.has_unwritten());
  CHECK(tiers.queue.BeginWrite(1_MiB).empty());
}

TEST_CASE("past the limit the oldest unsent batches are on disk alone, and come back in order",
          "[shipper][queue][disk]") {
  Tiers tiers(4);
  for (int i = 0; i < 20; ++i) {
    tiers.Push();
    tiers.Write();
  }
  CHECK(DroppedLines(tiers.queue) == 0);
  CHECK(tiers.queue.bytes() <= 4 * MakeBatch(10, 100).frame.size() + 100);
  REQUIRE(tiers.queue.on_disk_only());
  CHECK(tiers.queue.on_disk_only()->first <= 3);  // those before it are the next to be sent
  CHECK(tiers.queue.has_unsent());
  CHECK(tiers.queue.spooled_lines() == 200);
  for (std::uint64_t sequence = 1; sequence <= 20; ++sequence) {
    tiers.Read();
    REQUIRE(tiers.queue.has_unsent());
    const OutgoingBatch batch = tiers.queue.TakeUnsent();
    CHECK(batch.sequence == sequence);
    CHECK(batch.frame == tiers.disk.at(sequence).frame);
    CHECK(tiers.queue.Acknowledge(sequence));
    tiers.CheckIdentity();
  }
  CHECK(tiers.queue.empty());
  CHECK(tiers.queue.acknowledged_lines() == 200);
  CHECK(tiers.queue.spooled_lines() == 0);
  CHECK(tiers.queue.bytes() == 0);
}

TEST_CASE("a disk that fails leaves memory's rule, and the lines on it alone",
          "[shipper][queue][disk]") {
  Tiers tiers(4);
  tiers.Push(8);
  CHECK(DroppedFor(tiers.queue, DropReason::kMemoryFull) == 40);  // too slow
  tiers.Write();
  tiers.Fail();
  tiers.Push(8);
  const std::uint64_t lost = DroppedFor(tiers.queue, DropReason::kSpoolIo);
  CHECK(lost >= 40);
  CHECK(lost <= 60);  // memory also keeps what is the next to be sent
  CHECK(tiers.queue.spooled_lines() == 40);
  tiers.CheckIdentity();
  tiers.Write();  // it works again
  CHECK(tiers.queue.spooled_lines() == 120 - lost);
  std::uint64_t expected = 1;
  std::uint64_t in_gaps = 0;
  std::uint64_t arrived = 0;
  while (tiers.queue.batches() > 0) {
    tiers.Read();
    REQUIRE(tiers.queue.has_unsent());
    auto batch = DecodeFrame(tiers.queue.TakeUnsent().frame);
    CHECK(batch.header.first() == expected);
    expected = batch.header.sequence + 1;
    arrived += batch.entries;
    for (const wire::Gap& gap : batch.header.gaps) in_gaps += gap.lines;
    CHECK(tiers.queue.Acknowledge(batch.header.sequence));
  }
  CHECK(expected == 17);
  CHECK(arrived == 120 - lost);
  CHECK(in_gaps == 40 + lost);
  tiers.CheckIdentity();
}

TEST_CASE("with block, a disk makes room", "[shipper][queue][disk]") {
  Tiers tiers(4, WhenFull::kBlock);
  tiers.Push(8);
  CHECK_FALSE(tiers.queue.has_room());
  tiers.Write();
  CHECK(tiers.queue.has_room());
  CHECK(DroppedLines(tiers.queue) == 0);
}

TEST_CASE("what the disk drops becomes a gap of exactly that", "[shipper][queue][disk]") {
  Tiers tiers(4);
  for (int i = 0; i < 20; ++i) {
    tiers.Push();
    tiers.Write();
  }
  const Queue::Stretch stretch = *tiers.queue.on_disk_only();
  SpoolDrop drop;
  drop.first_sequence = stretch.first;
  SECTION("part of what is on disk alone") { drop.sequence = stretch.first + 5; }
  SECTION("and of what memory still has") { drop.sequence = stretch.last + 1; }
  drop.batches = drop.sequence - drop.first_sequence + 1;
  drop.totals[0] = {10 * drop.batches, 1000 * drop.batches, 1009};
  drop.gaps = {{1009, Output::kStdout, 10 * drop.batches, 1000 * drop.batches, "spool_full"}};
  tiers.queue.OnDiskDropped(drop, DropReason::kSpoolFull);
  CHECK(DroppedFor(tiers.queue, DropReason::kSpoolFull) == 10 * drop.batches);
  CHECK(tiers.queue.lines() == 200 - 10 * drop.batches);
  CHECK(tiers.queue.spooled_lines() == tiers.queue.lines());
  tiers.CheckIdentity();
  for (std::uint64_t sequence = 1; sequence < stretch.first; ++sequence) {
    CHECK(tiers.queue.TakeUnsent().sequence == sequence);
  }
  auto gap = DecodeFrame(tiers.queue.TakeUnsent().frame);
  CHECK(gap.header.first() == stretch.first);
  CHECK(gap.header.sequence == drop.sequence);
  CHECK(gap.header.gaps == drop.gaps);
  tiers.Read();
  CHECK(tiers.queue.TakeUnsent().sequence == drop.sequence + 1);
}

TEST_CASE("what did not survive on disk is counted, to the line", "[shipper][queue][disk]") {
  Tiers tiers(4);
  for (int i = 0; i < 10; ++i) {
    tiers.Push();
    tiers.Write();
  }
  const Queue::Stretch stretch = *tiers.queue.on_disk_only();
  REQUIRE(stretch.last >= stretch.first + 3);
  SpoolBatch damaged;
  damaged.first_sequence = stretch.first;
  damaged.sequence = stretch.first + 1;
  damaged.gaps = {{5, Output::kStdout, 20, 2000, "spool_io"}};
  damaged.lost[0] = {20, 2000, 5};
  tiers.queue.OnRead(std::move(damaged));
  CHECK(DroppedFor(tiers.queue, DropReason::kSpoolIo) == 20);
  tiers.CheckIdentity();
  for (std::uint64_t sequence = 1; sequence < stretch.first; ++sequence) tiers.queue.TakeUnsent();
  auto gap = DecodeFrame(tiers.queue.TakeUnsent().frame);
  CHECK(gap.header.first() == stretch.first);
  CHECK(gap.header.sequence == stretch.first + 1);
  CHECK(gap.header.gaps[0].lines == 20);
  tiers.Read();
  CHECK(tiers.queue.TakeUnsent().sequence == stretch.first + 2);
}

TEST_CASE("giving up leaves what is on disk to the next", "[shipper][queue][disk]") {
  Tiers tiers(4);
  tiers.Push(2);
  tiers.Write();
  tiers.Push(1);
  tiers.queue.DropAll(DropReason::kShutdown);
  CHECK(DroppedFor(tiers.queue, DropReason::kShutdown) == 10);
  CHECK(tiers.queue.spooled_lines() == 20);
  tiers.CheckIdentity();
}

TEST_CASE("an adopted spool is sent from where the collector stands", "[shipper][queue][disk]") {
  Queue queue({1_MiB, WhenFull::kBlock});
  Totals totals{};
  totals[0].lines = 50;
  queue.Adopt(3, 7, totals);
  CHECK(queue.first_sequence() == 3);
  CHECK_FALSE(queue.has_unsent());
  CHECK(queue.wants_read());
  SECTION("which may be within it") {
    CHECK(queue.Acknowledge(4));
    CHECK(queue.on_disk_only()->first == 5);
    for (std::uint64_t sequence = 5; sequence <= 7; ++sequence) {
      SealedBatch batch = MakeBatch(10, 10, Output::kStdout, 1000, sequence);
      queue.OnRead({sequence, sequence, batch.totals, {}, batch.frame, {}});
      CHECK(queue.TakeUnsent().sequence == sequence);
    }
    CHECK(queue.Acknowledge(7));
    CHECK(queue.acknowledged_lines() == 30);
  }
  SECTION("or beyond it") { CHECK(queue.Acknowledge(12)); }
  CHECK(queue.batches() == 0);
  CHECK(queue.lines() == 0);
  CHECK(DroppedLines(queue) == 0);
}

TEST_CASE("with a disk, every line is acknowledged, in memory, on disk or dropped, once",
          "[shipper][queue][disk][conservation]") {
  std::mt19937 random(GENERATE(range(0U, 20U)));
  auto below = [&random](std::uint64_t n) { return random() % n; };
  Tiers tiers(6);
  Queue& queue = tiers.queue;
  std::uint64_t sent = 0;
  for (int step = 0; step < 400; ++step) {
    switch (below(8)) {
      case 0:
      case 1:
      case 2:
        tiers.Push();
        break;
      case 3:
        tiers.Write(below(2) == 0 ? 1 : 1_MiB);
        break;
      case 4:
        if (below(5) == 0) tiers.Fail();
        break;
      case 5:
        tiers.Read();
        break;
      case 6:
        if (queue.has_unsent() && queue.unsent_sequence() - queue.first_sequence() < 5) {
          const OutgoingBatch batch = queue.TakeUnsent();
          auto view = DecodeFrame(batch.frame);
          REQUIRE(view.header.first() == sent + 1);
          sent = batch.sequence;
        }
        break;
      case 7:
        if (queue.first_sequence() < queue.unsent_sequence()) {
          if (below(8) == 0) {
            queue.Reject(queue.first_sequence());
          } else {
            queue.Acknowledge(queue.Sent(queue.first_sequence()).sequence);
          }
        }
        break;
    }
    tiers.CheckIdentity();
  }
}

}  // namespace
}  // namespace dunlin::shipper
