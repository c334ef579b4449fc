// What a session makes of time: the pauses a collector asks for, and how long it waits for what.
#include <string>
#include <string_view>

#include "protocol/wire/messages.h"
#include "shipper/session.h"
#include "tests/shipper/session_line.h"
#include "tests/support/catch.h"

namespace dunlin::shipper {
namespace {

using namespace std::chrono_literals;
using wire::FrameType;
using Actions = Session::Actions;
using Kind = Session::Close::Kind;

using Sequences = std::vector<std::uint64_t>;

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

}  // namespace
}  // namespace dunlin::shipper
