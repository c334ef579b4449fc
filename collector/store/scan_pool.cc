#include "collector/store/scan_pool.h"

#include <algorithm>
#include <memory>
#include <utility>

namespace dunlin::store {

ScanPool::ScanPool(std::size_t threads) {
  if (threads == 0) threads = std::max(1U, std::thread::hardware_concurrency());
  for (std::size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { Work(); });
}

ScanPool::~ScanPool() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void ScanPool::Run(std::function<void()> task) {
  {
    std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  wake_.notify_one();
}

/// The state of one RunAll, also for threads that come when it is over.
class ScanPool::Shared {
 public:
  Shared(std::size_t count, const std::function<void(std::size_t)>& work)
      : count_(count), work_(work) {}

  /// Works until nothing is left to begin.
  void Help() {
    std::unique_lock lock(mutex_);
    while (next_ < count_) {
      std::size_t index = next_++;
      ++running_;
      lock.unlock();
      work_(index);
      lock.lock();
      --running_;
    }
    if (running_ == 0) ended_.notify_all();
  }

  void Wait() {
    std::unique_lock lock(mutex_);
    ended_.wait(lock, [&] { return next_ == count_ && running_ == 0; });
  }

 private:
  const std::size_t count_;
  const std::function<void(std::size_t)>& work_;  // the caller's: not called once all have ended
  std::mutex mutex_;
  std::condition_variable ended_;
  std::size_t next_ = 0;
  std::size_t running_ = 0;
};

void ScanPool::RunAll(std::size_t count, const std::function<void(std::size_t)>& work) {
  auto shared = std::make_shared<Shared>(count, work);
  for (std::size_t helpers = std::min(threads(), count); helpers > 1; --helpers) {
    Run([shared] { shared->Help(); });
  }
  shared->Help();
  shared->Wait();
}

void ScanPool::Work() {
  for (;;) {
    std::function<void()> task;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return stopping_ || !tasks_.empty(); });
      if (tasks_.empty()) return;
      task = std::move(tasks_.front());
      tasks_.pop_front();
    }
    task();
  }
}

}  // namespace dunlin::store
