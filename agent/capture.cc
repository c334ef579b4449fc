#include "agent/capture.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "protocol/base/log.h"
#include "protocol/base/units.h"

namespace dunlin::agent {
namespace {

using std::chrono::milliseconds;

/// The pause between reads: long enough that a reader of small writes is not woken by each, short
/// enough that nobody notices in a search.
constexpr milliseconds kMinPause{1};
constexpr milliseconds kMaxPause{10};
/// What one turn of the loop takes at most, so that the other output and the network get theirs.
constexpr std::size_t kTurnBytes = 1_MiB;
/// What one read takes: half a pipe in one go at a high rate, next to no memory at a low one.
constexpr std::size_t kMaxReadBytes = 128_KiB;
constexpr std::size_t kMinReadBytes = 4_KiB;
/// Asked for once, when a process fills the pipe faster than pauses allow: the pages count towards
/// a limit of 64 MiB for all pipes of a user (pipe(7)).
constexpr int kGrownPipeBytes = 1 << 20;
constexpr std::size_t kDefaultPipeBytes = 64_KiB;

}  // namespace

Capture::Capture(net::Loop& loop, const Clock& clock, wire::Output output, net::Descriptor pipe,
                 shipper::Shipper& shipper)
    : clock_(clock),
      output_(output),
      pipe_(std::move(pipe)),
      shipper_(shipper),
      watcher_(loop, pipe_.get(), [this] { OnTurn(); }),
      timer_(loop, [this] { OnTurn(); }) {
  int size = fcntl(pipe_.get(), F_GETPIPE_SZ);
  pipe_bytes_ = size > 0 ? static_cast<std::size_t>(size) : kDefaultPipeBytes;
}

void Capture::Start() { Watch(); }

void Capture::Drain() {
  draining_ = true;
  Resume();
  if (!ended_ && !closed_) OnTurn();
}

void Capture::Resume() {
  if (closed_ || ended_) return;
  if (blocked_since_) {
    blocked_time_ += clock_.Steady() - *std::exchange(blocked_since_, std::nullopt);
    timer_.Start({});
  }
}

void Capture::Close() {
  if (std::exchange(closed_, true)) return;
  watcher_.Stop();
  timer_.Stop();
  if (!ended_) shipper_.Finish(output_);
}

std::size_t Capture::unread_bytes() const {
  int available = 0;
  if (ended_ || ioctl(pipe_.get(), FIONREAD, &available) != 0) return 0;
  return static_cast<std::size_t>(available);
}

std::chrono::nanoseconds Capture::blocked_time() const {
  return blocked_since_ ? blocked_time_ + (clock_.Steady() - *blocked_since_) : blocked_time_;
}

void Capture::OnTurn() {
  timer_.Stop();
  Schedule(Read());
}

/// Waits for the next byte.
void Capture::Watch() {
  last_turn_ = clock_.Steady();
  watcher_.Arm();
}

/// Reads until the pipe is empty or the turn's share is taken.
Capture::Turn Capture::Read() {
  read_bytes_ = std::clamp(std::max(2 * std::exchange(turn_bytes_, 0), read_bytes_ / 2),
                           kMinReadBytes, kMaxReadBytes);
  while (turn_bytes_ < kTurnBytes) {
    if (!draining_ && !shipper_.has_room()) return Turn::kBlocked;
    auto room = shipper_.Reserve(output_, read_bytes_);
    ssize_t got = read(pipe_.get(), room.data(), room.size());
    ++reads_;
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return Turn::kEmptied;
    if (got <= 0) {
      if (got < 0) log::Warn("cannot read an output", {{"cause", std::strerror(errno)}});
      return Turn::kEnded;
    }
    auto size = static_cast<std::size_t>(got);
    bytes_ += size;
    turn_bytes_ += size;
    const bool filled = size == room.size();
    if (filled) read_bytes_ = std::min(2 * read_bytes_, kMaxReadBytes);
    // The shipper may start the next batch in the same memory, so the copy goes first.
    if (on_chunk) on_chunk({room.data(), size});
    shipper_.Commit(output_, size);
    // Fewer than asked for were all there were. Draining, the end is what is waited for.
    if (!filled && !draining_) return Turn::kEmptied;
  }
  return Turn::kMore;
}

void Capture::Schedule(Turn turn) {
  switch (turn) {
    case Turn::kEnded:
      End();
      return;
    case Turn::kBlocked:
      blocked_since_ = clock_.Steady();
      return;
    case Turn::kMore:
      last_turn_ = clock_.Steady();
      timer_.Start({});
      return;
    case Turn::kEmptied:
      break;
  }
  if (draining_ || turn_bytes_ == 0) {
    Watch();
    return;
  }
  timer_.Start(Pause());
}

/// Until the pipe will be about half full, going by what came since the last turn.
std::chrono::nanoseconds Capture::Pause() {
  SteadyTime now = clock_.Steady();
  std::chrono::nanoseconds elapsed = std::max<std::chrono::nanoseconds>(
      now - std::exchange(last_turn_, now), std::chrono::microseconds(1));
  const bool over_half = turn_bytes_ > pipe_bytes_ / 2;
  const bool nearly_full = turn_bytes_ > pipe_bytes_ / 4 * 3;
  if (over_half) GrowPipe();
  if (nearly_full) return {};
  double seconds_to_half = std::chrono::duration<double>(elapsed).count() *
                           static_cast<double>(pipe_bytes_ / 2) / static_cast<double>(turn_bytes_);
  auto pause = std::chrono::duration_cast<std::chrono::nanoseconds>(
      std::chrono::duration<double>(std::min(seconds_to_half, 1.0)));
  // A timer is late by up to a millisecond, in which so fast a writer would fill the pipe.
  if (over_half && pause < 2 * kMinPause) return {};
  return std::clamp<std::chrono::nanoseconds>(pause, kMinPause, kMaxPause);
}

void Capture::GrowPipe() {
  if (std::exchange(grown_, true)) return;
  int size = fcntl(pipe_.get(), F_SETPIPE_SZ, kGrownPipeBytes);
  if (size > 0) pipe_bytes_ = static_cast<std::size_t>(size);
}

void Capture::End() {
  ended_ = true;
  watcher_.Stop();
  if (!closed_) shipper_.Finish(output_);
  closed_ = true;
  if (on_end) on_end();
}

}  // namespace dunlin::agent
