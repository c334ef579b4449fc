#include "shipper/session.h"

#include <string>
#include <string_view>

#include "protocol/wire/messages.h"
#include "tests/shipper/sealed_batch.h"
#include "tests/support/catch.h"
#include "tests/support/manual_clock.h"

namespace dunlin::shipper {
namespace {

using namespace std::chrono_literals;
using wire::FrameType;
using Actions = Session::Actions;
using Kind = Session::Close::Kind;

/// A session with its queue, and the verbs of a collector.
class Line {
 public:
  explicit Line(SessionOptions options = {}, QueueOptions queue_options = {})
      : queue(queue_options), session(queue, options, statistics) {
    CHECK(session.OnConnected(clock.Steady()) == Actions{Session::SendHello{}});
  }

  template <typename Message>
  Actions Receive(FrameType type, const Message& message) {
    payload_ = wire::Encode(message);
    return session.OnFrame({type, payload_}, clock.Steady());
  }
  Actions Welcome(std::uint64_t next_sequence = 1, std::uint32_t window = 0) {
    wire::Welcome welcome;
    welcome.next_sequence = next_sequence;
    welcome.max_unacknowledged_batches = window;
    return Receive(FrameType::kWelcome, welcome);
  }
  Actions Ack(std::uint64_t sequence) { return Receive(FrameType::kAck, wire::Ack{sequence}); }
  void Push(int batches) {
    for (int i = 0; i < batches; ++i) PushBatch(queue, 1);
  }
  /// The sequences that may be sent now.
  std::vector<std::uint64_t> Send() {
    std::vector<std::uint64_t> sent;
    while (auto frame = session.NextBatch(clock.Steady())) {
      sent.push_back(DecodeFrame(*frame).header.sequence);
    }
    return sent;
  }
  Actions Tick() { return session.OnTick(clock.Steady()); }

  testing::ManualClock clock;
  Queue queue;
  SessionStatistics statistics;
  Session session;

