#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "protocol/base/histogram.h"

struct uv_loop_s;

namespace dunlin::net {

/// The event loop: every callback of this folder runs on the thread that calls Run(), one at a
/// time, and must not block. All objects made with a loop are destroyed on its thread, before it.
/// The first loop of a process ignores SIGPIPE (IgnoreBrokenPipes() in signals.h): a peer that goes
/// away is an error of one connection.
class Loop {
 public:
  /// Enough for a busy socket's every wake-up.
  static constexpr std::size_t kReadBytes = 64 * 1024;

  /// `read_bytes`: what one read of a socket takes at most. What a peer has sent too early, and has
  /// to be kept for later, is at most that much for each connection.
  explicit Loop(std::size_t read_bytes = kReadBytes);
  ~Loop();  // checks that every handle is closed
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  /// Runs until Stop(), or until nothing is left to wait for.
  void Run();
  /// Runs what is ready now, without waiting; for tests.
  void RunOnce();
  /// Makes Run() return once the callbacks that are ready now have run. Loop thread only; elsewhere
  /// Post it.
  void Stop();

  /// Runs `task` on the loop thread soon, in order of posting. Any thread; the only member that is.
  /// Tasks posted after Run() has returned for good are destroyed unrun, with the loop. Posting
  /// does not keep Run() going.
  void Post(std::function<void()> task);

  /// Asks these name servers ("127.0.0.1:5353,…") instead of those of the system, from the next
  /// name on. Loop thread only.
  void UseNameServers(std::string servers) { name_servers_ = std::move(servers); }
  const std::string& name_servers() const { return name_servers_; }

  /// How late timers have fired, in seconds: while a callback or the lack of a CPU held the thread,
  /// sockets waited as long. Loop thread only.
  const Histogram& lag() const { return lag_; }

  /// For this folder only.
  void NoteLag(double seconds) { lag_.Observe(seconds); }
  /// For this folder only.
  uv_loop_s* raw() { return raw_; }
  /// For this folder only: where every socket of this loop reads. The bytes are handed on before
  /// the next read, so an idle connection costs no buffer.
  std::span<char> read_buffer();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
  uv_loop_s* raw_;
  std::size_t read_bytes_;
  Histogram lag_;
  std::string name_servers_;
};

/// Calls back once or repeatedly. The callback may destroy the timer. After the destructor it does
/// not run.
class Timer {
 public:
  Timer(Loop& loop, std::function<void()> on_fire);
  ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  /// Arms, or re-arms; `repeat` zero is once. Millisecond resolution, rounded up: never early. Zero
  /// is the next turn of the loop.
  void Start(std::chrono::nanoseconds delay, std::chrono::nanoseconds repeat = {});
  void Stop();
  bool active() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dunlin::net
