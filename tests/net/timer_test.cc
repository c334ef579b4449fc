#include <chrono>
#include <memory>
#include <optional>
#include <vector>

#include "protocol/net/loop.h"
#include "tests/support/catch.h"

namespace dunlin::net {
namespace {

using namespace std::chrono_literals;
using SteadyClock = std::chrono::steady_clock;

TEST_CASE("a timer is never early, however short its delay", "[net][timer]") {
  auto delay = GENERATE(values<std::chrono::nanoseconds>({1ns, 1us, 999us, 1ms, 1500us, 7ms}));
  CAPTURE(delay.count());
  Loop loop;
  SteadyClock::time_point fired;
  Timer timer(loop, [&] { fired = SteadyClock::now(); });
  for (int i = 0; i < 5; ++i) {
    auto start = SteadyClock::now();
    timer.Start(delay);
    loop.Run();
    CHECK(fired - start >= delay);
  }
}

TEST_CASE("a delay counts from the call, not from the turn of the loop", "[net][timer]") {
  Loop loop;
  SteadyClock::time_point start;
  SteadyClock::time_point fired;
  Timer second(loop, [&] { fired = SteadyClock::now(); });
  Timer first(loop, [&] {
    // Work that takes longer than the delay must not make the second timer due at once.
    auto until = SteadyClock::now() + 20ms;
    while (SteadyClock::now() < until) {
    }
    start = SteadyClock::now();
    second.Start(10ms);
  });
  first.Start(0ms);
  loop.Run();
  CHECK(fired - start >= 10ms);
}

TEST_CASE("the loop counts how late timers fire", "[net][timer]") {
  Loop loop;
  Timer held_up(loop, [] {});
  Timer busy(loop, [&] {
    auto until = SteadyClock::now() + 60ms;
    while (SteadyClock::now() < until) {
    }
  });
  busy.Start(0ms);  // the next turn is never late
  held_up.Start(10ms);
  loop.Run();
  CHECK(loop.lag().total() == 1);
  CHECK(loop.lag().sum() >= 0.045);
}

TEST_CASE("timers fire in the order they are due", "[net][timer]") {
  Loop loop;
  std::vector<int> order;
  Timer late(loop, [&] { order.push_back(2); });
  Timer soon(loop, [&] { order.push_back(1); });
  late.Start(30ms);
  soon.Start(5ms);
  loop.Run();
  CHECK(order == std::vector{1, 2});
}

TEST_CASE("a timer fires once, again when armed again, and not when stopped", "[net][timer]") {
  Loop loop;
  int fired = 0;
  Timer timer(loop, [&] { ++fired; });
  CHECK_FALSE(timer.active());
  timer.Start(1ms);
  CHECK(timer.active());
  loop.Run();
  CHECK(fired == 1);
  CHECK_FALSE(timer.active());
  timer.Start(1ms);
  loop.Run();
  CHECK(fired == 2);
  timer.Start(1ms);
  timer.Stop();
  CHECK_FALSE(timer.active());
  loop.Run();
  CHECK(fired == 2);
}

TEST_CASE("a repeating timer fires until its callback stops it", "[net][timer]") {
  Loop loop;
  int fired = 0;
  Timer timer(loop, [&] {
    if (++fired == 3) timer.Stop();
  });
  timer.Start(1ms, 100us);
  loop.Run();
  CHECK(fired == 3);
}

TEST_CASE("a timer arms itself again from its callback", "[net][timer]") {
  Loop loop;
  int fired = 0;
  Timer timer(loop, [&] {
    if (++fired < 3) timer.Start(1ms);
  });
  timer.Start(0ms);
  loop.Run();
  CHECK(fired == 3);
}

TEST_CASE("timers that arm themselves at once leave turns to others", "[net][timer]") {
  Loop loop;
  int fired = 0;
  bool ran = false;
  std::optional<Timer> first;
  std::optional<Timer> second;
  first.emplace(loop, [&] {
    if (!ran && ++fired < 100'000) second->Start(0ms);
  });
  second.emplace(loop, [&] { first->Start(0ms); });
  first->Start(0ms);
  loop.RunOnce();
  loop.Post([&] { ran = true; });
  loop.Run();
  CHECK(ran);
  CHECK(fired < 100'000);
}

TEST_CASE("what a timer arms for the next turn does not wait for the clock", "[net][timer]") {
  Loop loop;
  int fired = 0;
  std::optional<Timer> timer;
  timer.emplace(loop, [&] {
    if (++fired < 50) timer->Start(0ms);
  });
  timer->Start(0ms);
  for (int turn = 0; turn < 50; ++turn) loop.RunOnce();
  CHECK(fired == 50);
}

TEST_CASE("a timer is stopped, or armed anew, before its next turn comes", "[net][timer]") {
  Loop loop;
  int fired = 0;
  Timer second(loop, [&] { ++fired; });
  Timer first(loop, [&] {
    second.Start(0ms);
    CHECK(second.active());
    second.Stop();
    CHECK_FALSE(second.active());
    second.Start(0ms);
    second.Start(1ms, 1ms);
    CHECK(second.active());
  });
  Timer last(loop, [&] { second.Stop(); });
  first.Start(0ms);
  last.Start(20ms);
  loop.RunOnce();
  CHECK(fired == 0);
  loop.Run();
  CHECK(fired > 0);
}

TEST_CASE("a timer armed by another repeats after its next turn", "[net][timer]") {
  Loop loop;
  int fired = 0;
  Timer second(loop, [&] {
    if (++fired == 3) second.Stop();
  });
  Timer first(loop, [&] { second.Start(0ms, 1ms); });
  first.Start(0ms);
  loop.Run();
  CHECK(fired == 3);
}

TEST_CASE("a destroyed timer does not fire and the loop closes clean", "[net][timer]") {
  Loop loop;
  bool fired = false;
  {
    Timer timer(loop, [&] { fired = true; });
    timer.Start(0ms);
  }
  loop.Run();
  CHECK_FALSE(fired);
}

TEST_CASE("a timer may be destroyed by its own callback", "[net][timer]") {
  auto repeat = GENERATE(0ms, 1ms);
  Loop loop;
  int fired = 0;
  auto owned = std::make_shared<int>(7);  // gone with the callback if that were destroyed too early
  std::optional<Timer> timer;
  timer.emplace(loop, [&, owned] {
    timer.reset();
    fired += *owned;
  });
  timer->Start(0ms, repeat);
  loop.Run();
  CHECK(fired == 7);
}

TEST_CASE("a timer may be destroyed by another's callback of the same turn", "[net][timer]") {
  Loop loop;
  bool fired = false;
  std::optional<Timer> second;
  Timer first(loop, [&] { second.reset(); });
  first.Start(0ms);
  second.emplace(loop, [&] { fired = true; });
  second->Start(0ms);
  loop.Run();
  CHECK_FALSE(fired);
}

}  // namespace
}  // namespace dunlin::net
