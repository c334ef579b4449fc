#include "protocol/net/worker_pool.h"

#include <signal.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

namespace dunlin::net {
namespace {

struct Job {
  std::function<void()> work;
  std::function<void()> done;
};

}  // namespace

struct WorkerPool::Impl {
  Loop& loop;
  // Read on the loop thread only; shared with completions that outlive the pool in the loop's
  // queue.
  std::shared_ptr<bool> alive = std::make_shared<bool>(true);
  mutable std::mutex mutex;
  std::condition_variable changed;
  std::deque<Job> jobs;     // guarded by mutex
  bool stopping = false;    // guarded by mutex
  std::size_t running = 0;  // guarded by mutex
  std::vector<std::thread> threads;

  explicit Impl(Loop& l) : loop(l) {}

  void Work() {
    for (;;) {
      Job job;
      {
        std::unique_lock lock(mutex);
        changed.wait(lock, [this] { return stopping || !jobs.empty(); });
        if (stopping) return;
        job = std::move(jobs.front());
        jobs.pop_front();
        ++running;
      }
      job.work();
      {
        std::lock_guard lock(mutex);
        --running;
      }
      // The work travels too: what it owns may belong to the loop thread.
      loop.Post([alive = alive, finished = std::move(job)] {
        if (*alive && finished.done) finished.done();
      });
    }
  }
};

WorkerPool::WorkerPool(Loop& loop, std::size_t threads) : impl_(std::make_unique<Impl>(loop)) {
  // Threads inherit the mask: signals are the loop thread's, and blocking calls here see no EINTR.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  for (std::size_t i = 0; i < threads; ++i) {
    impl_->threads.emplace_back([impl = impl_.get()] { impl->Work(); });
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

WorkerPool::~WorkerPool() {
  std::deque<Job> dropped;  // destroyed outside the lock
  {
    std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
    dropped.swap(impl_->jobs);
  }
  impl_->changed.notify_all();
  for (auto& thread : impl_->threads) thread.join();
  *impl_->alive = false;
}

void WorkerPool::Submit(std::function<void()> work, std::function<void()> done) {
  {
    std::lock_guard lock(impl_->mutex);
    impl_->jobs.push_back({std::move(work), std::move(done)});
  }
  impl_->changed.notify_one();
}

bool WorkerPool::busy() const {
  std::lock_guard lock(impl_->mutex);
  return impl_->running > 0 || !impl_->jobs.empty();
}

std::size_t WorkerPool::queued() const {
  std::lock_guard lock(impl_->mutex);
  return impl_->jobs.size();
}

}  // namespace dunlin::net
