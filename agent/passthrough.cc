#include "agent/passthrough.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>

#include "protocol/base/log.h"
#include "protocol/base/text.h"

namespace dunlin::agent {
namespace {

/// How soon a backlog is tried again: a pipe of 64 KiB then takes 64 MB/s.
constexpr std::chrono::milliseconds kRetry{1};
/// One page: what fits into the slot of a pipe that poll(2) calls writable (pipe(7), PIPE_BUF).
constexpr std::size_t kSafeWriteBytes = 4096;

bool IsNonBlocking(int fd) {
  int flags = fcntl(fd, F_GETFL);
  return flags >= 0 && (flags & O_NONBLOCK) != 0;
}

void MakePrivate(int fd) {
  struct stat status {};
  if (fstat(fd, &status) != 0) return;
  // A file has no reader to wait for, and its offset is shared on purpose; a socket cannot be
  // opened again.
  if (!S_ISFIFO(status.st_mode) && !S_ISCHR(status.st_mode)) return;
  std::string path = Join("/proc/self/fd/", fd);
  int own = open(path.c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (own < 0) return;
  dup2(own, fd);
  close(own);
}

}  // namespace

void PrepareStandardDescriptors() {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    // The lowest free number is the one that is closed.
    if (fcntl(fd, F_GETFD) < 0) {
      [[maybe_unused]] int null = open("/dev/null", fd == STDIN_FILENO ? O_RDONLY : O_WRONLY);
    }
  }
  MakePrivate(STDOUT_FILENO);
  MakePrivate(STDERR_FILENO);
}

Passthrough::Passthrough(net::Loop& loop, int fd, std::size_t backlog_bytes)
    : fd_(fd),
      kind_(Kind::kShared),
      backlog_limit_(backlog_bytes),
      timer_(loop, [this] { OnTimer(); }) {
  struct stat status {};
  if (fstat(fd, &status) != 0) {
    enabled_ = false;
  } else if (S_ISREG(status.st_mode)) {
    kind_ = Kind::kFile;
  } else if (S_ISSOCK(status.st_mode)) {
    kind_ = Kind::kSocket;
  } else if (IsNonBlocking(fd)) {
    kind_ = Kind::kNonBlocking;
  }
}

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
  std::size_t done = 0;
  while (done < bytes.size()) {
    std::string_view rest = bytes.substr(done);
    ssize_t written = -1;
    if (kind_ == Kind::kSocket) {
      written = send(fd_, rest.data(), rest.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    } else {
      if (kind_ == Kind::kShared) {
        pollfd ready{.fd = fd_, .events = POLLOUT, .revents = 0};
        if (poll(&ready, 1, 0) <= 0) return done;
        rest = rest.substr(0, kSafeWriteBytes);
      }
      written = write(fd_, rest.data(), rest.size());
    }
    if (written > 0) {
      done += static_cast<std::size_t>(written);
    } else if (written < 0 && errno == EINTR) {
      continue;
    } else if (written < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      return done;
    } else {
      TurnOff(written < 0 ? errno : EIO);
      return done;
    }
  }
  return done;
}

void Passthrough::OnTimer() {
  backlog_.erase(0, WriteNow(backlog_));
  if (!backlog_.empty()) {
    timer_.Start(kRetry);
    return;
  }
  backlog_ = {};
  if (on_idle) on_idle();
}

void Passthrough::TurnOff(int error_number) {
  enabled_ = false;
  dropped_bytes_ += backlog_.size();
  backlog_.clear();
  log::Warn("passthrough is off: its descriptor cannot be written",
            {{"fd", fd_}, {"cause", std::strerror(error_number)}});
}

}  // namespace dunlin::agent
