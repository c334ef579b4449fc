#include "collector/store/scan_pool.h"

#include <atomic>
#include <thread>
#include <vector>

#include "tests/support/catch.h"

namespace dunlin::store {
namespace {

TEST_CASE("all of a pool's work is done once, and has ended on return", "[store][scan]") {
  ScanPool pool(2);
  for (std::size_t count : {0, 1, 2, 3, 100}) {
    std::vector<std::atomic<int>> calls(count);
    pool.RunAll(count, [&](std::size_t i) { ++calls[i]; });
    for (const auto& called : calls) CHECK(called == 1);
  }
}

TEST_CASE("several threads share a pool", "[store][scan]") {
  ScanPool pool(2);
  std::atomic<int> sum{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 100; ++round) pool.RunAll(10, [&](std::size_t) { ++sum; });
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(sum == 4000);
}

TEST_CASE("work does not wait for a busy pool", "[store][scan]") {
  ScanPool pool(1);
  std::atomic<bool> release{false};
  pool.Run([&] {
    while (!release) std::this_thread::yield();
  });
  int done = 0;
  pool.RunAll(5, [&](std::size_t) { ++done; });  // a race if the busy thread took part
  CHECK(done == 5);
  release = true;
}

}  // namespace
}  // namespace dunlin::store
