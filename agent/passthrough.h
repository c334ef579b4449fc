#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "protocol/base/non_blocking_writer.h"
#include "protocol/net/loop.h"

namespace dunlin::agent {

/// Copies captured bytes to one descriptor of the agent's own, never blocking. A slow reader gets a
/// bounded backlog; beyond it whole lines are dropped and counted. An error turns it off for good.
/// Loop thread only.
class Passthrough {
 public:
  /// `fd` stays open; it is not closed here.
  Passthrough(net::Loop& loop, int fd, std::size_t backlog_bytes = 256 * 1024);
  Passthrough(const Passthrough&) = delete;
  Passthrough& operator=(const Passthrough&) = delete;

  void Write(std::string_view bytes);
  /// Whether everything accepted is written, or never will be.
  bool idle() const { return backlog_.empty(); }
  /// Called when it becomes idle after a backlog.
  std::function<void()> on_idle;

  bool enabled() const { return enabled_; }
  std::uint64_t dropped_bytes() const { return dropped_bytes_; }

 private:
  std::size_t WriteNow(std::string_view bytes);
  void Keep(std::string_view bytes);
  void OnTimer();
  void TurnOff(const Error& error);

  NonBlockingWriter writer_;
  std::size_t backlog_limit_;
  std::string backlog_;
  bool in_kept_line_ = false;     // the last byte accepted was not a newline
  bool in_dropped_line_ = false;  // until its newline has gone by
  bool enabled_ = true;
  std::uint64_t dropped_bytes_ = 0;
  std::chrono::milliseconds pause_;
  net::Timer timer_;
};

}  // namespace dunlin::agent
