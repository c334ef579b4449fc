#pragma once

#include <functional>
#include <memory>

#include "protocol/net/loop.h"

namespace dunlin::net {

/// Calls back on the loop for each delivery of one signal (deliveries may coalesce); unblocks the
/// signal, which a parent may have left blocked. Keeps Run() going. The callback may destroy the
/// watcher. Destroyed: the default disposition returns.
class SignalWatcher {
 public:
  SignalWatcher(Loop& loop, int signal, std::function<void(int signal)> on_signal);
  ~SignalWatcher();
  SignalWatcher(const SignalWatcher&) = delete;
  SignalWatcher& operator=(const SignalWatcher&) = delete;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Makes a write to a closed pipe or socket an error (EPIPE) instead of the end of the process.
/// Idempotent. Children of Spawn() get the disposition this process was started with.
void IgnoreBrokenPipes();

}  // namespace dunlin::net
