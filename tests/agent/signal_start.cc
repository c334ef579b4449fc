// Runs a command and sends it a SIGTERM at one moment of the start of its first child:
//
//   dunlin_signal_start MOMENT [new-pid] -- COMMAND [ARG...]
//
// clang-format off
//   held      the command holds its signals back and has no handlers yet
//   forked    the child exists and has not run one instruction
//   execing   the child is about to call execve
//   new-pid   the command is process 1 of a process-id namespace
// clang-format on
//
// The child goes on when the command has taken the signal, so its start lasts as long as that.
// The exit status is the command's as a shell reports it. 77: this machine does not allow it;
// standard error says what.
#include <sched.h>
#include <sys/syscall.h>

#include <cstddef>
#include <string_view>

#include "tests/agent/traced_command.h"

namespace {

using namespace dunlin::testing;

enum class Moment { kHeld, kForked, kExecing };

/// As HoldSignals() leaves them, and nobody else: all but those of faults.
bool HoldsSignals(pid_t pid) {
  const std::uint64_t blocked = SignalsInStatus(pid, "SigBlk");
  return Contains(blocked, SIGTERM) && Contains(blocked, SIGCHLD) && !Contains(blocked, SIGSEGV);
}

bool IsExecve(pid_t pid) {
  __ptrace_syscall_info info{};
  return ptrace(PTRACE_GET_SYSCALL_INFO, pid, reinterpret_cast<void*>(sizeof info), &info) > 0 &&
         info.op == PTRACE_SYSCALL_INFO_ENTRY && info.entry.nr == SYS_execve;
}

/// Sends it, and gives the command time to take it, before its child goes on. It may as well hold
/// it back until then.
void SendAndAwait(pid_t pid) {
  if (kill(pid, SIGTERM) != 0) GiveUp("kill");
  for (int i = 0; i < 2000 && Contains(SignalsInStatus(pid, "ShdPnd"), SIGTERM); ++i) usleep(1000);
}

/// Until the command is at the moment; then nothing of it is traced any more.
void SignalAt(Moment moment, pid_t command) {
  pid_t child = 0;
  Resume(PTRACE_SYSCALL, command);
  for (;;) {
    int status = 0;
    const pid_t pid = waitpid(-1, &status, __WALL);
    if (pid < 0) GiveUp("wait");
    if (WIFEXITED(status) || WIFSIGNALED(status)) {
      if (pid == command) _exit(ShellStatus(status));
      continue;
    }
    const int event = status >> 16;
    if (pid == command) {
      if (moment == Moment::kHeld && HoldsSignals(command)) {
        if (kill(command, SIGTERM) != 0) GiveUp("kill");
        Resume(PTRACE_DETACH, command);
        return;
      }
      // A tracer would see the signal before the command does.
      const bool forked = event == PTRACE_EVENT_FORK;
      const int signal = event != 0 || WSTOPSIG(status) == kSystemCallStop ? 0 : WSTOPSIG(status);
      Resume(forked ? PTRACE_DETACH : PTRACE_SYSCALL, command, signal);
      continue;
    }
    child = pid;
    if (moment == Moment::kExecing && !(WSTOPSIG(status) == kSystemCallStop && IsExecve(child))) {
      Resume(PTRACE_SYSCALL, child);
      continue;
    }
    SendAndAwait(command);
    Resume(PTRACE_DETACH, child);
    return;
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) return 64;
  const std::string_view name = argv[1];
  const Moment moment = name == "held"     ? Moment::kHeld
                        : name == "forked" ? Moment::kForked
                                           : Moment::kExecing;
  int at = 2;
  if (std::string_view(argv[at]) == "new-pid") {
    if (unshare(CLONE_NEWPID) != 0) GiveUp("a process-id namespace");
    ++at;
  }
  if (at + 1 >= argc || std::string_view(argv[at]) != "--") return 64;
  const pid_t command = StartTraced(argv + at + 1);
  SignalAt(moment, command);
  int status = 0;
  while (waitpid(command, &status, 0) < 0 && errno == EINTR) {
  }
  return ShellStatus(status);
}
