#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <vector>

#include "collector/store/store.h"

namespace dunlin::store {

/// Batches on their way to the writer thread, in order, and requests to freeze the head. Bounded in
/// bytes, for agents and for everybody else apart, so that neither keeps the other out.
class AppendQueue {
 public:
  struct Item {
    AppendRequest request;
    Store::AppendDone done;
    std::uint64_t bytes = 0;
  };

  explicit AppendQueue(std::uint64_t max_bytes) : max_bytes_(max_bytes) {}

  /// Any thread. Past the bound `done` gets kExhausted at once, after Stop kUnavailable.
  void Push(AppendRequest request, Store::AppendDone done);

  /// Any thread. The head is to be frozen once all that was pushed before is in it; returns the
  /// number of the request.
  std::uint64_t AskForFreeze();

  struct Work {
    std::vector<Item> group;  // to be committed together; empty when only a freeze was asked for
    std::uint64_t freezes_wanted = 0;
  };
  /// Writer thread. Waits for items or for a freeze beyond `freezes_done`; nothing after Stop.
  /// Whatever came while the last group was committed is the next one: no timer.
  std::optional<Work> Take(std::uint64_t freezes_done);

  /// Any thread. Answers what is queued with kUnavailable.
  void Stop();

  std::uint64_t bytes() const;

 private:
  std::uint64_t& BytesOf(const AppendRequest& request);

  const std::uint64_t max_bytes_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Item> items_;
  std::uint64_t agent_bytes_ = 0;
  std::uint64_t other_bytes_ = 0;
  std::uint64_t freezes_wanted_ = 0;
  bool stopped_ = false;
};

}  // namespace dunlin::store
