#pragma once

#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

/// For the small programs that run a command and watch its start through ptrace(2).
namespace dunlin::testing {

inline constexpr int kSystemCallStop = SIGTRAP | 0x80;  // PTRACE_O_TRACESYSGOOD

/// Exit status 77: nothing can be traced here; standard error says what is missing.
[[noreturn]] inline void GiveUp(const char* what) {
  constexpr int kNotHere = 77;
  std::fprintf(stderr, "%s: %s\n", what, std::strerror(errno));
  _exit(kNotHere);
}

inline void Resume(__ptrace_request how, pid_t pid, int signal = 0) {
  ptrace(how, pid, nullptr, reinterpret_cast<void*>(static_cast<std::intptr_t>(signal)));
}

/// The exit status of a shell for a command that ended so.
inline int ShellStatus(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/// Starts the command, stopped before its exec; its children will be traced, too.
inline pid_t StartTraced(char** command) {
  const pid_t pid = fork();
  if (pid == 0) {
    if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) GiveUp("ptrace");
    raise(SIGSTOP);
    execv(command[0], command);
    GiveUp(command[0]);
  }
  int status = 0;
  if (pid < 0 || waitpid(pid, &status, 0) != pid) GiveUp("fork");
  if (!WIFSTOPPED(status)) _exit(ShellStatus(status));
  const std::intptr_t options =
      PTRACE_O_TRACEFORK | PTRACE_O_TRACEEXEC | PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL;
  if (ptrace(PTRACE_SETOPTIONS, pid, nullptr, reinterpret_cast<void*>(options)) != 0) {
    GiveUp("ptrace");
  }
  return pid;
}

/// A set of signals in /proc/PID/status, signal N as bit N - 1; none when it cannot be read.
inline std::uint64_t SignalsInStatus(pid_t pid, const std::string& name) {
  std::FILE* file = std::fopen(("/proc/" + std::to_string(pid) + "/status").c_str(), "re");
  if (file == nullptr) return 0;
  std::uint64_t signals = 0;
  char line[256];
  while (std::fgets(line, sizeof line, file) != nullptr) {
    if (std::strncmp(line, name.c_str(), name.size()) == 0 && line[name.size()] == ':') {
      signals = std::strtoull(line + name.size() + 1, nullptr, 16);
    }
  }
  std::fclose(file);
  return signals;
}

inline bool Contains(std::uint64_t signals, int signal) {
  return (signals >> (signal - 1) & 1) != 0;
}

}  // namespace dunlin::testing
