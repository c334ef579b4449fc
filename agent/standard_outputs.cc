#include "agent/standard_outputs.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utility>

#include "protocol/base/text.h"
#include "shipper/batcher.h"

namespace dunlin::agent {
namespace {

/// As open /dev/null would be, nearly: reading is an end, writing an error that turns the
/// passthrough off.
void OpenHalfPipe(int fd) {
  int ends[2];
  if (pipe(ends) != 0) return;
  const int wanted = fd == STDIN_FILENO ? ends[0] : ends[1];
  if (wanted != fd) dup2(wanted, fd);
  for (int end : ends) {
    if (end != fd) close(end);
  }
}

void OpenClosedDescriptors() {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    if (fcntl(fd, F_GETFD) >= 0) continue;
    // The lowest free number is the one that is closed.
    if (open("/dev/null", fd == STDIN_FILENO ? O_RDONLY : O_WRONLY) < 0) OpenHalfPipe(fd);
  }
}

net::Descriptor OpenAgain(int fd) {
  return net::Descriptor(
      open(Join("/proc/self/fd/", fd).c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
}

net::Descriptor MakeDestination(int fd) {
  struct stat status {};
  // A file has no reader to wait for, and its offset is shared on purpose; a socket cannot be
  // opened again.
  if (fstat(fd, &status) == 0 && (S_ISFIFO(status.st_mode) || S_ISCHR(status.st_mode))) {
    if (auto again = OpenAgain(fd)) return again;
  }
  return net::Descriptor(fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
}

}  // namespace

StandardOutputs::StandardOutputs() {
  OpenClosedDescriptors();
  for (int fd : {STDOUT_FILENO, STDERR_FILENO}) {
    One& one = outputs_[static_cast<std::size_t>(fd - STDOUT_FILENO)];
    one.fd = fd;
    one.destination = MakeDestination(fd);
  }
}

int StandardOutputs::destination(wire::Output output) const {
  const One& one = outputs_[shipper::IndexOf(output)];
  return one.destination ? one.destination.get() : one.fd;
}

bool StandardOutputs::LeadInto(wire::Output output, int pipe) {
  One& one = outputs_[shipper::IndexOf(output)];
  // Without a descriptor to lead back to, it stays.
  if (!one.destination) return false;
  auto write_end = OpenAgain(pipe);
  if (!write_end || dup2(write_end.get(), one.fd) < 0) return false;
  one.led = true;
  return true;
}

void StandardOutputs::Restore() {
  for (One& one : outputs_) {
    if (std::exchange(one.led, false)) dup2(one.destination.get(), one.fd);
  }
}

}  // namespace dunlin::agent
