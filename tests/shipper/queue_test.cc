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

TEST_CASE("batches go out in the order of sealing, in the bytes they were sealed in",
          "[shipper][queue]") {
  Queue queue;
  CHECK(queue.empty());
  CHECK(queue.first_sequence() == 1);
  SealedBatch one = MakeBatch(1, 10, Output::kStdout, 1000, 1);
  SealedBatch two = MakeBatch(2, 10, Output::kStdout, 2000, 2);
  const std::string first_frame = one.frame;
  const std::string second_frame = two.frame;
  queue.Push(std::move(one));
  queue.Push(std::move(two));
  CHECK(queue.next_sequence() == 3);
  CHECK(queue.unsent_sequence() == 1);
  const OutgoingBatch first = queue.TakeUnsent();
  CHECK(first.sequence == 1);
  CHECK(first.frame == first_frame);
  CHECK(queue.unsent_sequence() == 2);
  CHECK(queue.TakeUnsent().frame == second_frame);
  CHECK_FALSE(queue.has_unsent());
  CHECK(queue.first_sequence() == 1);
  CHECK(queue.unsent_sequence() == 3);
}

TEST_CASE("what is sent again is the same bytes", "[shipper][queue]") {
  Queue queue;
  PushBatch(queue, 3);
  PushBatch(queue, 4);
  std::string first(queue.TakeUnsent().frame);
  std::string second(queue.TakeUnsent().frame);
  PushBatch(queue, 5);
  CHECK(queue.Sent(1).frame == first);
  CHECK(queue.Acknowledge(1));
  CHECK(queue.Sent(2).frame == second);
}

TEST_CASE("a batch that cannot go as it is leaves a gap of its own sequence", "[shipper][queue]") {
  Queue queue;
  queue.Mark(DropReason::kRateLimit, {OutputTotals{3, 30, 500}, {}});
  PushBatch(queue, 4, 100);
  PushBatch(queue, 5);
  const std::size_t large = queue.TakeUnsent().frame.size();
  const std::size_t bytes = queue.bytes();
  const OutgoingBatch gap = queue.GiveUp(1, DropReason::kTooLarge);
  CHECK(gap.sequence == 1);
  CHECK(gap.frame == queue.Sent(1).frame);
  const wire::BatchView view = DecodeFrame(gap.frame);
  CHECK(view.header.sequence == 1);
  CHECK(view.header.first() == 1);
  CHECK(view.entries == 0);
  REQUIRE(view.header.gaps.size() == 2);
  CHECK(view.header.gaps[0].reason == "rate_limit");
  CHECK(view.header.gaps[1].reason == "too_large");
  CHECK(view.header.gaps[1].lines == 4);
  CHECK(view.header.gaps[1].bytes == 400);
  CHECK(queue.lines() == 5);
  CHECK(queue.dropped()[static_cast<std::size_t>(DropReason::kTooLarge)] == Dropped{4, 400});
  CHECK(queue.bytes() == bytes - large + gap.frame.size());
  CHECK(queue.sent_bytes() == gap.frame.size());
  queue.TakeUnsent();
  CHECK(queue.Acknowledge(2));
  CHECK(queue.acknowledged_lines() == 5);
  CHECK(queue.bytes() == 0);
  CHECK(queue.empty());
}

TEST_CASE("an acknowledgement covers everything before it", "[shipper][queue]") {
  Queue queue;
  for (std::uint64_t i = 1; i <= 4; ++i) PushBatch(queue, i);
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
  PushBatch(queue, 1);
  queue.TakeUnsent();
  PushBatch(queue, 1);
  CHECK_FALSE(queue.Acknowledge(2));
  CHECK(queue.acknowledged_lines() == 0);
}

