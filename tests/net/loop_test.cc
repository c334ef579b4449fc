#include "protocol/net/loop.h"

#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/catch.h"

namespace dunlin::net {
namespace {

using namespace std::chrono_literals;

TEST_CASE("a loop with nothing to wait for returns", "[net][loop]") {
  Loop loop;
  loop.Run();
  loop.RunOnce();
}

TEST_CASE("posted tasks run in order, those of a task after it", "[net][loop]") {
  Loop loop;
  Timer keep(loop, [] {});
  keep.Start(1h);
  std::string order;
  loop.Post([&] {
    order += 'a';
    loop.Post([&] {
      order += 'c';
      loop.Stop();
    });
  });
  loop.Post([&] { order += 'b'; });
  loop.Run();
  CHECK(order == "abc");
}

TEST_CASE("tasks of other threads all run, on the loop's own", "[net][loop]") {
  constexpr int kThreads = 4;
  constexpr int kEach = 500;
  Loop loop;
  Timer keep(loop, [] {});
  keep.Start(1h);
  std::vector<int> next(kThreads, 0);
  int total = 0;
  bool in_order = true;
  bool at_home = true;
  auto home = std::this_thread::get_id();
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        loop.Post([&, t, i] {
          in_order = in_order && next[t]++ == i;
          at_home = at_home && std::this_thread::get_id() == home;
          if (++total == kThreads * kEach) loop.Stop();
        });
      }
    });
  }
  loop.Run();
  for (auto& thread : threads) thread.join();
  CHECK(total == kThreads * kEach);
  CHECK(in_order);
  CHECK(at_home);
}

TEST_CASE("posting does not keep a loop going, but what waits runs first", "[net][loop]") {
  Loop loop;
  bool ran = false;
  loop.Post([&] { ran = true; });
  loop.Run();
  CHECK(ran);
}

TEST_CASE("a task posted too late is destroyed with the loop, unrun", "[net][loop]") {
  bool ran = false;
  auto owned = std::make_shared<int>(1);
  std::weak_ptr<int> watch = owned;
  {
    Loop loop;
    loop.Run();
    loop.Post([&ran, owned] { ran = true; });
    owned.reset();
    CHECK_FALSE(watch.expired());
  }
  CHECK(watch.expired());
  CHECK_FALSE(ran);
}

TEST_CASE("a waiting task may own a timer of the loop", "[net][loop]") {
  std::optional<Loop> loop(std::in_place);
  auto timer = std::make_shared<Timer>(*loop, [] {});
  timer->Start(1h);
  loop->Post([timer] {});
  timer.reset();
  loop.reset();
}

TEST_CASE("stop ends a run, and the next run goes on", "[net][loop]") {
  Loop loop;
  int fired = 0;
  Timer timer(loop, [&] {
    ++fired;
    loop.Stop();
  });
  timer.Start(0ms, 1ms);
  loop.Run();
  CHECK(fired == 1);
  loop.Run();
  CHECK(fired == 2);
}

TEST_CASE("a single turn does not wait", "[net][loop]") {
  Loop loop;
  bool fired = false;
  Timer timer(loop, [&] { fired = true; });
  timer.Start(1h);
  loop.RunOnce();
  CHECK_FALSE(fired);
  timer.Start(0ms);
  loop.RunOnce();
  CHECK(fired);
}

}  // namespace
}  // namespace dunlin::net
