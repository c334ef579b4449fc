// Runs a command and counts the system calls that its first child makes between fork and exec, the
// failed ones included:
//
//   dunlin_count_calls FILE COMMAND [ARG...]
//
// The number is in FILE when the command ends, whose exit code is this program's. 77: nothing can
// be traced here; standard error says what is missing.
#include "tests/agent/traced_command.h"

int main(int argc, char** argv) {
  using namespace dunlin::testing;
  if (argc < 3) return 64;
  const pid_t command = StartTraced(argv + 2);
  Resume(PTRACE_CONT, command);

  pid_t child = 0;
  long stops = 0;  // two to a system call
  for (;;) {
    int status = 0;
    const pid_t pid = waitpid(-1, &status, __WALL);
    if (pid < 0) GiveUp("wait");
    if (WIFEXITED(status) || WIFSIGNALED(status)) {
      if (pid != command) continue;
      if (std::FILE* file = std::fopen(argv[1], "w")) {
        std::fprintf(file, "%ld\n", (stops + 1) / 2);
        std::fclose(file);
      }
      return ShellStatus(status);
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