TEST_CASE("when memory is full the oldest unsent batches go and leave a gap in their place",
          "[shipper][queue]") {
  Queue queue(RoomFor(3));
  PushBatch(queue, 10, 100, Output::kStdout, 1000);
  queue.TakeUnsent();  // on its way: stays
  PushBatch(queue, 10, 100, Output::kStdout, 2000);
  PushBatch(queue, 10, 100, Output::kStderr, 3000);
  CHECK(DroppedLines(queue) == 0);
  PushBatch(queue, 10, 100, Output::kStdout, 4000);
  PushBatch(queue, 10, 100, Output::kStdout, 5000);
  CHECK(queue.dropped()[static_cast<std::size_t>(DropReason::kMemoryFull)] == Dropped{20, 2000});
  CHECK(queue.lines() == 30);

  CHECK(queue.Sent(1).frame.size() > 0);
  const OutgoingBatch outgoing = queue.TakeUnsent();
  CHECK(outgoing.sequence == 3);
  auto gap = DecodeFrame(outgoing.frame);
  CHECK(gap.header.first_sequence == 2);
  CHECK(gap.header.sequence == 3);
  CHECK(gap.entries == 0);
  CHECK(gap.base_time_ns == 3009);
  REQUIRE(gap.header.gaps.size() == 2);
  CHECK(gap.header.gaps[0] == wire::Gap{2009, Output::kStdout, 10, 1000, "mem_full"});
  CHECK(gap.header.gaps[1] == wire::Gap{3009, Output::kStderr, 10, 1000, "mem_full"});
  auto last = DecodeFrame(queue.TakeUnsent().frame);
  CHECK(last.header.sequence == 4);
  CHECK(last.header.first_sequence == 0);
  CHECK(last.base_time_ns == 4000);
  CHECK(last.header.gaps.empty());
}

TEST_CASE("a long outage leaves one gap per output, in bounded memory", "[shipper][queue]") {
  Queue queue(RoomFor(2));
  for (int i = 0; i < 500; ++i) PushBatch(queue, 10, 100, Output::kStdout, 1000 + i * 100);
  CHECK(queue.batches() == 3);
  CHECK(queue.bytes() <= RoomFor(2).limit_bytes);
  auto next = DecodeFrame(queue.TakeUnsent().frame);
  CHECK(next.header.first_sequence == 1);
  CHECK(next.header.sequence == 498);
  REQUIRE(next.header.gaps.size() == 1);
  CHECK(next.header.gaps[0].lines == 4980);
  CHECK(next.header.gaps[0].time_ns == 1000 + 497 * 100 + 9);
}

TEST_CASE("buffers take room from the frames, but at most a quarter of it", "[shipper][queue]") {
  Queue queue(RoomFor(8));
  for (int i = 0; i < 8; ++i) PushBatch(queue, 10, 100);
  CHECK(queue.batches() == 8);
  queue.SetBufferBytes(RoomFor(1).limit_bytes);
  queue.MakeRoom(0);
  CHECK(queue.bytes() <= RoomFor(7).limit_bytes);
  queue.SetBufferBytes(RoomFor(100).limit_bytes);
  queue.MakeRoom(0);
  CHECK(queue.bytes() <= RoomFor(6).limit_bytes);
  CHECK(queue.bytes() > RoomFor(4).limit_bytes);
  queue.SetBufferBytes(0);
  PushBatch(queue, 10, 100);
  CHECK(queue.bytes() > RoomFor(5).limit_bytes);
}

TEST_CASE("the newest batch goes when all others are on their way", "[shipper][queue]") {
  Queue queue(RoomFor(2));
  PushBatch(queue, 10, 100);
  PushBatch(queue, 10, 100);
  queue.TakeUnsent();
  queue.TakeUnsent();
  PushBatch(queue, 10, 100, Output::kStdout, 9000);
  CHECK(queue.batches() == 3);
  CHECK(DroppedLines(queue) == 10);
  REQUIRE(queue.has_unsent());
  auto marker = DecodeFrame(queue.TakeUnsent().frame);
  CHECK(marker.header.sequence == 3);
  CHECK(marker.header.first_sequence == 0);
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
  for (int i = 0; i < 4; ++i) PushBatch(queue, 10, 100);
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
  for (int i = 0; i < 2; ++i) PushBatch(queue, 10, 100, Output::kStdout, 1000 * (i + 1));
  queue.TakeUnsent();
  queue.TakeUnsent();
  CHECK(queue.Reject(2));
  CHECK(queue.Reject(2));  // once is enough
  CHECK(queue.dropped()[static_cast<std::size_t>(DropReason::kRejected)] == Dropped{10, 1000});
  CHECK(queue.first_sequence() == 1);
  CHECK_FALSE(queue.empty());
  REQUIRE(queue.has_marks());
  const std::vector<wire::Gap> marks = queue.TakeMarks();
  CHECK_FALSE(queue.has_marks());
  REQUIRE(marks.size() == 1);
  CHECK(marks[0] == wire::Gap{2009, Output::kStdout, 10, 1000, "rejected"});
  PushBatch(queue, 10);
  queue.TakeUnsent();
  CHECK(queue.Acknowledge(3));
  CHECK(queue.acknowledged_lines() == 20);
  CHECK(queue.lines() == 0);
}

