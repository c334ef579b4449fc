#include <string>

#include "tests/net/ports.h"
#include "tests/shipper/sender_pair.h"
#include "tests/support/catch.h"

namespace dunlin::shipper {
namespace {

using namespace std::chrono_literals;
using testing::ScriptedCollector;

/// Two collectors, the first of which is looked for every now and then while the second is in use.
struct Two : Pair {
  Two() {
    options.return_interval = 20ms;
    Make({collector.address(), second.address()});
  }
  bool UsesFirst() const { return sender->peer() == collector.address().ToString(); }
  bool UsesSecond() const { return sender->peer() == second.address().ToString(); }

  ScriptedCollector second{loop};
};

TEST_CASE("with several collectors the next one takes over", "[shipper][failover]") {
  Two two;
  two.options.session.welcome_timeout = kShort;
  two.options.return_interval = 1h;
  two.Make();
  SECTION("when the first is not there") { two.collector.CloseListener(); }
  SECTION("when the first accepts and says nothing") { two.collector.welcome = false; }
  SECTION("when the first accepts and never reads") { two.collector.read = false; }
  SECTION("when the first welcomes and closes") {
    two.collector.on_welcomed = [&] { two.collector.Cut(); };
  }
  two.Start();
  two.Push(3);
  two.RunToEmpty();
  CHECK(two.second.durable_lines() == 9);
  CHECK(two.UsesSecond());
}

TEST_CASE("a collector whose host never answers costs one connect time-out",
          "[shipper][failover]") {
  Two two;
  net::FullPort full;
  two.options.connect_timeout = kShort;
  two.options.return_interval = 1h;
  two.Make({{"127.0.0.1", full.port}, two.second.address()});
  two.Start();
  two.Push(3);
  two.RunToEmpty();
  CHECK(two.Errors(SendErrorKind::kTimeout) >= 1);
  CHECK(two.AllErrors() == two.Errors(SendErrorKind::kTimeout));
  CHECK(two.second.durable_lines() == 9);
}

TEST_CASE("a collector that welcomes and takes no batch is left for the next one",
          "[shipper][failover]") {
  Two two;
  two.options.return_interval = 1h;
  two.options.session.ack_timeout = kShort;
  two.Make();
  SECTION("because it never acknowledges") {
    two.collector.acknowledge = two.collector.keep = false;
  }
  SECTION("because it has no room") {
    two.collector.on_batch = [&](const ScriptedCollector::Batch&) {
      two.collector.Send(wire::FrameType::kSlowDown, wire::Encode(wire::SlowDown{60'000, "full"}));
      two.collector.Send(wire::FrameType::kGoodbye, wire::Encode(wire::Goodbye{"full", true}));
      return true;
    };
  }
  two.Start();
  two.Push(3);
  two.RunToEmpty();
  CHECK(two.second.durable_lines() == 9);
  CHECK(two.UsesSecond());
}

TEST_CASE("after a time-out the next collector is tried first, however well the first had worked",
          "[shipper][failover]") {
  Two two;
  two.options.return_interval = 1h;
  two.options.session.ack_timeout = kShort;
  two.Make();
  two.Start();
  two.Push(1);
  two.RunToEmpty();
  CHECK(two.UsesFirst());
  two.collector.keep = two.collector.acknowledge = false;
  two.Push(1);
  two.RunToEmpty();
  CHECK(two.UsesSecond());
}

TEST_CASE("the first collector is used again once it is back", "[shipper][failover]") {
  Two two;
  two.collector.CloseListener();
  two.Start();
  two.Push(3);
  two.RunToEmpty();
  CHECK(two.UsesSecond());
  two.collector.OpenListener();
  two.Run([&] { return two.UsesFirst(); });
  two.Push(3);
  two.RunToEmpty();
  CHECK(two.second.durable_lines() == 9);
  CHECK(two.collector.durable_lines() == 9);
  CHECK(two.second.arrivals.size() == 3);
  CHECK(two.collector.arrivals.size() == 3);
  CHECK(two.sender->statistics().batches_lost == 0);
  // One that only looked, and one that stays.
  CHECK(two.collector.hellos.size() == 2);
  CHECK(two.sender->statistics().connections == 2);
}

TEST_CASE("while the first collector hangs the second goes on taking batches",
          "[shipper][failover]") {
  Two two;
  two.options.session.welcome_timeout = kShort;
  two.Make();
  two.collector.welcome = false;
  two.Start();
  two.Run([&] { return two.UsesSecond(); });
  std::uint64_t pushed = 0;
  net::Timer push(two.loop, [&] {
    two.Push(1, 1);
    ++pushed;
  });
  push.Start(1ms, 1ms);
  // It is asked again and again; each time costs one time-out, and no batch waits for it.
  two.Run([&] { return two.collector.hellos.size() >= 4; });
  CHECK(two.Errors(SendErrorKind::kTimeout) >= 3);
  CHECK(two.UsesSecond());
  CHECK(two.sender->statistics().connections == 1);
  CHECK(two.sender->statistics().last_error.empty());
  two.collector.welcome = true;
  two.Run([&] { return two.UsesFirst(); });
  push.Stop();
  two.RunToEmpty();
  CHECK(two.queue->acknowledged_lines() == pushed);
  CHECK(two.second.durable_lines() + two.collector.durable_lines() == pushed);
  CHECK_FALSE(two.second.failed());
  CHECK_FALSE(two.collector.failed());
}

TEST_CASE("what is on its way to the second collector is acknowledged before the first is used",
          "[shipper][failover]") {
  Two two;
  two.collector.CloseListener();
  two.second.acknowledge = false;
  two.Start();
  two.Push(4);
  two.Run([&] { return two.second.durable() == 4; });
  two.collector.OpenListener();
  two.Run([&] { return two.collector.hellos.size() == 1 && two.collector.connections() == 0; });
  CHECK(two.UsesSecond());
  // It takes nothing new.
  two.Push(1);
  two.second.Acknowledge();
  two.RunToEmpty();
  CHECK(two.UsesFirst());
  CHECK(two.second.durable_lines() == 12);
  CHECK(two.collector.durable_lines() == 3);
  REQUIRE(two.collector.arrivals.size() == 1);
  CHECK(two.collector.arrivals[0].sequence == 5);
  CHECK(two.AllErrors() == two.Errors(SendErrorKind::kConnect));
}

TEST_CASE("a first collector that dies between its welcome and the return loses nothing",
          "[shipper][failover]") {
  Two two;
  two.collector.CloseListener();
  two.Start();
  two.Run([&] { return two.UsesSecond(); });
  two.collector.on_welcomed = [&] { two.collector.CloseListener(); };
  two.collector.OpenListener();
  two.Run([&] { return two.sender->statistics().connections == 2 && two.UsesSecond(); });
  two.Push(3);
  two.RunToEmpty();
  CHECK(two.second.durable_lines() == 9);
}

TEST_CASE("a sender that is in a hurry stays where it is", "[shipper][failover]") {
  Two two;
  two.collector.CloseListener();
  two.Start();
  two.Run([&] { return two.UsesSecond(); });
  two.sender->Hurry();
  two.collector.OpenListener();
  // Long enough for several looks.
  int turns = 0;
  net::Timer turn(two.loop, [&] { ++turns; });
  turn.Start(20ms, 20ms);
  two.Run([&] { return turns >= 10; });
  CHECK(two.collector.hellos.empty());
  CHECK(two.UsesSecond());
}

TEST_CASE("a connection is replaced at its age, and nothing is lost or sent twice",
          "[shipper][failover]") {
  Pair pair;
  pair.options.max_connection_age = 30ms;
  pair.Make();
  pair.Start();
  std::uint64_t pushed = 0;
  net::Timer push(pair.loop, [&] {
    pair.Push(2, 1);
    pushed += 2;
  });
  push.Start(1ms, 1ms);
  pair.Run([&] { return pair.sender->statistics().connections >= 5; });
  push.Stop();
  pair.RunToEmpty();
  CHECK(pair.collector.durable_lines() == pushed);
  CHECK(pair.collector.arrivals.size() == pushed);
  CHECK(pair.sender->statistics().batches_lost == 0);
  CHECK(pair.sender->statistics().sessions.batches_again == 0);
  CHECK(pair.AllErrors() == 0);
  CHECK_FALSE(pair.collector.failed());
}

TEST_CASE("a connection that is in use at its age ends with the last acknowledgement",
          "[shipper][failover]") {
  Pair pair;
  pair.options.max_connection_age = 30ms;
  pair.Make();
  pair.collector.acknowledge = false;
  pair.Start();
  pair.Push(2);
  pair.Run([&] { return pair.collector.durable() == 2; });
  int turns = 0;
  net::Timer turn(pair.loop, [&] { ++turns; });
  turn.Start(20ms, 20ms);
  pair.Run([&] { return turns >= 5; });
  CHECK(pair.collector.hellos.size() == 1);
  pair.collector.acknowledge = true;
  pair.collector.Acknowledge();
  pair.Run([&] { return pair.collector.hellos.size() >= 2; });
  CHECK(pair.queue->empty());
  CHECK(pair.collector.arrivals.size() == 2);
  CHECK(pair.AllErrors() == 0);
}

}  // namespace
}  // namespace dunlin::shipper
