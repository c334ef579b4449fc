#include "protocol/net/child_start.h"

#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdint>
#include <cstring>

namespace dunlin::net {
namespace {

// Where not even the size of the descriptor table can be had; a limit of 2^30 descriptors must not
// make a start take minutes.
constexpr rlim_t kMostDescriptorsTried = 65536;

// linux/close_range.h, which older C libraries lack.
constexpr unsigned kCloseRangeCloseOnExec = 1U << 2;

[[noreturn]] void Fail(const ChildStart& start, StartStep step) {
  StartFailure failure{step, errno};
  while (write(start.report, &failure, sizeof failure) < 0 && errno == EINTR) {
  }
  _exit(127);
}

/// As this process found them: its own handlers and ignored signals are not the program's.
void ResetSignals(const ChildStart& start) {
  for (std::size_t signal = 1; signal < start.kept_ignored.size(); ++signal) {
    struct sigaction action {};
    action.sa_handler = start.kept_ignored.test(signal) ? SIG_IGN : SIG_DFL;
    // Refused for those that cannot change, and for those the C library keeps for itself.
    sigaction(static_cast<int>(signal), &action, nullptr);
  }
}

/// Plain system calls: the C library's functions would first ask every other thread, of which a
/// forked child has none.
bool BecomeUser(const ChildStart& start) {
  bool other = (start.uid && *start.uid != geteuid()) || (start.gid && *start.gid != getegid());
  if (!other) return true;
  // Groups of ours are not the new user's. A user namespace may forbid dropping them; having none
  // is as good.
  if (syscall(SYS_setgroups, 0, nullptr) != 0 && getgroups(0, nullptr) != 0) return false;
  if (start.gid && syscall(SYS_setresgid, *start.gid, *start.gid, *start.gid) != 0) return false;
  return !start.uid || syscall(SYS_setresuid, *start.uid, *start.uid, *start.uid) == 0;
}

/// The kernel shall take the program first when memory is short. Raising needs no privilege
/// (proc(5)), and where it is refused the program runs without.
void SetOomScore(const char* score) {
  int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (fd < 0) return;
  [[maybe_unused]] ssize_t written = write(fd, score, std::strlen(score));
  close(fd);
}

bool Replace(int standard, int fd) { return fd < 0 || dup2(fd, standard) >= 0; }

void CloseOnExec(int fd) {
  int flags = fcntl(fd, F_GETFD);
  if (flags >= 0) fcntl(fd, F_SETFD, flags | FD_CLOEXEC);
}

/// How many descriptors the kernel has a table for: a power of two that no open one has reached,
/// whatever the limit is or was. 0: it cannot be told.
///
/// pselect(2) on more descriptors than there can be reads only as much of a set as the table is
/// long, so a set that ends before unreadable memory says whether that is longer (EFAULT).
unsigned DescriptorTableSize() {
  constexpr std::size_t kMostDescriptors = 1 << 30;  // about what nr_open can be
  constexpr std::size_t kGuardBytes = 64 * 1024;     // a page, however large they are
  constexpr std::size_t kSetBytes = kMostDescriptors / CHAR_BIT;
  void* memory = mmap(nullptr, kSetBytes + kGuardBytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return 0;
  char* const end = static_cast<char*>(memory) + kSetBytes;
  std::size_t size = 0;
  if (mprotect(end, kGuardBytes, PROT_NONE) == 0) {
    const timespec at_once{};
    for (std::size_t tried = 64; tried <= kMostDescriptors && size == 0; tried *= 2) {
      const long done = syscall(SYS_pselect6, INT_MAX, end - tried / CHAR_BIT, nullptr, nullptr,
                                &at_once, nullptr);
      if (done == 0) size = tried;
      if (done < 0 && errno != EFAULT) break;
    }
  }
  munmap(memory, kSetBytes + kGuardBytes);
  return static_cast<unsigned>(size);
}

/// As execvp: a file that is not there is passed over; one that may not be executed is remembered,
/// and reported when nothing better comes.
void ExecFirst(const ChildStart& start) {
  int error_number = ENOENT;
  for (char* const* path = start.paths; *path != nullptr; ++path) {
    execve(*path, start.arguments, start.environment);
    switch (errno) {
      case EACCES:
        error_number = EACCES;
        break;
      case ENOENT:
      case ENOTDIR:
      case ESTALE:
      case ENODEV:
      case ETIMEDOUT:
        break;
      default:
        return;
    }
  }
  errno = error_number;
}

}  // namespace

void StartChild(const ChildStart& start) {
  setpgid(0, 0);
  // All signals are blocked, or this would stop a background group (SIGTTOU).
  if (start.foreground) tcsetpgrp(STDIN_FILENO, getpid());
  ResetSignals(start);
  if (start.oom_score_adj != nullptr) SetOomScore(start.oom_score_adj);
  if (!Replace(STDIN_FILENO, start.input) || !Replace(STDOUT_FILENO, start.output) ||
      !Replace(STDERR_FILENO, start.error_output)) {
    Fail(start, StartStep::kDescriptors);
  }
  // Marked rather than closed: the report stays open until exec succeeds.
  constexpr unsigned kFirst = STDERR_FILENO + 1;
  if (!CloseOnExecByRange(kFirst) && !CloseOnExecByFolder(kFirst)) CloseOnExecOneByOne(kFirst);
  if (!BecomeUser(start)) Fail(start, StartStep::kUser);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  ExecFirst(start);
  Fail(start, StartStep::kExec);
}

bool CloseOnExecByRange(unsigned first) {
#ifdef SYS_close_range
  return syscall(SYS_close_range, first, ~0U, kCloseRangeCloseOnExec) == 0;
#else
  return false;
#endif
}

bool CloseOnExecByFolder(unsigned first) {
  // readdir allocates, so the kernel's records are read as they are (getdents64(2)).
  struct Entry {
    std::uint64_t inode;
    std::int64_t next;
    std::uint16_t size;
    std::uint8_t type;
  };
  constexpr std::size_t kNameOffset = 19;
  int folder = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return false;
  alignas(Entry) char buffer[4096];
  for (;;) {
    long size = syscall(SYS_getdents64, folder, buffer, sizeof buffer);
    if (size <= 0) {
      close(folder);
      return size == 0;
    }
    for (long at = 0; at < size;) {
      Entry entry;
      std::memcpy(&entry, buffer + at, sizeof entry);
      unsigned fd = 0;
      bool number = false;
      for (const char* c = buffer + at + kNameOffset; *c >= '0' && *c <= '9'; ++c) {
        fd = fd * 10 + static_cast<unsigned>(*c - '0');
        number = true;
      }
      if (number && fd >= first) CloseOnExec(static_cast<int>(fd));
      at += entry.size;
    }
  }
}

bool CloseOnExecOneByOne(unsigned first) {
  unsigned end = DescriptorTableSize();
  const bool all = end != 0;
  if (!all) {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) limit.rlim_cur = kMostDescriptorsTried;
    end = static_cast<unsigned>(std::min(limit.rlim_cur, kMostDescriptorsTried));
  }
  for (unsigned fd = first; fd < end; ++fd) CloseOnExec(static_cast<int>(fd));
  return all;
}

}  // namespace dunlin::net
