// Runs a command and stops it at one of its system calls:
//
//   dunlin_meddle kill|hold CALL N -- COMMAND [ARG...]
//
// clang-format off
//   kill   before the N-th CALL (from 0) the command is killed with signal 9
//   hold   that call, and each CALL behind it, never returns
// clang-format on
//
// Processes that the command starts are under the same rule. Exit status 77: this machine does not
// allow it; standard error says what.
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <string>
#include <string_view>

namespace {

constexpr int kNotHere = 77;

[[noreturn]] void GiveUp(const char* what) {
  std::fprintf(stderr, "dunlin_meddle: %s: %s\n", what, std::strerror(errno));
  _exit(kNotHere);
}

struct SystemCall {
  std::string_view name;
  long number;
};

constexpr SystemCall kSystemCalls[] = {
    {"pwrite64", SYS_pwrite64}, {"fdatasync", SYS_fdatasync}, {"fsync", SYS_fsync},
    {"mkdir", SYS_mkdir},       {"unlink", SYS_unlink},       {"rmdir", SYS_rmdir},
    {"flock", SYS_flock},       {"ftruncate", SYS_ftruncate},
};

/// The descriptor on which the calls arrive.
int Intercept(long number) {
  sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<unsigned>(number), 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  sock_fprog program = {static_cast<unsigned short>(std::size(filter)), filter};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) GiveUp("no_new_privs");
  const long listener =
      syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
  if (listener < 0) GiveUp("seccomp");
  return static_cast<int>(listener);
}

/// Lets calls go on until it is their turn, and ends with the command.
[[noreturn]] void Watch(int listener, int command, bool kills, long n) {
  for (long seen = 0;;) {
    pollfd waits[] = {{listener, POLLIN, 0}, {command, POLLIN, 0}};
    if (poll(waits, 2, -1) < 0) _exit(1);
    if (waits[1].revents != 0) _exit(0);
    seccomp_notif call = {};
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) != 0) continue;  // its caller is gone
    if (seen++ >= n) {
      if (kills) syscall(SYS_pidfd_send_signal, command, SIGKILL, nullptr, 0);
      continue;
    }
    seccomp_notif_resp answer = {};
    answer.id = call.id;
    answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 6 || std::string_view(argv[4]) != "--") {
    errno = EINVAL;
    GiveUp("usage: dunlin_meddle kill|hold CALL N -- COMMAND [ARG...]");
  }
  long number = -1;
  for (const SystemCall& call : kSystemCalls) {
    if (call.name == argv[2]) number = call.number;
  }
  if (number < 0) {
    errno = EINVAL;
    GiveUp("unknown system call");
  }
  const long self = syscall(SYS_pidfd_open, getpid(), 0);
  if (self < 0) GiveUp("pidfd_open");
  const int listener = Intercept(number);
  // A grandchild: the command must not find a child that it did not start.
  const pid_t child = fork();
  if (child < 0) GiveUp("fork");
  if (child == 0) {
    if (fork() != 0) _exit(0);
    setsid();
    for (int fd = 0; fd < 3; ++fd) close(fd);
    Watch(listener, static_cast<int>(self), std::string_view(argv[1]) == "kill",
          std::atol(argv[3]));
  }
  waitpid(child, nullptr, 0);
  fcntl(static_cast<int>(self), F_SETFD, FD_CLOEXEC);
  fcntl(listener, F_SETFD, FD_CLOEXEC);
  execvp(argv[5], argv + 5);
  GiveUp(argv[5]);
}
