// What can go wrong between a sender and its collector, one test each: nothing is lost, nothing is
// counted twice, nothing waits for ever.

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/shipper/relay.h"
#include "tests/shipper/sender_pair.h"
#include "tests/support/catch.h"

namespace dunlin::shipper {
namespace {

using namespace std::chrono_literals;
using testing::Relay;
using testing::ScriptedCollector;
using wire::FrameType;

/// The same bytes for the same sequence, however often it came.
void CheckRepetitions(const ScriptedCollector& collector) {
  std::map<std::uint64_t, std::string> first;
  for (const auto& batch : collector.arrivals) {
    auto [at, fresh] = first.emplace(batch.sequence, batch.payload);
    if (!fresh) CHECK(at->second == batch.payload);
  }
}

TEST_CASE("never an acknowledgement: memory keeps to its limit, and what is dropped is marked",
          "[shipper][failure]") {
  Pair pair;
  pair.queue_limit = 256_KiB;
  pair.options.session.window_bytes = 128_KiB;
  pair.options.session.ack_timeout = kShort;
  pair.Make();
  pair.collector.acknowledge = pair.collector.keep = false;
  pair.Start();
  std::uint64_t pushed = 0;
  std::size_t most = 0;
  for (int round = 0; round < 20; ++round) {
    for (int i = 0; i < 10; ++i) PushBatch(*pair.queue, 50, 200);
    pushed += 500;
    pair.sender->OnQueued();
    most = std::max(most, pair.queue->bytes());
    const std::uint64_t timeouts = pair.Errors(SendErrorKind::kTimeout);
    if (round < 3) pair.Run([&] { return pair.Errors(SendErrorKind::kTimeout) > timeouts; });
  }
  CHECK(most <= 256_KiB);
  pair.collector.acknowledge = pair.collector.keep = true;
  pair.collector.Cut();
  pair.RunToEmpty();
  const Dropped dropped = pair.queue->dropped()[static_cast<std::size_t>(DropReason::kMemoryFull)];
  CHECK(dropped.lines > 0);
  CHECK(pair.queue->acknowledged_lines() + dropped.lines == pushed);
  CHECK(pair.collector.durable_lines() == pair.queue->acknowledged_lines());
  Dropped marked;
  for (const wire::Gap& gap : pair.collector.gaps) {
    CHECK(gap.reason == "mem_full");
    marked.lines += gap.lines;
    marked.bytes += gap.bytes;
  }
  CHECK(marked == dropped);
  CheckRepetitions(pair.collector);
  CHECK_FALSE(pair.collector.failed());
}

TEST_CASE("an acknowledgement that comes twice counts once", "[shipper][failure]") {
  Pair pair;
  pair.Start();
  pair.Push(3);
  pair.RunToEmpty();
  for (std::uint64_t sequence : {3, 2, 1, 3}) {
    pair.collector.Send(FrameType::kAck, wire::Encode(wire::Ack{sequence}));
  }
  pair.Push(1);
  pair.RunToEmpty();
  CHECK(pair.queue->acknowledged_lines() == 12);
  CHECK(pair.queue->acknowledged_batches() == 4);
  CHECK(pair.sender->statistics().sessions.ack_latency.total() == 4);
  CHECK(pair.sender->statistics().connections == 1);
}

TEST_CASE("acknowledgements that go backwards take nothing back", "[shipper][failure]") {
  Pair pair;
  pair.collector.acknowledge = false;
  pair.Start();
  pair.Push(3);
  pair.Run([&] { return pair.collector.durable() == 3; });
  pair.collector.Send(FrameType::kAck, wire::Encode(wire::Ack{2}));
  pair.collector.Send(FrameType::kAck, wire::Encode(wire::Ack{1}));
  pair.Run([&] { return pair.queue->acknowledged_lines() == 6; });
  CHECK(pair.queue->first_sequence() == 3);
  pair.collector.Acknowledge();
  pair.RunToEmpty();
  CHECK(pair.collector.arrivals.size() == 3);
  CHECK(pair.AllErrors() == 0);
}

TEST_CASE("an acknowledgement from the future is a fault, and acknowledges nothing",
          "[shipper][failure]") {
  Pair pair;
  std::uint64_t claimed = 0;
  SECTION("of what does not exist") { claimed = 1000; }
  SECTION("of what waits and was never sent") {
    pair.collector.max_unacknowledged_batches = 1;
    claimed = 3;
  }
  bool lied = false;
  pair.collector.on_batch = [&](const ScriptedCollector::Batch&) {
    if (std::exchange(lied, true)) return false;
    pair.collector.Send(FrameType::kAck, wire::Encode(wire::Ack{claimed}));
    return true;
  };
  pair.Start();
  pair.Push(3);
  pair.Run([&] { return pair.AllErrors() > 0; });
  CHECK(pair.Errors(SendErrorKind::kProtocol) == 1);
  CHECK(pair.queue->acknowledged_lines() == 0);
  pair.RunToEmpty();
  CHECK(pair.collector.durable_lines() == 9);
}

TEST_CASE("a welcome from the future is a fault, and acknowledges nothing", "[shipper][failure]") {
  Pair pair;
  pair.collector.next_sequence = 3;
  pair.Start();
  pair.Push(4);
  pair.Run([&] { return pair.Errors(SendErrorKind::kProtocol) >= 2; });
  CHECK(pair.queue->acknowledged_lines() == 0);
  CHECK(pair.collector.arrivals.empty());
  pair.collector.next_sequence.reset();
  pair.RunToEmpty();
  CHECK(pair.collector.durable_lines() == 12);
}

TEST_CASE("a reset after any byte, in the middle of a frame or not, loses nothing",
          "[shipper][failure]") {
  Pair pair;
  Relay relay(pair.loop, pair.collector.address());
  pair.Make({relay.address()});
  std::uint64_t pushed = 0;
  // From within the preface to within the third batch.
  const std::size_t step = GENERATE(1, 7);
  relay.reset_after = step;
  pair.Start();
  while (*relay.reset_after < 400) {
    const std::size_t resets = relay.resets();
    relay.reset_after = *relay.reset_after + step * 5;
    pair.Run([&] {
      if (relay.resets() > resets) return true;
      pair.Push(1, 2);
      pushed += 2;
      return false;
    });
  }
  relay.reset_after.reset();
  pair.RunToEmpty();
  CHECK(pair.collector.durable_lines() == pushed);
  CHECK(pair.queue->acknowledged_lines() == pushed);
  CHECK(pair.Errors(SendErrorKind::kReset) + 1 >= relay.resets());
  CheckRepetitions(pair.collector);
  CHECK_FALSE(pair.collector.failed());
}

TEST_CASE("a collector that takes the connection and never reads is left", "[shipper][failure]") {
  Pair pair;
  pair.options.session.welcome_timeout = kShort;
  pair.Make();
  pair.collector.read = false;
  pair.Start();
  pair.Push(1);
  pair.Run([&] { return pair.Errors(SendErrorKind::kTimeout) >= 2; });
  CHECK(pair.collector.hellos.empty());
  CHECK(pair.queue->lines() == 3);
  pair.collector.read = true;
  pair.RunToEmpty();
  CHECK(pair.collector.durable_lines() == 3);
}

TEST_CASE("a collector that stops reading is left after the write time-out, however it chatters",
          "[shipper][failure]") {
  Pair pair;
  Relay relay(pair.loop, pair.collector.address(), 2048);
  pair.options.session.write_timeout = 1s;
  pair.Make({relay.address()});
  pair.Start();
  pair.Run([&] { return pair.sender->connected(); });
  relay.silent = true;
  // More than the kernel holds for a window this small.
  for (int i = 0; i < 20; ++i) PushBatch(*pair.queue, 100, 200);
  pair.sender->OnQueued();
  std::string ping;
  wire::AppendFrame(ping, FrameType::kPing, wire::Encode(wire::Ping{1}));
  net::Timer chatter(pair.loop, [&] { relay.SendSome(ping); });
  chatter.Start(1ms, 1ms);
  pair.Run([&] { return pair.Errors(SendErrorKind::kTimeout) >= 1; });
  chatter.Stop();
  CHECK(pair.sender->statistics().last_error == "the collector does not read");
  relay.silent = false;
  pair.RunToEmpty();
  CHECK(pair.collector.durable_lines() == pair.queue->acknowledged_lines());
  CHECK_FALSE(pair.collector.failed());
}

TEST_CASE("a collector that only pings and never reads is answered within bounds",
          "[shipper][failure]") {
  Pair pair;
  Relay relay(pair.loop, pair.collector.address(), 2048);
  pair.Make({relay.address()});
  pair.Start();
  pair.Run([&] { return pair.sender->connected(); });
  const std::size_t before = relay.taken_bytes();
  relay.silent = true;
  std::string pings;
  for (int i = 0; i < 1000; ++i) {
    wire::AppendFrame(pings, FrameType::kPing, wire::Encode(wire::Ping{1}));
  }
  constexpr std::size_t kSent = 4_MiB;
  std::size_t sent = 0;
  std::size_t at = 0;
  bool done = false;
  net::Timer flood(pair.loop, [&] {
    for (int i = 0; i < 64 && !done; ++i) {
      std::size_t part = relay.SendSome(std::string_view(pings).substr(at));
      if (part == 0) return;
      sent += part;
      at = (at + part) % pings.size();
      done = sent >= kSent && at == 0;  // not in the middle of a frame
    }
  });
  flood.Start(1ms, 1ms);
  pair.Run([&] { return done; });
  flood.Stop();
  CHECK(pair.sender->connected());
  // What its memory and the kernel held comes now: a small part of what was asked for.
  relay.silent = false;
  pair.Push(1);
  pair.RunToEmpty();
  CHECK(relay.taken_bytes() - before < kSent / 3);
}

TEST_CASE("through a tiny receive window everything arrives, slowly", "[shipper][failure]") {
  Pair pair;
  Relay relay(pair.loop, pair.collector.address(), 2048);
  relay.bytes_per_millisecond = 500;
  // Shorter than it takes, longer than any standstill should be.
  pair.options.session.ack_timeout = 1s;
  pair.options.session.write_timeout = 1s;
  pair.Make({relay.address()});
  pair.Start();
  // One batch that takes more than the time-out by itself.
  PushBatch(*pair.queue, 4000, 200);
  pair.Push(2);
  const SteadyTime begin = SystemClock().Steady();
  pair.RunToEmpty();
  CHECK(SystemClock().Steady() - begin > 1s);
  CHECK(pair.collector.durable_lines() == 4006);
  CHECK(pair.AllErrors() == 0);
  CHECK(pair.sender->statistics().connections == 1);
}

TEST_CASE("a pause holds although the collector closes the connection after asking for it",
          "[shipper][failure]") {
  Pair pair;
  bool full = true;
  std::optional<SteadyTime> asked;
  pair.collector.on_batch = [&](const ScriptedCollector::Batch&) {
    if (!std::exchange(full, false)) return false;
    asked = SystemClock().Steady();
    pair.collector.Send(FrameType::kSlowDown, wire::Encode(wire::SlowDown{300, "disk full"}));
    pair.collector.Send(FrameType::kGoodbye, wire::Encode(wire::Goodbye{"disk full", true}));
    return true;
  };
  pair.Start();
  pair.Push(3);
  pair.RunToEmpty();
  REQUIRE(asked);
  CHECK(SystemClock().Steady() - *asked >= 300ms);
  CHECK(pair.collector.hellos.size() == 2);
  CHECK(pair.sender->statistics().sessions.slow_downs == 1);
}

TEST_CASE("a collector that welcomes and takes nothing is asked ever less often",
          "[shipper][failure]") {
  Pair pair;
  pair.options.retry = {20ms, 1h};
  pair.options.jitter_seed = 1;
  pair.Make();
  int refusals = 0;
  pair.collector.on_batch = [&](const ScriptedCollector::Batch&) {
    ++refusals;
    pair.collector.Cut();
    return true;
  };
  pair.Start();
  pair.Push(1);
  const SteadyTime begin = SystemClock().Steady();
  // Seven pauses below bounds of 20, 40, 80 … 1280 ms. Were a welcome enough for the bound to begin
  // anew, they would be over in 140 ms.
  pair.Run([&] { return refusals == 8; });
  CHECK(SystemClock().Steady() - begin > 200ms);
  CHECK(pair.sender->statistics().connections == 8);
  CHECK(pair.queue->lines() == 3);
}

TEST_CASE("one rejected batch does not hold up the others", "[shipper][failure]") {
  Pair pair;
  pair.collector.on_batch = [&](const ScriptedCollector::Batch& batch) {
    if (batch.sequence != 2) return false;
    pair.collector.Refuse(2);
    return true;
  };
  pair.Start();
  pair.Push(4);
  pair.RunToEmpty();
  CHECK(pair.queue->acknowledged_lines() == 9);
  CHECK(pair.queue->dropped()[static_cast<std::size_t>(DropReason::kRejected)].lines == 3);
  CHECK(pair.sender->statistics().connections == 1);
  CHECK(pair.Errors(SendErrorKind::kRejected) == 1);
  // Its marker goes with what is sealed next.
  pair.Push(1);
  pair.RunToEmpty();
  REQUIRE(pair.collector.gaps.size() == 1);
  CHECK(pair.collector.gaps[0].reason == "rejected");
  CHECK(pair.collector.gaps[0].lines == 3);
}

TEST_CASE("a connection whose other end is gone without a word is left", "[shipper][failure]") {
  Pair pair;
  Relay relay(pair.loop, pair.collector.address());
  SECTION("while nothing is sent") { pair.options.session.ping_interval = kShort; }
  SECTION("while an acknowledgement is awaited") { pair.options.session.ack_timeout = kShort; }
  const bool idle = pair.options.session.ping_interval == kShort;
  pair.Make({relay.address()});
  pair.Start();
  pair.Push(1);
  pair.Run([&] { return pair.queue->empty() || pair.Errors(SendErrorKind::kTimeout) > 0; });
  relay.silent = true;
  if (!idle) pair.Push(1);
  const std::uint64_t timeouts = pair.Errors(SendErrorKind::kTimeout);
  pair.Run([&] { return pair.Errors(SendErrorKind::kTimeout) > timeouts; });
  CHECK_FALSE(pair.sender->connected());
  relay.silent = false;
  pair.Push(1);
  pair.RunToEmpty();
  CHECK(pair.collector.durable_lines() == (idle ? 6 : 9));
  CHECK_FALSE(pair.collector.failed());
}

TEST_CASE("answers that arrived while the process was held up are read before it gives up",
          "[shipper][failure]") {
  Pair pair;
  pair.options.session.ack_timeout = 1s;
  pair.Make();
  pair.collector.acknowledge = false;
  pair.Start();
  pair.Push(1);
  pair.Run([&] { return pair.collector.durable() == 1; });
  pair.collector.Acknowledge();
  // The thread is not run for longer than the time-out: frozen, or without CPU. Timers come first
  // when it goes on.
  const SteadyTime until = SystemClock().Steady() + 1300ms;
  while (SystemClock().Steady() < until) {
  }
  pair.RunToEmpty();
  CHECK(pair.AllErrors() == 0);
}

/// The machine's steady clock, and a wall clock that is set at will.
class SetClock final : public Clock {
 public:
  LogTime Now() const override { return SystemClock().Now() + offset; }
  SteadyTime Steady() const override { return SystemClock().Steady(); }
  std::chrono::hours offset{0};
};

TEST_CASE("a wall clock that is set forward an hour and back two changes nothing but times",
          "[shipper][failure]") {
  SetClock clock;
  Pair pair;
  pair.Make(clock);
  pair.Start();
  for (auto offset : {0h, 1h, -1h, 0h}) {
    clock.offset = offset;
    const LogTime before = clock.Now();
    pair.Push(3);
    pair.RunToEmpty();
    CHECK(pair.sender->statistics().last_ack >= before);
    CHECK(pair.sender->statistics().last_ack <= clock.Now());
  }
  CHECK(pair.collector.durable() == 12);
  CHECK(pair.sender->statistics().connections == 1);
  // Latencies are steady time.
  CHECK(pair.sender->statistics().sessions.ack_latency.sum() >= 0);
  CHECK(pair.sender->statistics().sessions.ack_latency.sum() < 60);
  clock.offset = -1h;
  pair.collector.Cut();
  pair.Push(1);
  pair.RunToEmpty();
  CHECK(pair.sender->statistics().connections == 2);
}

TEST_CASE("in a hurry the wait before the next attempt is cut short", "[shipper][failure]") {
  Pair pair;
  pair.options.retry = {1h, 1h};
  pair.Make();
  pair.collector.CloseListener();
  pair.Start();
  pair.Push(1);
  pair.Run([&] { return pair.Errors(SendErrorKind::kConnect) == 1; });
  pair.collector.OpenListener();
  pair.sender->Hurry();
  pair.RunToEmpty();
  CHECK(pair.collector.durable_lines() == 3);
}

}  // namespace
}  // namespace dunlin::shipper
