#include "agent/passthrough.h"

#include <algorithm>

#include "protocol/base/log.h"

namespace dunlin::agent {
namespace {

/// How soon a backlog is tried again: a pipe of 64 KiB then takes 64 MB/s.
constexpr std::chrono::milliseconds kRetry{1};
/// A reader that does not read is asked less and less often.
constexpr std::chrono::milliseconds kMaxRetry{64};

}  // namespace

Passthrough::Passthrough(net::Loop& loop, int fd, std::size_t backlog_bytes)
    : writer_(fd),
      backlog_limit_(backlog_bytes),
      pause_(kRetry),
      timer_(loop, [this] { OnTimer(); }) {}

void Passthrough::Write(std::string_view bytes) {
  if (!enabled_) {
    dropped_bytes_ += bytes.size();
    return;
  }
  if (in_dropped_line_) {
    std::size_t newline = bytes.find('\n');
    std::size_t lost = newline == std::string_view::npos ? bytes.size() : newline + 1;
    dropped_bytes_ += lost;
    bytes.remove_prefix(lost);
    if (newline == std::string_view::npos) return;
    in_dropped_line_ = false;
  }
  if (backlog_.empty()) {
    std::size_t written = WriteNow(bytes);
    if (written > 0) in_kept_line_ = bytes[written - 1] != '\n';
    bytes.remove_prefix(written);
  }
  if (!bytes.empty()) Keep(bytes);
}

void Passthrough::Keep(std::string_view bytes) {
  if (!enabled_) {
    dropped_bytes_ += bytes.size();
    return;
  }
  std::size_t room = backlog_limit_ > backlog_.size() ? backlog_limit_ - backlog_.size() : 0;
  if (bytes.size() > room) {
    std::size_t newline = bytes.substr(0, room).rfind('\n');
    // A line whose beginning has been accepted is finished, a little over the limit.
    if (newline == std::string_view::npos && in_kept_line_) newline = bytes.find('\n');
    std::size_t kept = newline == std::string_view::npos ? 0 : newline + 1;
    in_dropped_line_ = bytes.back() != '\n';
    dropped_bytes_ += bytes.size() - kept;
    bytes = bytes.substr(0, kept);
  }
  if (!bytes.empty()) in_kept_line_ = bytes.back() != '\n';
  backlog_ += bytes;
  if (!backlog_.empty() && !timer_.active()) timer_.Start(kRetry);
}

/// Writes what can be written at once and says how much.
std::size_t Passthrough::WriteNow(std::string_view bytes) {
  auto written = writer_.Write(bytes);
  if (written) return *written;
  TurnOff(written.error());
  return 0;
}

void Passthrough::OnTimer() {
  const std::size_t written = WriteNow(backlog_);
  if (enabled_) backlog_.erase(0, written);
  if (!backlog_.empty()) {
    pause_ = written > 0 ? kRetry : std::min(2 * pause_, kMaxRetry);
    timer_.Start(pause_);
    return;
  }
  pause_ = kRetry;
  backlog_ = {};
  if (on_idle) on_idle();
}

void Passthrough::TurnOff(const Error& error) {
  enabled_ = false;
  dropped_bytes_ += backlog_.size();
  backlog_.clear();
  log::Warn("passthrough is off", {{"fd", writer_.fd()}, {"cause", error.message()}});
}

}  // namespace dunlin::agent
