// What goes into the queue comes out acknowledged, dropped, or is still there: after every one of
// many random steps, against a model that knows each batch by itself.
#include <deque>
#include <random>

#include "shipper/queue.h"
#include "tests/shipper/sealed_batch.h"
#include "tests/support/catch.h"

namespace dunlin::shipper {
namespace {

struct Model {
  std::uint64_t captured = 0;
  std::uint64_t acknowledged = 0;
  std::uint64_t rejected = 0;
  struct Sent {
    std::uint64_t sequence;  // the last it stands for
    std::uint64_t lines;
    bool rejected = false;
  };
  std::deque<Sent> sent;
  void Settle() {
    while (!sent.empty() && sent.front().rejected) sent.pop_front();
  }
  Sent& Holding(std::uint64_t sequence) {
    for (Sent& one : sent) {
      if (one.sequence >= sequence) return one;
    }
    return sent.back();
  }
};

std::uint64_t LinesIn(std::string_view frame) { return DecodeFrame(frame).entries; }

TEST_CASE("lines in the queue are conserved whatever is sent, acknowledged, rejected and dropped",
          "[shipper][queue][conservation]") {
  const auto seed = GENERATE(range(0U, 40U));
  const auto when_full = GENERATE(WhenFull::kDropOldest, WhenFull::kBlock);
  CAPTURE(seed);
  std::mt19937 random(seed);
  auto below = [&](std::uint64_t n) { return random() % n; };
  Queue queue({5'000, when_full});
  Model model;
  for (int step = 0; step < 400; ++step) {
    CAPTURE(step);
    switch (below(when_full == WhenFull::kBlock && !queue.has_room() ? 5 : 8)) {
      case 0:
      case 1:
        if (queue.has_unsent()) {
          const OutgoingBatch batch = queue.TakeUnsent();
          model.sent.push_back({batch.sequence, LinesIn(batch.frame)});
        }
        break;
      case 2: {  // an acknowledgement, possibly a repetition or of what was never sent
        const std::uint64_t first = queue.first_sequence();
        const std::uint64_t sequence = first - 1 + below(4);
        const bool known = sequence < queue.unsent_sequence();
        CHECK(queue.Acknowledge(sequence) == known);
        while (known && !model.sent.empty() && model.sent.front().sequence <= sequence) {
          if (!model.sent.front().rejected) model.acknowledged += model.sent.front().lines;
          model.sent.pop_front();
        }
        model.Settle();
        break;
      }
      case 3: {  // a rejection, possibly of what is rejected already or was never sent
        const std::uint64_t first = queue.first_sequence();
        const std::uint64_t sequence = first + below(4);
        const bool known = sequence < queue.unsent_sequence();
        CHECK(queue.Reject(sequence) == known);
        if (!known) break;
        Model::Sent& sent = model.Holding(sequence);
        if (!sent.rejected) model.rejected += sent.lines;
        sent.rejected = true;
        model.Settle();
        break;
      }
      case 4:
        if (below(40) == 0) {
          const std::uint64_t lines = 1 + below(5);
          Totals totals;
          totals[0].lines = lines;
          queue.CountDropped(DropReason::kNoCollector, totals);
          model.captured += lines;
        }
        break;
      default: {
        const std::uint64_t lines = 1 + below(9);
        PushBatch(queue, lines, 1 + below(80), OutputAt(below(2)));
        model.captured += lines;
      }
    }
    std::uint64_t dropped = 0;
    for (const Dropped& reason : queue.dropped()) dropped += reason.lines;
    REQUIRE(queue.acknowledged_lines() == model.acknowledged);
    REQUIRE(queue.dropped()[static_cast<std::size_t>(DropReason::kRejected)].lines ==
            model.rejected);
    REQUIRE(model.captured == queue.acknowledged_lines() + queue.lines() + dropped);
    REQUIRE(queue.unsent_sequence() ==
            (model.sent.empty() ? queue.first_sequence() : model.sent.back().sequence + 1));
  }
  queue.DropAll(DropReason::kShutdown);
  std::uint64_t dropped = 0;
  for (const Dropped& reason : queue.dropped()) dropped += reason.lines;
  CHECK(queue.lines() == 0);
  CHECK(model.captured == model.acknowledged + dropped);
}

}  // namespace
}  // namespace dunlin::shipper
