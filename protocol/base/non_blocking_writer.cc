#include "protocol/base/non_blocking_writer.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>

namespace dunlin {
namespace {

/// One page: what fits into the slot of a pipe that poll(2) calls writable (pipe(7), PIPE_BUF).
constexpr std::size_t kSafeWriteBytes = 4096;

bool IsNonBlocking(int fd) {
  int flags = fcntl(fd, F_GETFL);
  return flags >= 0 && (flags & O_NONBLOCK) != 0;
}

}  // namespace

NonBlockingWriter::NonBlockingWriter(int fd) : fd_(fd) {
  struct stat status {};
  if (fstat(fd, &status) != 0 || S_ISREG(status.st_mode) || IsNonBlocking(fd)) {
    kind_ = Kind::kPlain;
  } else if (S_ISSOCK(status.st_mode)) {
    kind_ = Kind::kSocket;
  }
}

Result<std::size_t> NonBlockingWriter::Write(std::string_view bytes) const {
  std::size_t done = 0;
  while (done < bytes.size()) {
    long written = WriteOnce(bytes.substr(done));
    if (written > 0) {
      done += static_cast<std::size_t>(written);
    } else if (written < 0 && errno == EINTR) {
      continue;
    } else if (done > 0 || (written < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))) {
      return done;  // an error comes again
    } else {
      return ErrnoError(written < 0 ? errno : EIO, "cannot write");
    }
  }
  return done;
}

long NonBlockingWriter::WriteOnce(std::string_view bytes) const {
  switch (kind_) {
    case Kind::kPlain:
      return write(fd_, bytes.data(), bytes.size());
    case Kind::kSocket:
      return send(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    case Kind::kShared:
      break;
  }
  return WriteShared(bytes);
}

long NonBlockingWriter::WriteShared(std::string_view bytes) const {
  // Without waiting just this once: pipes know it since Linux 6.4.
  iovec part{const_cast<char*>(bytes.data()), bytes.size()};
  ssize_t written = pwritev2(fd_, &part, 1, -1, RWF_NOWAIT);
  if (written >= 0 || errno == EAGAIN || errno == EINTR || errno == EPIPE) return written;
  // Else a page at a time when there is room for one: the only writer of a pipe never waits then.
  pollfd ready{.fd = fd_, .events = POLLOUT, .revents = 0};
  int polled = poll(&ready, 1, 0);
  if (polled <= 0) {
    if (polled == 0) errno = EAGAIN;
    return -1;
  }
  return write(fd_, bytes.data(), bytes.size() < kSafeWriteBytes ? bytes.size() : kSafeWriteBytes);
}

}  // namespace dunlin