TEST_CASE("the oldest batch, rejected, counts as settled at once", "[shipper][queue]") {
  Queue queue;
  PushBatch(queue, 1);
  PushBatch(queue, 1);
  queue.TakeUnsent();
  queue.TakeUnsent();
  CHECK(queue.Reject(1));
  CHECK(queue.first_sequence() == 2);
  CHECK_FALSE(queue.Reject(1));
  CHECK_FALSE(queue.Reject(3));
}

SealedBatch WithMarks(SealedBatch batch, const std::vector<wire::Gap>& gaps) {
  auto view = DecodeFrame(batch.frame);
  view.header.gaps = batch.gaps = gaps;
  std::string frame;
  wire::AppendBatchFrame(frame, view);
  batch.frame = std::move(frame);
  return batch;
}

TEST_CASE("markers of a batch that is dropped or rejected move on", "[shipper][queue]") {
  Queue queue(RoomFor(1));
  const wire::Gap limited{500, Output::kStdout, 7, 70, "rate_limit"};
  queue.Push(WithMarks(MakeBatch(10, 100), {limited}));
  SECTION("to the gap in its place") {
    PushBatch(queue, 10, 100);
    auto gap = DecodeFrame(queue.TakeUnsent().frame);
    REQUIRE(gap.header.gaps.size() == 2);
    CHECK(gap.header.gaps[0] == limited);
    CHECK(gap.header.gaps[1] == wire::Gap{1009, Output::kStdout, 10, 1000, "mem_full"});
  }
  SECTION("to the next batch") {
    queue.TakeUnsent();
    CHECK(queue.Reject(1));
    const std::vector<wire::Gap> marks = queue.TakeMarks();
    REQUIRE(marks.size() == 2);
    CHECK(marks[0] == limited);
    CHECK(marks[1] == wire::Gap{1009, Output::kStdout, 10, 1000, "rejected"});
  }
}

TEST_CASE("a gap that is refused ends there", "[shipper][queue]") {
  Queue queue(RoomFor(1));
  for (int i = 0; i < 3; ++i) PushBatch(queue, 10, 100);
  CHECK(queue.TakeUnsent().sequence == 2);
  CHECK(queue.Reject(1));
  CHECK(queue.first_sequence() == 3);
  CHECK_FALSE(queue.has_marks());
  CHECK(DroppedLines(queue) == 20);
  CHECK(queue.lines() == 10);
}

TEST_CASE("a gap grows while it is unsent and never after", "[shipper][queue]") {
  Queue queue(RoomFor(2));
  for (int i = 0; i < 4; ++i) PushBatch(queue, 10, 100);  // 1 and 2 are gone
  const std::string sent(queue.TakeUnsent().frame);
  CHECK(DecodeFrame(sent).header.sequence == 2);
  for (int i = 0; i < 3; ++i) PushBatch(queue, 10, 100);  // the next drops make a gap of their own
  CHECK(queue.Sent(1).frame == sent);
  CHECK(queue.Sent(2).frame == sent);
  CHECK(queue.Sent(2).sequence == 2);
  auto next = DecodeFrame(queue.TakeUnsent().frame);
  CHECK(next.header.first() == 3);
  CHECK(next.header.sequence == 5);
  CHECK(queue.Acknowledge(1));  // of nobody who keeps to the protocol: part of a range is nothing
  CHECK(queue.first_sequence() == 1);
  CHECK(queue.Acknowledge(2));
  CHECK(queue.first_sequence() == 3);
}

TEST_CASE("giving up counts everything that waits", "[shipper][queue]") {
  Queue queue;
  PushBatch(queue, 3);
  PushBatch(queue, 4);
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
      const std::uint64_t in_flight = queue.unsent_sequence() - queue.first_sequence();
      switch (upto(4)) {
        case 0:
        case 1: {
          std::uint64_t lines = 1 + upto(20);
          pushed += lines;
          PushBatch(queue, lines, 100);
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
            const OutgoingBatch sent = queue.Sent(s);
            for (const auto& gap : DecodeFrame(sent.frame).header.gaps) gaps_settled += gap.lines;
            queue.Acknowledge(sent.sequence);
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
  PushBatch(queue, 1);
  PushBatch(queue, 2);
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
