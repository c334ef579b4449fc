#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

#include "protocol/base/clock.h"
#include "protocol/net/descriptor.h"
#include "protocol/net/loop.h"
#include "protocol/net/once_watcher.h"
#include "protocol/wire/batch.h"
#include "shipper/shipper.h"

namespace dunlin::agent {

/// Reads one output of the process: at once after a silence, then late, so that many small writes
/// become one read. The pause follows the rate, and a pipe that is more than half full is read
/// without one, so the process is not held up. Loop thread only.
class Capture {
 public:
  /// Bytes go to `shipper`; the pipe's read end is non-blocking. Both outlive the capture.
  Capture(net::Loop& loop, const Clock& clock, wire::Output output, net::Descriptor pipe,
          shipper::Shipper& shipper);
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;

  /// Each chunk as it was read; valid during the call.
  std::function<void(std::string_view)> on_chunk;
  /// Once: no process has the pipe open for writing any more. Runs from the loop or from Drain.
  std::function<void()> on_end;

  void Start();
  /// The process has ended: from now on everything is read when it comes, room or not.
  void Drain();
  /// The shipper has room again.
  void Resume();
  /// Reads no more; an unfinished line becomes an entry.
  void Close();

  bool ended() const { return ended_; }
  wire::Output output() const { return output_; }
  std::uint64_t bytes() const { return bytes_; }
  std::uint64_t reads() const { return reads_; }
  /// What the pipe holds now.
  std::size_t unread_bytes() const;
  /// How long reading has been stopped for lack of room, in all.
  std::chrono::nanoseconds blocked_time() const;

 private:
  enum class Turn { kEmptied, kMore, kBlocked, kEnded };

  void OnTurn();
  Turn Read();
  void Watch();
  void Schedule(Turn turn);
  std::chrono::nanoseconds Pause();
  void GrowPipe();
  void End();

  const Clock& clock_;
  wire::Output output_;
  net::Descriptor pipe_;
  shipper::Shipper& shipper_;
  net::OnceWatcher watcher_;
  net::Timer timer_;
  std::size_t pipe_bytes_;
  bool draining_ = false;
  bool closed_ = false;
  bool ended_ = false;
  bool grown_ = false;
  std::uint64_t bytes_ = 0;
  std::uint64_t reads_ = 0;
  std::size_t turn_bytes_ = 0;  // of the present turn, or the last one
  /// What the next read has room for: twice what the last turn took, not much less than the one
  /// before had, and twice as much after each read that was filled.
  std::size_t read_bytes_ = 0;
  SteadyTime last_turn_{};
  std::optional<SteadyTime> blocked_since_;
  std::chrono::nanoseconds blocked_time_{};
};

}  // namespace dunlin::agent
