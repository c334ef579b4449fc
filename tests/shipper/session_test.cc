#include "shipper/session.h"

#include <string>
#include <string_view>

#include "protocol/wire/messages.h"
#include "tests/shipper/session_line.h"
#include "tests/support/catch.h"

namespace dunlin::shipper {
namespace {

using namespace std::chrono_literals;
using wire::FrameType;
using Actions = Session::Actions;
using Kind = Session::Close::Kind;

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

TEST_CASE("what is larger than the collector takes is given up and marked, not refused for ever",
          "[shipper][session]") {
  Line line;
  line.Push(1);
  PushBatch(line.queue, 100, 100);
  line.Push(1);
  wire::Welcome welcome;
  SECTION("before it was ever sent") {}
  SECTION("although a collector that took more may have had it") {
    line.Welcome();
    CHECK(line.Send() == Sequences{1, 2, 3});
  }
  Session other(line.queue, {}, line.statistics);
  other.OnConnected(line.clock.Steady());
  welcome.next_sequence = 1;
  welcome.max_frame_bytes = 4_KiB;
  std::string payload = wire::Encode(welcome);
  other.OnFrame({FrameType::kWelcome, payload}, line.clock.Steady());
  CHECK(other.max_frame_bytes() == 4_KiB + wire::kFrameHeaderBytes);
  std::vector<std::uint32_t> entries;
  while (auto frame = other.NextBatch(line.clock.Steady())) {
    CHECK(frame->size() <= other.max_frame_bytes());
    const wire::BatchView batch = DecodeFrame(*frame);
    entries.push_back(batch.entries);
    CHECK(batch.header.sequence == entries.size());
    if (batch.entries != 0) continue;
    REQUIRE(batch.header.gaps.size() == 1);
    CHECK(batch.header.gaps[0].lines == 100);
    CHECK(batch.header.gaps[0].reason == "too_large");
  }
  CHECK(entries == std::vector<std::uint32_t>{1, 0, 1});
  payload = wire::Encode(wire::Ack{3});
  other.OnFrame({FrameType::kAck, payload}, line.clock.Steady());
  CHECK(line.queue.acknowledged_lines() == 2);
  CHECK(line.queue.empty());
}

TEST_CASE("a collector that takes next to nothing is left", "[shipper][session]") {
  Line line;
  wire::Welcome welcome;
  welcome.next_sequence = 1;
  welcome.max_frame_bytes = 4_KiB - 1;
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
