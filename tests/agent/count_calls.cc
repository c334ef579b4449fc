// Runs a command and counts the system calls that its first child makes between fork and exec, the
// failed ones included:
//
//   dunlin_count_calls FILE COMMAND [ARG...]
//
// The number is in FILE when the command ends, whose exit code is this program's. 77: nothing can
// be traced here; standard error says what is missing.
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

constexpr int kNotHere = 77;
constexpr int kSystemCallStop = SIGTRAP | 0x80;  // PTRACE_O_TRACESYSGOOD

[[noreturn]] void GiveUp(const char* what) {
  std::fprintf(stderr, "dunlin_count_calls: %s: %s\n", what, std::strerror(errno));
  _exit(kNotHere);
}

void Resume(__ptrace_request how, pid_t pid, int signal = 0) {
  ptrace(how, pid, nullptr, reinterpret_cast<void*>(static_cast<std::intptr_t>(signal)));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 64;
  const pid_t command = fork();
  if (command == 0) {
    if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) GiveUp("ptrace");
    raise(SIGSTOP);
    execv(argv[2], argv + 2);
    GiveUp(argv[2]);
  }
  int status = 0;
  if (command < 0 || waitpid(command, &status, 0) != command) GiveUp("fork");
  if (WIFEXITED(status)) return WEXITSTATUS(status);
  const std::intptr_t options =
      PTRACE_O_TRACEFORK | PTRACE_O_TRACEEXEC | PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL;
  if (ptrace(PTRACE_SETOPTIONS, command, nullptr, reinterpret_cast<void*>(options)) != 0) {
    GiveUp("ptrace");
  }
  Resume(PTRACE_CONT, command);

  pid_t child = 0;
  long stops = 0;  // two to a system call
  for (;;) {
    const pid_t pid = waitpid(-1, &status, __WALL);
    if (pid < 0) GiveUp("wait");
    if (WIFEXITED(status) || WIFSIGNALED(status)) {
      if (pid != command) continue;
      if (std::FILE* file = std::fopen(argv[1], "w")) {
        std::fprintf(file, "%ld\n", (stops + 1) / 2);
        std::fclose(file);
      }
      return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    const int signal = WSTOPSIG(status);
    const int event = status >> 16;
    if (pid == command) {
      Resume(PTRACE_CONT, pid, event != 0 ? 0 : signal);
    } else if (child == 0) {
      child = pid;  // stopped before its first instruction
      Resume(PTRACE_SYSCALL, pid);
    } else if (pid != child || event == PTRACE_EVENT_EXEC) {
      Resume(PTRACE_DETACH, pid);
    } else {
      if (signal == kSystemCallStop) ++stops;
      Resume(PTRACE_SYSCALL, pid, signal == kSystemCallStop ? 0 : signal);
    }
  }
}
