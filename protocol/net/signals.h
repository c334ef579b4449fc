#pragma once

#include <functional>
#include <memory>

#include "protocol/base/result.h"
#include "protocol/net/loop.h"

namespace dunlin::net {

/// Calls back on the loop for each delivery of one signal (deliveries may coalesce); unblocks the
/// signal, which a parent may have left blocked. Keeps Run() going. The callback may destroy the
/// watcher. Destroyed: the default disposition returns, which for SIGPIPE is that of
/// IgnoreBrokenPipes(). A SIGPIPE of which this process's own write is the cause is not delivered;
/// one watcher of it at a time.
class SignalWatcher {
 public:
  SignalWatcher(Loop& loop, int signal, std::function<void(int signal)> on_signal);
  /// For a signal that may not be this process's to catch: what runs it (valgrind, gVisor) may keep
  /// some for itself. Errors: kUnsupported.
  static Result<std::unique_ptr<SignalWatcher>> Try(Loop& loop, int signal,
                                                    std::function<void(int signal)> on_signal);
  ~SignalWatcher();
  SignalWatcher(const SignalWatcher&) = delete;
  SignalWatcher& operator=(const SignalWatcher&) = delete;

 private:
  struct Impl;
  explicit SignalWatcher(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Makes a write to a closed pipe or socket an error (EPIPE) instead of the end of the process.
/// Idempotent. Children of Spawn() get the disposition this process was started with.
void IgnoreBrokenPipes();

/// Lets a process in the background of a terminal write to it and change it without being stopped
/// (SIGTTOU), and makes reading an error (SIGTTIN). Children of Spawn() as above.
void IgnoreTerminalStops();

/// Holds every signal back, those of a fault excepted, until it is watched or ReleaseSignals() is
/// called. The first process of a PID namespace otherwise loses what arrives before its handlers
/// are there, as the kernel discards it (pid_namespaces(7)).
void HoldSignals();
void ReleaseSignals();

}  // namespace dunlin::net
