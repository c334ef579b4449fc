#include "shipper/queue.h"

#include <random>
#include <string>

#include "tests/shipper/sealed_batch.h"
#include "tests/support/batch_frame.h"
#include "tests/support/catch.h"

namespace dunlin::shipper {
namespace {

using wire::Output;

std::uint64_t DroppedLines(const Queue& queue) {
  std::uint64_t lines = 0;
  for (const Dropped& dropped : queue.dropped()) lines += dropped.lines;
  return lines;
}

/// Room for about `batches` of MakeBatch(10, 100).
QueueOptions RoomFor(std::size_t batches, WhenFull when_full = WhenFull::kDropOldest) {
  return {MakeBatch(10, 100).frame.size() * batches + 100, when_full};
}

TEST_CASE("batches are numbered from 1 in the order of sealing", "[shipper][queue]") {
  Queue queue;
  CHECK(queue.empty());
  CHECK(queue.first_sequence() == 1);
  queue.Push(MakeBatch(1));
  queue.Push(MakeBatch(2));
  CHECK(queue.next_sequence() == 1);
  auto first = DecodeFrame(queue.TakeUnsent());
  CHECK(first.header.sequence == 1);
  CHECK(first.entries == 1);
  auto second = DecodeFrame(queue.TakeUnsent());
  CHECK(second.header.sequence == 2);
  CHECK(second.entries == 2);
  CHECK_FALSE(queue.has_unsent());
  CHECK(queue.first_sequence() == 1);
  CHECK(queue.next_sequence() == 3);
}

TEST_CASE("a batch taken has the bytes that the encoder gives that sequence", "[shipper][queue]") {
  wire::Columns columns;
  columns.runs = {{Output::kStdout, 1, 77}};
  columns.line_lengths = {5};
  columns.lines = "hello\n";
  SealedBatch batch;
  wire::BatchHeader header;
  header.base_monotonic_ns = 5;
  batch.frame = testing::BatchFrame(header, columns);
  Queue queue;
  queue.Push(std::move(batch));
  header.sequence = 1;
  CHECK(queue.TakeUnsent() == testing::BatchFrame(header, columns));
}

TEST_CASE("what is sent again is the same bytes", "[shipper][queue]") {
  Queue queue;
  queue.Push(MakeBatch(3));
  queue.Push(MakeBatch(4));
  std::string first(queue.TakeUnsent());
  std::string second(queue.TakeUnsent());
  queue.Push(MakeBatch(5));
  CHECK(queue.SentFrame(1) == first);
  CHECK(queue.Acknowledge(1));
  CHECK(queue.SentFrame(2) == second);
}

TEST_CASE("an acknowledgement covers everything before it", "[shipper][queue]") {
  Queue queue;
  for (std::uint64_t i = 1; i <= 4; ++i) queue.Push(MakeBatch(i));
  for (int i = 0; i < 3; ++i) queue.TakeUnsent();
  CHECK(queue.lines() == 10);
  CHECK(queue.Acknowledge(2));
  CHECK(queue.acknowledged_lines() == 3);
  CHECK(queue.acknowledged_batches() == 2);
  CHECK(queue.lines() == 7);
  CHECK(queue.first_sequence() == 3);
  CHECK(queue.Acknowledge(2));  // again
  CHECK(queue.acknowledged_lines() == 3);
}

TEST_CASE("an acknowledgement of what was never sent is refused", "[shipper][queue]") {
  Queue queue;
  queue.Push(MakeBatch(1));
  queue.TakeUnsent();
  queue.Push(MakeBatch(1));
  CHECK_FALSE(queue.Acknowledge(2));
  CHECK(queue.acknowledged_lines() == 0);
}

TEST_CASE("when memory is full the oldest unsent batches go and leave a gap in their place",
          "[shipper][queue]") {
  Queue queue(RoomFor(3));
  queue.Push(MakeBatch(10, 100, Output::kStdout, 1000));
  queue.TakeUnsent();  // on its way: stays
  queue.Push(MakeBatch(10, 100, Output::kStdout, 2000));
  queue.Push(MakeBatch(10, 100, Output::kStderr, 3000));
  CHECK(DroppedLines(queue) == 0);
  queue.Push(MakeBatch(10, 100, Output::kStdout, 4000));
  queue.Push(MakeBatch(10, 100, Output::kStdout, 5000));
  CHECK(queue.dropped()[static_cast<std::size_t>(DropReason::kMemoryFull)] == Dropped{20, 2000});
  CHECK(queue.lines() == 30);

  CHECK(queue.SentFrame(1).size() > 0);
  auto next = DecodeFrame(queue.TakeUnsent());
  CHECK(next.header.sequence == 2);
  CHECK(next.base_time_ns == 4000);
  REQUIRE(next.header.gaps.size() == 2);
  CHECK(next.header.gaps[0] == wire::Gap{2009, Output::kStdout, 10, 1000, "mem_full"});
  CHECK(next.header.gaps[1] == wire::Gap{3009, Output::kStderr, 10, 1000, "mem_full"});
  auto last = DecodeFrame(queue.TakeUnsent());
  CHECK(last.header.sequence == 3);
  CHECK(last.header.gaps.empty());
}

TEST_CASE("a long outage leaves one gap per output, in bounded memory", "[shipper][queue]") {
  Queue queue(RoomFor(2));
  for (int i = 0; i < 500; ++i) queue.Push(MakeBatch(10, 100, Output::kStdout, 1000 + i * 100));
  CHECK(queue.batches() == 2);
  CHECK(queue.bytes() <= RoomFor(2).limit_bytes);
  auto next = DecodeFrame(queue.TakeUnsent());
  CHECK(next.header.sequence == 1);
  REQUIRE(next.header.gaps.size() == 1);
  CHECK(next.header.gaps[0].lines == 4980);
  CHECK(next.header.gaps[0].time_ns == 1000 + 497 * 100 + 9);
}

TEST_CASE("the newest batch goes when all others are on their way", "[shipper][queue]") {
  Queue queue(RoomFor(2));
  queue.Push(MakeBatch(10, 100));
  queue.Push(MakeBatch(10, 100));
  queue.TakeUnsent();
  queue.TakeUnsent();
  queue.Push(MakeBatch(10, 100, Output::kStdout, 9000));
  CHECK(queue.batches() == 2);
  CHECK(DroppedLines(queue) == 10);
  // The marker goes out by itself when no batch follows.
  REQUIRE(queue.has_unsent());
  auto marker = DecodeFrame(queue.TakeUnsent());
  CHECK(marker.header.sequence == 3);
  CHECK(marker.entries == 0);
  REQUIRE(marker.header.gaps.size() == 1);
  CHECK(marker.header.gaps[0].lines == 10);
  CHECK(queue.Acknowledge(3));
  CHECK(queue.acknowledged_lines() == 20);
  CHECK(queue.empty());
}

TEST_CASE("with block nothing is dropped, and room is said to be gone", "[shipper][queue]") {
  Queue queue(RoomFor(2, WhenFull::kBlock));
  CHECK(queue.has_room());
  for (int i = 0; i < 4; ++i) queue.Push(MakeBatch(10, 100));
  CHECK_FALSE(queue.has_room());
  CHECK(DroppedLines(queue) == 0);
  queue.TakeUnsent();
  queue.TakeUnsent();
  queue.TakeUnsent();
  CHECK_FALSE(queue.has_room());
  queue.Acknowledge(3);
  CHECK(queue.has_room());
}

TEST_CASE("a rejected batch is dropped with a gap and does not stop those behind it",
          "[shipper][queue]") {
  Queue queue;
  for (int i = 0; i < 3; ++i) queue.Push(MakeBatch(10, 100, Output::kStdout, 1000 * (i + 1)));
  queue.TakeUnsent();
  queue.TakeUnsent();
  CHECK(queue.Reject(2));
  CHECK(queue.Reject(2));  // once is enough
  CHECK(queue.dropped()[static_cast<std::size_t>(DropReason::kRejected)] == Dropped{10, 1000});
  CHECK(queue.first_sequence() == 1);
  auto next = DecodeFrame(queue.TakeUnsent());
  CHECK(next.header.sequence == 3);
  REQUIRE(next.header.gaps.size() == 1);
  CHECK(next.header.gaps[0] == wire::Gap{2009, Output::kStdout, 10, 1000, "rejected"});
  CHECK(queue.Acknowledge(3));
  CHECK(queue.acknowledged_lines() == 20);
  CHECK(queue.lines() == 0);
}

TEST_CASE("the oldest batch, rejected, counts as settled at once", "[shipper][queue]") {
  Queue queue;
  queue.Push(MakeBatch(1));
  queue.Push(MakeBatch(1));
  queue.TakeUnsent();
  queue.TakeUnsent();
  CHECK(queue.Reject(1));
  CHECK(queue.first_sequence() == 2);
  CHECK_FALSE(queue.Reject(1));
  CHECK_FALSE(queue.Reject(3));
}

TEST_CASE("gaps of a rejected batch move on, but a batch of gaps alone ends there",
          "[shipper][queue]") {
  Queue queue(RoomFor(1));
  queue.Push(MakeBatch(10, 100));
  queue.Push(MakeBatch(10, 100));
  CHECK(DecodeFrame(queue.TakeUnsent()).header.gaps.size() == 1);
  CHECK(queue.Reject(1));
  REQUIRE(queue.has_unsent());
  CHECK(DecodeFrame(queue.TakeUnsent()).header.gaps.size() == 2);
  CHECK(queue.Reject(2));
  CHECK(queue.empty());
  CHECK(DroppedLines(queue) == 20);
}

TEST_CASE("giving up counts everything that waits", "[shipper][queue]") {
  Queue queue;
  queue.Push(MakeBatch(3));
  queue.Push(MakeBatch(4));
  queue.TakeUnsent();
  queue.DropAll(DropReason::kShutdown);
  CHECK(queue.empty());
  CHECK(queue.lines() == 0);
  CHECK(queue.bytes() == 0);
  CHECK(queue.dropped()[static_cast<std::size_t>(DropReason::kShutdown)].lines == 7);
}

TEST_CASE("whatever happens, every line is acknowledged, queued or dropped, once",
          "[shipper][queue]") {
  std::mt19937 random(11);
  auto upto = [&random](std::uint64_t most) {
    return std::uniform_int_distribution<std::uint64_t>(0, most)(random);
  };
  for (int round = 0; round < 30; ++round) {
    Queue queue(RoomFor(6));
    std::uint64_t pushed = 0;
    std::uint64_t gaps_settled = 0;
    for (int step = 0; step < 400; ++step) {
      const std::uint64_t in_flight = queue.next_sequence() - queue.first_sequence();
      switch (upto(4)) {
        case 0:
        case 1: {
          std::uint64_t lines = 1 + upto(20);
          pushed += lines;
          queue.Push(MakeBatch(lines, 100));
          break;
        }
        case 2:
          if (queue.has_unsent() && in_flight < 4) queue.TakeUnsent();
          break;
        case 3:
          if (in_flight == 0) break;
          for (std::uint64_t s = queue.first_sequence(), end = s + upto(in_flight - 1); s <= end;
               ++s) {
            if (s < queue.first_sequence()) continue;
            for (const auto& gap : DecodeFrame(queue.SentFrame(s)).header.gaps) {
              gaps_settled += gap.lines;
            }
            queue.Acknowledge(s);
          }
          break;
        case 4:
          if (in_flight > 0 && upto(9) == 0) queue.Reject(queue.first_sequence());
          break;
      }
      CHECK(pushed == queue.acknowledged_lines() + queue.lines() + DroppedLines(queue));
      CHECK(gaps_settled <= DroppedLines(queue));
    }
  }
}

TEST_CASE("a batch rejected before those ahead of it were acknowledged does not stay behind",
          "[shipper][queue]") {
  Queue queue;
  queue.Push(MakeBatch(1));
  queue.Push(MakeBatch(2));
  queue.TakeUnsent();
  queue.TakeUnsent();
  CHECK(queue.Reject(2));
  CHECK(queue.first_sequence() == 1);
  CHECK(queue.Acknowledge(1));
  CHECK(queue.first_sequence() == 3);
  CHECK(queue.batches() == 0);
  CHECK(queue.bytes() == 0);
}

}  // namespace
}  // namespace dunlin::shipper
