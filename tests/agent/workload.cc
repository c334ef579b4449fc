// A process for the agent to supervise. The first argument says what it does; it says "ready" on
// its standard output when it is set up.
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "tests/agent/numbered_lines.h"

namespace {

void Say(std::string_view text) {
  while (!text.empty()) {
    ssize_t written = write(STDOUT_FILENO, text.data(), text.size());
    if (written < 0) _exit(99);
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

[[noreturn]] void WaitForever() {
  for (;;) pause();
}

/// Prints the number of each signal it gets; SIGUSR2 ends it with 12.
[[noreturn]] void PrintSignals() {
  for (int signal = 1; signal <= SIGRTMAX; ++signal) {
    struct sigaction action {};
    action.sa_handler = [](int number) {
      char text[8];
      int size = 0;
      if (number >= 10) text[size++] = static_cast<char>('0' + number / 10);
      text[size++] = static_cast<char>('0' + number % 10);
      text[size++] = '\n';
      [[maybe_unused]] ssize_t written = write(STDOUT_FILENO, text, static_cast<std::size_t>(size));
      if (number == SIGUSR2) _exit(12);
    };
    sigfillset(&action.sa_mask);
    sigaction(signal, &action, nullptr);
  }
  Say("ready\n");
  WaitForever();
}

/// Leaves a descendant behind that holds the outputs; `busy`: and writes to them for ever.
int LeaveGrandchild(bool busy) {
  int said[2];
  if (pipe2(said, O_CLOEXEC) != 0) return 96;
  pid_t pid = fork();
  if (pid == 0) {
    // Not before its number has been said.
    close(said[1]);
    char none = 0;
    while (read(said[0], &none, 1) < 0 && errno == EINTR) {
    }
    while (busy) {
      Say("still here\n");
      usleep(20'000);
    }
    WaitForever();
  }
  Say(std::to_string(pid) + "\n");
  return 3;
}

/// What the process sees of its surroundings, one fact per line.
int Inspect() {
  std::string text;
  for (int fd = 1; fd <= 2; ++fd) {
    struct stat status {};
    fstat(fd, &status);
    text += S_ISFIFO(status.st_mode) ? "fifo " : "other ";
    text += (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0 ? "nonblocking " : "blocking ";
    int again = open(fd == 1 ? "/dev/stdout" : "/dev/stderr", O_WRONLY);
    text += again >= 0 ? "reopened\n" : "refused\n";
    if (again >= 0) close(again);
  }
  int open_descriptors = 0;
  constexpr int kMost = 1 << 21;
  for (int fd = 0; fd < kMost; ++fd) open_descriptors += fcntl(fd, F_GETFD) >= 0 ? 1 : 0;
  text += std::to_string(open_descriptors) + " descriptors\n";
  text += getpgrp() == getpid() ? "leader\n" : "member\n";
  Say(text);
  return 0;
}

/// Writes numbered lines, a million bytes and a half line more for each of `millions`, and is gone
/// with the last byte.
[[noreturn]] void WriteAndDie(long millions) {
  const auto whole = static_cast<std::size_t>(millions) * 1'000'000;
  Say(dunlin::testing::NumberedLines(whole + dunlin::testing::kNumberedLineBytes / 2));
  raise(SIGKILL);
  _exit(92);
}

/// Writes numbered lines until somebody ends it, at most `millions` of bytes; `file` always holds
/// how many bytes write(2) has taken.
[[noreturn]] void WriteUntilKilled(long millions, const char* file) {
  const int fd = open(file, O_RDWR | O_CREAT, 0644);
  if (ftruncate(fd, sizeof(std::uint64_t)) != 0) _exit(91);
  auto* taken = static_cast<volatile std::uint64_t*>(
      mmap(nullptr, sizeof(std::uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  const std::string text =
      dunlin::testing::NumberedLines(static_cast<std::size_t>(millions) * 1'000'000);
  constexpr std::size_t kWriteBytes = 50'000;
  for (std::string_view left = text; !left.empty();) {
    const ssize_t written = write(STDOUT_FILENO, left.data(), std::min(kWriteBytes, left.size()));
    if (written < 0) _exit(90);
    *taken = *taken + static_cast<std::uint64_t>(written);
    left.remove_prefix(static_cast<std::size_t>(written));
  }
  WaitForever();
}

/// Lines of 100 bytes, one write each, 50 MB a second for so many seconds; says in `file` how many
/// nanoseconds it took.
int WriteAtRate(long seconds, const char* file) {
  using Clock = std::chrono::steady_clock;
  constexpr std::uint64_t kBytesPerSecond = 50'000'000;
  const std::string line = dunlin::testing::NumberedLines(100);
  const auto begin = Clock::now();
  const std::uint64_t total = kBytesPerSecond * static_cast<std::uint64_t>(seconds);
  for (std::uint64_t written = 0; written < total;) {
    for (int i = 0; i < 500; ++i, written += line.size()) Say(line);
    const auto due = begin + std::chrono::nanoseconds(written * 1'000'000'000 / kBytesPerSecond);
    const auto early = due - Clock::now();
    if (early > std::chrono::microseconds(100)) {
      usleep(static_cast<useconds_t>(
          std::chrono::duration_cast<std::chrono::microseconds>(early).count()));
    }
  }
  const std::string took = std::to_string(
      std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - begin).count());
  const int fd = open(file, O_WRONLY | O_CREAT, 0644);
  return write(fd, took.data(), took.size()) < 0 ? 89 : 0;
}

/// Ends by a fault, leaving so many megabytes of itself as a core file in `folder`.
[[noreturn]] void DumpCore(long megabytes, const char* folder) {
  rlimit limit{};
  getrlimit(RLIMIT_CORE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_CORE, &limit);
  if (chdir(folder) != 0) _exit(88);
  const auto size = static_cast<std::size_t>(megabytes) << 20;
  auto* memory = static_cast<volatile char*>(std::malloc(size));
  for (std::size_t i = 0; i < size; i += 512) memory[i] = 1;
  Say("ready\n");
  std::abort();
}

/// Forks twice, as daemons do, `count` times: each daemon has a session of its own and ends within
/// half a second.
[[noreturn]] void LeaveDaemons(long count) {
  for (long i = 0; i < count; ++i) {
    pid_t pid = fork();
    if (pid == 0) {
      setsid();
      if (fork() != 0) _exit(0);
      usleep(static_cast<useconds_t>(getpid()) * 7919 % 500 * 1000);
      _exit(0);
    }
    waitpid(pid, nullptr, 0);
  }
  Say("ready\n");
  WaitForever();
}

/// Leaves a descendant behind in a session of its own, where no signal to the group reaches it. It
/// says so when it is told to end.
[[noreturn]] void LeaveOtherSession() {
  if (fork() == 0) {
    setsid();
    signal(SIGTERM, [](int) {
      Say("other session told to end\n");
      _exit(0);
    });
    Say("ready\n");
  }
  WaitForever();
}

void CopyInput() {
  char buffer[4096];
  ssize_t size;
  while ((size = read(STDIN_FILENO, buffer, sizeof(buffer))) > 0) {
    Say(std::string_view(buffer, static_cast<std::size_t>(size)));
  }
  Say("end of input\n");
}

[[noreturn]] void ExhaustMemory() {
  constexpr std::size_t kStep = 1 << 20;
  Say("ready\n");
  for (;;) {
    char* memory = static_cast<char*>(std::malloc(kStep));
    if (memory == nullptr) _exit(95);
    std::memset(memory, 1, kStep);
    // Read again, so that the compiler cannot leave the allocation out.
    if (*static_cast<volatile char*>(memory) == 0) _exit(94);
  }
}

void SayWindowSize() {
  winsize size{};
  ioctl(STDIN_FILENO, TIOCGWINSZ, &size);
  Say(std::to_string(size.ws_col) + "x" + std::to_string(size.ws_row) + "\n");
}

/// Says what it sees of its terminal, then its size each time it changes, then what it reads.
void UseTerminal() {
  signal(SIGWINCH, [](int) { SayWindowSize(); });
  for (int fd = 0; fd <= 2; ++fd) Say(isatty(fd) == 1 ? "terminal " : "other ");
  Say(tcgetpgrp(STDIN_FILENO) == getpgrp() ? "foreground\n" : "background\n");
  CopyInput();
}

}  // namespace

int main(int argc, char** argv) {
  // A test that fails kills the agent; nothing of it is to stay behind. A parent outside this
  // process-id namespace is not an agent but a runtime's starter (`docker exec`), which leaves as
  // soon as it has started this process.
  if (getppid() != 0) prctl(PR_SET_PDEATHSIG, SIGKILL);
  const std::string_view what = argc > 1 ? argv[1] : "";
  const long number = argc > 2 ? std::strtol(argv[2], nullptr, 10) : 0;
  if (what == "exit") return static_cast<int>(number);
  if (what == "raise") {
    raise(static_cast<int>(number));
    return 0;
  }
  if (what == "print-signals") PrintSignals();
  if (what == "ignore-term") {
    signal(SIGTERM, SIG_IGN);
    Say("ready\n");
    WaitForever();
  }
  if (what == "stop-itself") {
    signal(SIGTERM, [](int) { _exit(9); });
    Say("ready\n");
    raise(SIGSTOP);
    WaitForever();
  }
  if (what == "grandchild") return LeaveGrandchild(/*busy=*/false);
  if (what == "busy-grandchild") return LeaveGrandchild(/*busy=*/true);
  if (what == "bytes") {
    // Every byte value, in writes of one byte.
    for (int i = 0; i < 3 * 256; ++i) {
      char byte = static_cast<char>(i);
      if (write(STDOUT_FILENO, &byte, 1) != 1) return 98;
    }
    return 0;
  }
  if (what == "lines") {
    // As many numbered lines, one write each.
    for (long i = 0; i < number; ++i) Say("line " + std::to_string(i) + " of some length\n");
    return 0;
  }
  if (what == "write-and-die") WriteAndDie(number);
  if (what == "write-until-killed" && argc > 3) WriteUntilKilled(number, argv[3]);
  if (what == "write-at-rate" && argc > 3) return WriteAtRate(number, argv[3]);
  if (what == "dump-core" && argc > 3) DumpCore(number, argv[3]);
  if (what == "outputs") {
    for (long i = 0; i < number; ++i) {
      std::string line = std::to_string(i) + "\n";
      if (write(i % 2 == 0 ? STDOUT_FILENO : STDERR_FILENO, line.data(), line.size()) < 0)
        return 97;
    }
    return 0;
  }
  if (what == "inspect") return Inspect();
  if (what == "daemons") LeaveDaemons(number);
  if (what == "other-session") LeaveOtherSession();
  if (what == "exhaust-memory") ExhaustMemory();
  if (what == "copy-input") {
    CopyInput();
    return 0;
  }
  if (what == "write-to" && argc > 2) {
    // One line to what another process has open, say /proc/1/fd/1.
    if (dup2(open(argv[2], O_WRONLY | O_CLOEXEC), STDOUT_FILENO) < 0) return 93;
    Say("written from outside\n");
    return 0;
  }
  if (what == "terminal") {
    UseTerminal();
    return 0;
  }
  if (what == "wait") {
    Say("ready\n");
    WaitForever();
  }
  return 64;
}
