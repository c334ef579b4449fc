#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace dunlin::store {

/// A few threads that run what scans hand to them, first come, first served. Any thread.
class ScanPool {
 public:
  /// Zero threads: one per core.
  explicit ScanPool(std::size_t threads);
  /// Finishes what was handed in.
  ~ScanPool();
  ScanPool(const ScanPool&) = delete;
  ScanPool& operator=(const ScanPool&) = delete;

  std::size_t threads() const { return threads_.size(); }
  void Run(std::function<void()> task);
  /// Calls work(0) to work(count - 1), in no order, on the pool's threads and on the caller's, and
  /// returns when all have ended.
  void RunAll(std::size_t count, const std::function<void(std::size_t)>& work);

 private:
  class Shared;
  void Work();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> tasks_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace dunlin::store
