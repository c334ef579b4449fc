#include "protocol/net/worker_pool.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <vector>

#include "tests/support/catch.h"
#include "tests/support/loop_runner.h"

namespace dunlin::net {
namespace {

using testing::RunUntil;

/// Holds workers back until it is opened.
class Gate {
 public:
  void Open() {
    std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  void Pass() {
    std::unique_lock lock(mutex_);
    ++waiting_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
  }
  void AwaitWaiting(int count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return waiting_ >= count; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
  int waiting_ = 0;
};

TEST_CASE("work runs on workers and completions on the loop", "[net][workers]") {
  Loop loop;
  WorkerPool pool(loop, 3);
  std::atomic<int> worked{0};
  int done = 0;
  auto home = std::this_thread::get_id();
  std::atomic<bool> worked_at_home{false};
  for (int i = 0; i < 100; ++i) {
    pool.Submit(
        [&] {
          if (std::this_thread::get_id() == home) worked_at_home = true;
          ++worked;
        },
        [&] {
          CHECK(std::this_thread::get_id() == home);
          ++done;
        });
  }
  RunUntil(loop, [&] { return done == 100; });
  CHECK(worked == 100);
  CHECK_FALSE(worked_at_home);
}

TEST_CASE("one worker takes work in order of submission", "[net][workers]") {
  Loop loop;
  WorkerPool pool(loop, 1);
  std::vector<int> worked;  // one worker at a time
  std::vector<int> done;
  for (int i = 0; i < 50; ++i) {
    pool.Submit([&worked, i] { worked.push_back(i); }, [&done, i] { done.push_back(i); });
  }
  RunUntil(loop, [&] { return done.size() == 50; });
  CHECK(worked == done);
  CHECK(std::is_sorted(done.begin(), done.end()));
}

TEST_CASE("the queue is counted and dropped with the pool; running work is waited for",
          "[net][workers]") {
  Loop loop;
  Gate gate;
  std::atomic<int> worked{0};
  int done = 0;
  std::optional<WorkerPool> pool(std::in_place, loop, 2);
  for (int i = 0; i < 10; ++i) {
    pool->Submit(
        [&] {
          gate.Pass();
          ++worked;
        },
        [&] { ++done; });
  }
  gate.AwaitWaiting(2);
  CHECK(pool->queued() == 8);
  std::thread opener([&gate, raw = &*pool] {
    while (raw->queued() != 0) std::this_thread::yield();
    gate.Open();
  });
  pool.reset();
  opener.join();
  CHECK(worked == 2);
  loop.RunOnce();
  CHECK(done == 0);
}

TEST_CASE("what work and completion own is destroyed on the loop thread", "[net][workers]") {
  struct Witness {
    explicit Witness(std::set<std::thread::id>& t) : threads(t) {}
    ~Witness() { threads.insert(std::this_thread::get_id()); }
    std::set<std::thread::id>& threads;
  };
  std::set<std::thread::id> threads;
  Loop loop;
  WorkerPool pool(loop, 1);
  bool done = false;
  pool.Submit([w = std::make_shared<Witness>(threads)] {},
              [&done, w = std::make_shared<Witness>(threads)] { done = true; });
  RunUntil(loop, [&] { return done; });
  loop.RunOnce();
  CHECK(threads == std::set{std::this_thread::get_id()});
}

TEST_CASE("any thread may submit, a completion too, and a completion may be missing",
          "[net][workers]") {
  Loop loop;
  WorkerPool pool(loop, 2);
  std::atomic<int> worked{0};
  bool done = false;
  std::thread other([&] {
    pool.Submit([&] { ++worked; }, nullptr);
    pool.Submit([&] { ++worked; }, [&] { pool.Submit([&] { ++worked; }, [&] { done = true; }); });
  });
  other.join();
  RunUntil(loop, [&] { return done; });
  CHECK(worked >= 2);
}

}  // namespace
}  // namespace dunlin::net
