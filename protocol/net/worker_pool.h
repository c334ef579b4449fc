#pragma once

#include <functional>
#include <memory>

#include "protocol/net/loop.h"

namespace dunlin::net {

/// A fixed number of threads for blocking work: files, compression, queries. In the agent
/// one, for the spool.
class WorkerPool {
 public:
  WorkerPool(Loop& loop, std::size_t threads);
  /// Waits for running work; queued work is dropped, its completions do not run.
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  /// Runs `work` on some worker, then `done` on the loop thread. Any thread. First in, first out.
  void Submit(std::function<void()> work, std::function<void()> done);
  std::size_t queued() const;
  /// Whether any work is queued or runs: then the end of the pool has to wait for it.
  bool busy() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dunlin::net
