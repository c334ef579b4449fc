#pragma once

#include <functional>
#include <memory>

#include "protocol/net/loop.h"

namespace dunlin::net {

/// Calls back on the loop for each delivery of one signal (deliveries may coalesce). Destroyed: the
/// default disposition returns.
class SignalWatcher {
 public:
  SignalWatcher(Loop& loop, int signal, std::function<void(int signal)> on_signal);
  ~SignalWatcher();
  SignalWatcher(const SignalWatcher&) = delete;
  SignalWatcher& operator=(const SignalWatcher&) = delete;

 private:
  struct Impl;
  Impl* impl_;
};

}  // namespace dunlin::net