 private:
  std::string payload_;
};

Kind ClosedWith(const Actions& actions) {
  REQUIRE(actions.size() == 1);
  REQUIRE(std::holds_alternative<Session::Close>(actions[0]));
  return std::get<Session::Close>(actions[0]).kind;
}

using Sequences = std::vector<std::uint64_t>;

TEST_CASE("no batch goes before the welcome", "[shipper][session]") {
  Line line;
  line.Push(1);
  CHECK(line.Send().empty());
  CHECK(line.Welcome() == Actions{Session::SendMetrics{}});
  CHECK(line.session.streaming());
  CHECK(line.Send() == Sequences{1});
  CHECK(line.Send().empty());
}

TEST_CASE("a new connection goes on from where the collector says", "[shipper][session]") {
  Line first;
  first.Welcome();
  first.Push(5);
  CHECK(first.Send() == Sequences{1, 2, 3, 4, 5});
  first.Ack(1);

  Session second(first.queue, {}, first.statistics);
  second.OnConnected(first.clock.Steady());
  wire::Welcome welcome;
  welcome.next_sequence = 3;  // the acknowledgement of 2 was lost
  std::string payload = wire::Encode(welcome);
  second.OnFrame({FrameType::kWelcome, payload}, first.clock.Steady());
  CHECK(first.queue.first_sequence() == 3);
  CHECK(first.queue.acknowledged_lines() == 2);
  std::vector<std::uint64_t> sent;
  first.Push(1);
  while (auto frame = second.NextBatch(first.clock.Steady())) {
    sent.push_back(DecodeFrame(*frame).header.sequence);
  }
  CHECK(sent == Sequences{3, 4, 5, 6});
}

TEST_CASE("a collector that knows nothing gets everything still held", "[shipper][session]") {
  Line line;
  line.Welcome();
  line.Push(3);
  line.Send();
  line.Ack(2);
  Session other(line.queue, {}, line.statistics);
  other.OnConnected(line.clock.Steady());
  std::string payload = wire::Encode(wire::Welcome{});
  other.OnFrame({FrameType::kWelcome, payload}, line.clock.Steady());
  auto frame = other.NextBatch(line.clock.Steady());
  REQUIRE(frame);
  CHECK(DecodeFrame(*frame).header.sequence == 3);
}

TEST_CASE("a welcome that expects what was never sent is a fault", "[shipper][session]") {
  Line line;
  line.Push(1);
  CHECK(ClosedWith(line.Welcome(2)) == Kind::kProtocol);
  CHECK(line.queue.acknowledged_lines() == 0);
}

TEST_CASE("another protocol version is refused", "[shipper][session]") {
  Line line;
  wire::Welcome welcome;
  welcome.protocol_version = wire::kProtocolVersion + 1;
  CHECK(ClosedWith(line.Receive(FrameType::kWelcome, welcome)) == Kind::kRefused);
}

TEST_CASE("one batch may stand for many sequences, on the way and in the window",
          "[shipper][session]") {
  SessionOptions options;
  options.window_batches = 2;
  Line line(options, {MakeBatch(1).frame.size() * 2});
  line.Welcome();
  line.Push(1);
  CHECK(line.Send() == Sequences{1});
  line.Push(9);  // room for one of them
  CHECK(line.Send() == Sequences{9});
  CHECK(line.session.unanswered() == 2);
  CHECK(line.Ack(1).empty());
  CHECK(line.session.unanswered() == 1);
  CHECK(line.Send() == Sequences{10});
  CHECK(line.Ack(10).empty());
  CHECK(line.queue.acknowledged_lines() == 2);
  CHECK(line.queue.empty());
}

TEST_CASE("a range is sent again as it was", "[shipper][session]") {
  Line line({}, {MakeBatch(1).frame.size()});
  line.Welcome();
  line.Push(5);
  CHECK(line.Send() == Sequences{4, 5});
  line.Push(1);
  Session other(line.queue, {}, line.statistics);
  other.OnConnected(line.clock.Steady());
  std::string payload = wire::Encode(wire::Welcome{});
  other.OnFrame({FrameType::kWelcome, payload}, line.clock.Steady());
  auto range = other.NextBatch(line.clock.Steady());
  REQUIRE(range);
  CHECK(DecodeFrame(*range).header.first_sequence == 1);
  CHECK(DecodeFrame(*range).header.sequence == 4);
  auto next = other.NextBatch(line.clock.Steady());
  REQUIRE(next);
  CHECK(DecodeFrame(*next).header.sequence == 5);
  CHECK(line.statistics.batches_again == 2);
}

TEST_CASE("the window bounds what is not acknowledged", "[shipper][session]") {
  SessionOptions options;
  options.window_batches = 3;
  Line line(options);
  line.Push(10);
  SECTION("by its own number") {
    line.Welcome();
    CHECK(line.Send() == Sequences{1, 2, 3});
    line.Ack(2);
    CHECK(line.Send() == Sequences{4, 5});
  }
  SECTION("by the collector's smaller one") {
    line.Welcome(1, 2);
    CHECK(line.Send() == Sequences{1, 2});
  }
  SECTION("not by the collector's larger one") {
    line.Welcome(1, 100);
    CHECK(line.Send() == Sequences{1, 2, 3});
  }
}

TEST_CASE("the window bounds bytes, but lets one batch of any size pass", "[shipper][session]") {
  SessionOptions options;
  options.window_bytes = 5000;
  Line line(options);
  line.Welcome();
  for (int i = 0; i < 4; ++i) PushBatch(line.queue, 20, 1000);
  CHECK(line.Send() == Sequences{1});
  line.Ack(1);
  CHECK(line.Send() == Sequences{2});
}

TEST_CASE("an acknowledgement said twice changes nothing, one from the future is a fault",
          "[shipper][session]") {
  Line line;
  line.Welcome();
  line.Push(2);
  line.Send();
  CHECK(line.Ack(1).empty());
  CHECK(line.Ack(1).empty());
  CHECK(line.queue.acknowledged_lines() == 1);
  CHECK(ClosedWith(line.Ack(3)) == Kind::kProtocol);
  CHECK(line.queue.acknowledged_lines() == 1);
  CHECK(line.Ack(2).empty());  // too late: the session is over
  CHECK(line.queue.acknowledged_lines() == 1);
}

TEST_CASE("an acknowledgement may overtake what is being sent again", "[shipper][session]") {
  Line line;
  line.Welcome();
  line.Push(4);
  line.Send();
  Session again(line.queue, {}, line.statistics);
  again.OnConnected(line.clock.Steady());
  std::string welcome = wire::Encode(wire::Welcome{});
  again.OnFrame({FrameType::kWelcome, welcome}, line.clock.Steady());
  again.NextBatch(line.clock.Steady());
  std::string ack = wire::Encode(wire::Ack{3});
  CHECK(again.OnFrame({FrameType::kAck, ack}, line.clock.Steady()).empty());
  auto frame = again.NextBatch(line.clock.Steady());
  REQUIRE(frame);
  CHECK(DecodeFrame(*frame).header.sequence == 4);
}

TEST_CASE("what is sent, sent again and acknowledged is counted over sessions",
          "[shipper][session]") {
  Line line;
  line.Welcome(1, 3);  // a window smaller than the number of batches, so places are used again
  line.Push(5);
  line.Send();
  CHECK(line.session.unanswered() == 3);
  line.clock.Advance(20ms);
  line.Ack(2);
  CHECK(line.session.unanswered() == 1);
  line.Send();
  line.clock.Advance(3s);
  line.Ack(4);
  const Histogram& latency = line.statistics.ack_latency;
  CHECK(latency.total() == 4);
  CHECK(latency.sum() == Approx(0.02 + 0.02 + 3.02 + 3));
  CHECK(line.session.unanswered() == 1);

  Session again(line.queue, {}, line.statistics);
  again.OnConnected(line.clock.Steady());
  std::string welcome = wire::Encode(wire::Welcome{});
  again.OnFrame({FrameType::kWelcome, welcome}, line.clock.Steady());
  again.NextBatch(line.clock.Steady());
  CHECK(line.statistics.batches_sent == 6);
  CHECK(line.statistics.batches_again == 1);
  line.clock.Advance(1ms);
  std::string ack = wire::Encode(wire::Ack{5});
  again.OnFrame({FrameType::kAck, ack}, line.clock.Steady());
  CHECK(latency.total() == 5);
  // From the last time it was sent.
  CHECK(latency.sum() == Approx(6.06 + 0.001));
}

TEST_CASE("an acknowledgement for an earlier connection has no latency here",
          "[shipper][session]") {
  Line line;
  line.Welcome();
  line.Push(4);
  line.Send();
  Session again(line.queue, {}, line.statistics);
  again.OnConnected(line.clock.Steady());
  std::string welcome = wire::Encode(wire::Welcome{});
  again.OnFrame({FrameType::kWelcome, welcome}, line.clock.Steady());
  again.NextBatch(line.clock.Steady());
  std::string ack = wire::Encode(wire::Ack{3});
  again.OnFrame({FrameType::kAck, ack}, line.clock.Steady());
  CHECK(line.statistics.ack_latency.total() == 1);
}

TEST_CASE("a rejected batch is reported and the next ones follow", "[shipper][session]") {
  Line line;
  line.Welcome();
  line.Push(2);
  line.Send();
  CHECK(line.Receive(FrameType::kReject, wire::Reject{1, "entries too old"}) ==
        Actions{Session::Report{"the collector rejected a batch", "entries too old"}});
  CHECK(line.Receive(FrameType::kReject, wire::Reject{1, "again"}).empty());
  CHECK(line.Ack(2).empty());
  CHECK(line.queue.acknowledged_lines() == 1);
  CHECK(line.queue.has_marks());
  line.Push(1);
  CHECK(line.Send() == Sequences{3});
  CHECK(ClosedWith(line.Receive(FrameType::kReject, wire::Reject{9, "?"})) == Kind::kProtocol);
}

TEST_CASE("slow down pauses new batches for that long", "[shipper][session]") {
  Line line;
  line.Welcome();
  line.Push(2);
  CHECK(line.Receive(FrameType::kSlowDown, wire::SlowDown{700, "disk"}).empty());
  CHECK(line.Send().empty());
  CHECK(line.session.deadline() == line.clock.Steady() + 700ms);
  line.clock.Advance(699ms);
  CHECK(line.Send().empty());
  line.clock.Advance(1ms);
  CHECK(line.Tick().empty());
  CHECK(line.session.deadline() > line.clock.Steady());
  CHECK(line.Send() == Sequences{1, 2});
}

TEST_CASE("every request for a pause is counted", "[shipper][session]") {
  Line line;
  line.Welcome();
  line.Receive(FrameType::kSlowDown, wire::SlowDown{10, "busy"});
  line.Receive(FrameType::kSlowDown, wire::SlowDown{10, "busy"});
  CHECK(line.statistics.slow_downs == 2);
}

TEST_CASE("a pause is bounded, whatever the collector asks for", "[shipper][session]") {
  Line line;
  line.Welcome();
  line.Push(1);
  line.Receive(FrameType::kSlowDown, wire::SlowDown{4'000'000'000U, "for ever"});
  line.clock.Advance(60s);
  CHECK(line.Send() == Sequences{1});
}

TEST_CASE("a collector that asks for pauses and takes nothing is left after five minutes",
          "[shipper][session]") {
  Line line;
  line.Welcome();
  line.Push(3);
  line.Send();
  auto ask = [&] { return line.Receive(FrameType::kSlowDown, wire::SlowDown{60'000, "full"}); };
  for (int minute = 0; minute < 5; ++minute) {
    CHECK(ask().empty());
    line.clock.Advance(1min);
  }
  SECTION("when nothing moves") { CHECK(ClosedWith(ask()) == Kind::kTimeout); }
  SECTION("but not while it takes a batch now and then") {
    CHECK(line.Ack(1).empty());
    CHECK(ask().empty());
  }
}

TEST_CASE("pauses with nothing to send between them are no row", "[shipper][session]") {
  Line line;
  line.Welcome();
  for (int i = 0; i < 10; ++i) {
    CHECK(line.Receive(FrameType::kSlowDown, wire::SlowDown{1000, "busy"}).empty());
    line.clock.Advance(2min);
    line.Receive(FrameType::kPong, wire::Pong{});
    line.Tick();
  }
}

TEST_CASE("an acknowledgement in a pause does not shorten the wait after it",
          "[shipper][session]") {
  Line line;
  line.Welcome();
  line.Push(2);
  line.Send();
  line.Receive(FrameType::kSlowDown, wire::SlowDown{60'000, "full"});
  line.Ack(1);
  for (int i = 0; i < 89; ++i) {
    line.clock.Advance(1s);
    line.Receive(FrameType::kPong, wire::Pong{});
    for (const auto& action : line.Tick()) {
      CHECK_FALSE(std::holds_alternative<Session::Close>(action));
    }
  }
  line.clock.Advance(1s);
  CHECK(ClosedWith(line.Tick()) == Kind::kTimeout);
}

TEST_CASE("a collector that takes no byte is left, whatever it says", "[shipper][session]") {
  SessionOptions options;
  options.metrics_interval = 1h;
  Line line(options);
  line.Welcome();
  line.session.NoteWrites(1000, line.clock.Steady());
  CHECK(line.session.deadline() == line.clock.Steady() + 15s);
  for (int i = 0; i < 14; ++i) {
    line.clock.Advance(1s);
    line.Receive(FrameType::kPing, wire::Ping{});
    // What is written meanwhile waits behind it and is no progress.
    line.session.NoteWrites(1000 + static_cast<std::size_t>(i) * 100, line.clock.Steady());
    CHECK(line.Tick().empty());
  }
  line.clock.Advance(1s);
  SECTION("nothing taken") { CHECK(ClosedWith(line.Tick()) == Kind::kTimeout); }
  SECTION("a byte taken") {
    line.session.NoteWrites(2299, line.clock.Steady());
    line.Receive(FrameType::kPing, wire::Ping{});
    CHECK(line.session.deadline() == line.clock.Steady() + 15s);
  }
  SECTION("all taken") {
    line.session.NoteWrites(0, line.clock.Steady());
    line.Receive(FrameType::kPing, wire::Ping{});
    line.clock.Advance(14s);
    CHECK(line.Tick().empty());
  }
}

TEST_CASE("a batch on its way over a slow connection is waited for, within reason",
          "[shipper][session]") {
  Line line;
  line.Welcome();
  line.Push(1);
  line.Send();
  std::size_t waiting = 1'000'000;
  line.session.NoteWrites(waiting, line.clock.Steady());
  auto closes = [&] {
    line.Receive(FrameType::kPong, wire::Pong{});
    line.session.NoteWrites(waiting, line.clock.Steady());
    for (const auto& action : line.Tick()) {
      if (std::holds_alternative<Session::Close>(action)) return true;
    }
    return false;
  };
  for (int i = 0; i < 29; ++i) {
    waiting -= 30'000;
    line.clock.Advance(10s);
    CHECK_FALSE(closes());
  }
  SECTION("until its answer") { CHECK(line.Ack(1).empty()); }
  SECTION("until five minutes are over") {
    waiting -= 30'000;
    line.clock.Advance(10s);
    CHECK(closes());
  }
  SECTION("until thirty seconds after the last byte") {
    waiting = 0;
    line.session.NoteWrites(waiting, line.clock.Steady());
    line.clock.Advance(8s);
    CHECK_FALSE(closes());
    line.clock.Advance(2s);
    CHECK(closes());
  }
}

TEST_CASE("bytes that never had to wait do not prolong the wait for an acknowledgement",
          "[shipper][session]") {
  Line line;
  line.Welcome();
  line.Push(1);
  line.Send();
  for (int i = 0; i < 29; ++i) {
    line.clock.Advance(1s);
    line.Receive(FrameType::kPong, wire::Pong{});
    line.session.NoteWrites(0, line.clock.Steady());
    line.Tick();
    line.session.NoteWrites(0, line.clock.Steady());
  }
  line.clock.Advance(1s);
  CHECK(ClosedWith(line.Tick()) == Kind::kTimeout);
}

TEST_CASE("a session that drains sends nothing new and ends with the last acknowledgement",
          "[shipper][session]") {
  Line line;
  line.Welcome();
  line.Push(3);
  SECTION("at once when nothing is on its way") {
    CHECK(ClosedWith(line.session.Drain()) == Kind::kDrained);
    CHECK(line.Send().empty());
    CHECK(line.session.unanswered() == 0);
  }
  SECTION("after those on their way") {
    CHECK(line.Send() == Sequences{1, 2, 3});
    CHECK(line.session.Drain().empty());
    CHECK(line.session.streaming());
    line.Push(1);
    CHECK(line.Send().empty());
    CHECK(line.Ack(2).empty());
    CHECK(line.session.Drain().empty());
    CHECK(ClosedWith(line.Ack(3)) == Kind::kDrained);
    CHECK(line.queue.acknowledged_lines() == 3);
    CHECK_FALSE(line.queue.empty());
  }
  SECTION("also when the last one is rejected") {
    line.Send();
    line.session.Drain();
    line.Ack(2);
    auto actions = line.Receive(FrameType::kReject, wire::Reject{3, "no"});
    REQUIRE(actions.size() == 2);
    CHECK(std::get<Session::Close>(actions[1]).kind == Kind::kDrained);
  }
  SECTION("but not for ever") {
    line.Send();
    line.session.Drain();
    line.clock.Advance(30s);
    CHECK(ClosedWith(line.Tick()) == Kind::kTimeout);
  }
}

TEST_CASE("a session drains at its age", "[shipper][session]") {
  SessionOptions options;
  options.max_age = 10s;
  Line line(options);
  line.clock.Advance(1s);
  line.Welcome();
  CHECK(line.session.deadline() == line.clock.Steady() + 10s);
  line.Push(1);
  line.Send();
  SECTION("from its welcome on") {
    line.clock.Advance(9s);
    line.Tick();
    CHECK_FALSE(line.session.draining());
    line.clock.Advance(1s);
    CHECK(line.Tick().empty());
    CHECK(line.session.draining());
    // And the age makes no more ticks.
    CHECK(line.session.deadline() > line.clock.Steady());
    CHECK(ClosedWith(line.Ack(1)) == Kind::kDrained);
  }
  SECTION("unless told to go on") {
    line.session.StopAging();
    line.clock.Advance(10s);
    line.Tick();
    CHECK_FALSE(line.session.draining());
  }
}

TEST_CASE("a session knows whether it was of use", "[shipper][session]") {
  Line line;
  line.Welcome();
  line.Push(2);
  line.Send();
  CHECK_FALSE(line.session.answered());
  line.Ack(1);
  CHECK(line.session.answered());
}

TEST_CASE("silence is answered by a ping, and more silence by the end", "[shipper][session]") {
  SessionOptions options;
  options.metrics_interval = 1h;
  Line line(options);
  line.Welcome();
  CHECK(line.session.deadline() == line.clock.Steady() + 15s);
  line.clock.Advance(15s);
  CHECK(line.Tick() == Actions{Session::SendPing{1}});
  SECTION("a pong ends the wait") {
    line.clock.Advance(14s);
    CHECK(line.Receive(FrameType::kPong, wire::Pong{1}).empty());
    line.clock.Advance(1s);
    CHECK(line.Tick().empty());
    line.clock.Advance(14s);
    CHECK(line.Tick() == Actions{Session::SendPing{2}});
  }
  SECTION("no answer") {
    line.clock.Advance(14s);
    CHECK(line.Tick().empty());
    line.clock.Advance(1s);
    CHECK(ClosedWith(line.Tick()) == Kind::kTimeout);
    CHECK(line.Send().empty());
    CHECK(line.session.welcomed());
  }
}

TEST_CASE("a collector that answers pings and never acknowledges is left", "[shipper][session]") {
  Line line;
  line.Welcome();
  line.Push(1);
  line.Send();
  for (int i = 0; i < 29; ++i) {
    line.clock.Advance(1s);
    line.Receive(FrameType::kPong, wire::Pong{1});
    for (const auto& action : line.Tick()) {
      CHECK_FALSE(std::holds_alternative<Session::Close>(action));
    }
  }
  line.clock.Advance(1s);
  CHECK(ClosedWith(line.Tick()) == Kind::kTimeout);
}

TEST_CASE("with nothing unacknowledged no acknowledgement is missed", "[shipper][session]") {
  Line line;
  line.Welcome();
  for (int i = 0; i < 100; ++i) {
    line.clock.Advance(1s);
    line.Receive(FrameType::kPong, wire::Pong{1});
    for (const auto& action : line.Tick()) {
      CHECK_FALSE(std::holds_alternative<Session::Close>(action));
    }
  }
  line.Push(1);
  CHECK(line.Send() == Sequences{1});
  CHECK(line.Tick().empty());  // the wait starts with the batch
}

TEST_CASE("no welcome in time is the end", "[shipper][session]") {
  Line line;
  line.clock.Advance(9999ms);
  CHECK(line.Tick().empty());
  line.clock.Advance(1ms);
  CHECK(ClosedWith(line.Tick()) == Kind::kTimeout);
  CHECK_FALSE(line.session.welcomed());
}

TEST_CASE("metrics go right after the welcome and every fifteen seconds", "[shipper][session]") {
  Line line;
  CHECK(line.Welcome() == Actions{Session::SendMetrics{}});
  line.clock.Advance(14s);
  line.Receive(FrameType::kPong, wire::Pong{});
  CHECK(line.Tick().empty());
  line.clock.Advance(1s);
  CHECK(line.Tick() == Actions{Session::SendMetrics{}});
  CHECK(line.Tick().empty());
}

TEST_CASE("a ping is answered with its number", "[shipper][session]") {
  Line line;
  line.Welcome();
  CHECK(line.Receive(FrameType::kPing, wire::Ping{99}) == Actions{Session::SendPong{99}});
}

TEST_CASE("goodbye ends the connection, as a refusal when it says so", "[shipper][session]") {
  Line line;
  const bool retry = GENERATE(true, false);
  const bool welcomed = GENERATE(true, false);
  if (welcomed) line.Welcome();
  CHECK(ClosedWith(line.Receive(FrameType::kGoodbye, wire::Goodbye{"bye", retry})) ==
        (retry ? Kind::kGoodbye : Kind::kRefused));
}

TEST_CASE("frames out of place or broken are faults", "[shipper][session]") {
  Line line;
  SECTION("before the welcome") { CHECK(ClosedWith(line.Ack(1)) == Kind::kProtocol); }
  SECTION("a second welcome") {
    line.Welcome();
    CHECK(ClosedWith(line.Welcome()) == Kind::kProtocol);
  }
  SECTION("what only agents send") {
    line.Welcome();
    CHECK(ClosedWith(line.Receive(FrameType::kHello, wire::Hello{})) == Kind::kProtocol);
  }
  SECTION("a payload that does not decode") {
    line.Welcome();
    auto type = GENERATE(FrameType::kAck, FrameType::kReject, FrameType::kSlowDown,
                         FrameType::kGoodbye, FrameType::kPing);
    CHECK(ClosedWith(line.session.OnFrame({type, "\xFF\xFF"}, line.clock.Steady())) ==
          Kind::kProtocol);
  }
}

}  // namespace
}  // namespace dunlin::shipper
