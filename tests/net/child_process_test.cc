#include "protocol/net/child_process.h"

#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <set>
#include <thread>

#include "protocol/net/signals.h"
#include "tests/net/child_run.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

namespace dunlin::net {
namespace {

using testing::RunUntil;
using testing::TempDir;

SpawnFailure FailureOf(const SpawnOptions& options) {
  auto spawned = Spawn(options);
  REQUIRE(std::holds_alternative<SpawnFailure>(spawned));
  return std::get<SpawnFailure>(std::move(spawned));
}

std::string MakeFile(const TempDir& folder, const std::string& name, const std::string& text,
                     mode_t mode) {
  std::string path = folder.File(name);
  std::ofstream(path) << text;
  REQUIRE(chmod(path.c_str(), mode) == 0);
  return path;
}

/// The value of a line such as "SigIgn:\t0000000000001000".
std::uint64_t SignalMask(const std::string& status, const std::string& name) {
  std::size_t at = status.find(name + ":");
  REQUIRE(at != std::string::npos);
  return std::strtoull(status.c_str() + at + name.size() + 1, nullptr, 16);
}

std::uint64_t Bit(int signal) { return std::uint64_t{1} << (signal - 1); }

/// Runs `body` in a process of its own, whose descriptors and limits it may spoil, and returns what
/// it printed.
template <typename Body>
std::string InForkedProcess(Body body) {
  int fds[2];
  REQUIRE(pipe(fds) == 0);
  pid_t pid = fork();
  if (pid == 0) {
    close(fds[0]);
    int report = fcntl(fds[1], F_DUPFD_CLOEXEC, 600);
    close(fds[1]);
    std::string text = body();
    [[maybe_unused]] ssize_t written = write(report, text.data(), text.size());
    _exit(0);
  }
  close(fds[1]);
  std::string text;
  char buffer[4096];
  for (ssize_t size; (size = read(fds[0], buffer, sizeof buffer)) > 0;) {
    text.append(buffer, static_cast<std::size_t>(size));
  }
  close(fds[0]);
  waitpid(pid, nullptr, 0);
  return text;
}

/// Spawns and reads the output to its end, without a loop.
std::string OutputWithoutLoop(const SpawnOptions& options) {
  auto spawned = Spawn(options);
  if (auto* failure = std::get_if<SpawnFailure>(&spawned)) return failure->error.message();
  auto& child = std::get<ChildProcess>(spawned);
  fcntl(child.standard_output.get(), F_SETFL, 0);
  std::string text;
  char buffer[4096];
  for (ssize_t size; (size = read(child.standard_output.get(), buffer, sizeof buffer)) > 0;) {
    text.append(buffer, static_cast<std::size_t>(size));
  }
  waitpid(child.pid, nullptr, 0);
  return text;
}

TEST_CASE("a child's outputs arrive apart, and its input is ours", "[net][child]") {
  auto child = RunChild(Shell("echo out; echo err >&2; readlink /proc/self/fd/0"));
  char input[4096];
  ssize_t size = readlink("/proc/self/fd/0", input, sizeof input);
  REQUIRE(size > 0);
  CHECK(child.output == "out\n" + std::string(input, static_cast<std::size_t>(size)) + "\n");
  CHECK(child.error_output == "err\n");
  CHECK(child.status == ExitStatus{});
}

TEST_CASE("a child without input reads an end, not what is meant for others", "[net][child]") {
  auto options = Shell("cat; readlink /proc/self/fd/0; echo after");
  options.input = ChildInput::kNothing;
  auto child = RunChild(options);
  CHECK_THAT(child.output, Catch::Matchers::StartsWith("pipe:"));
  CHECK_THAT(child.output, Catch::Matchers::EndsWith("after\n"));
}

TEST_CASE("a child reads what is written to its input, and its end", "[net][child]") {
  SpawnOptions options = Shell("echo again < /dev/stdin; cat; echo end");
  options.input = ChildInput::kPipe;
  if (geteuid() == 0) options.uid = options.gid = 65534;
  auto spawned = Spawn(options);
  REQUIRE(std::holds_alternative<ChildProcess>(spawned));
  auto& child = std::get<ChildProcess>(spawned);
  CHECK((fcntl(child.standard_input.get(), F_GETFL) & O_NONBLOCK) != 0);
  REQUIRE(write(child.standard_input.get(), "line\n", 5) == 5);
  child.standard_input.Reset();
  Loop loop;
  PipeReader output(loop, std::move(child.standard_output));
  RunUntil(loop, [&] { return output.at_end(); });
  CHECK(output.text() == "again\nline\nend\n");
  waitpid(child.pid, nullptr, 0);
}

TEST_CASE("inherited outputs are ours, unchanged", "[net][child]") {
  std::string seen = InForkedProcess([] {
    int fds[2];
    if (pipe(fds) != 0) return std::string("no pipe");
    dup2(fds[1], STDOUT_FILENO);
    SpawnOptions options =
        Shell("echo through; grep flags /proc/self/fdinfo/1 | tr -d '[:space:]'");
    options.output = ChildOutput::kInherit;
    auto spawned = Spawn(options);
    auto& child = std::get<ChildProcess>(spawned);
    waitpid(child.pid, nullptr, 0);
    char buffer[256];
    const ssize_t size = read(fds[0], buffer, sizeof buffer);
    std::string text(buffer, static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
    return text + (child.standard_output || child.standard_error ? "piped" : "");
  });
  CHECK(seen == "through\nflags:01");
}

TEST_CASE("a child may be made the kernel's choice when memory is short", "[net][child]") {
  SpawnOptions options = Shell("cat /proc/$PPID/oom_score_adj /proc/self/oom_score_adj");
  options.oom_score_raise = 100;
  auto child = RunChild(options);
  const int own = std::stoi(child.output);
  CHECK(std::stoi(child.output.substr(child.output.find('\n'))) == std::min(own + 100, 1000));
}

TEST_CASE("merged outputs keep their order in one pipe", "[net][child]") {
  auto options = Shell("for i in 1 2 3; do echo o$i; echo e$i >&2; done");
  options.merge_outputs = true;
  auto child = RunChild(options);
  CHECK(child.output == "o1\ne1\no2\ne2\no3\ne3\n");
  CHECK(child.error_output.empty());
}

TEST_CASE("exit codes and signals are told apart", "[net][child]") {
  SECTION("codes") {
    int code = GENERATE(0, 1, 2, 42, 126, 127, 128, 143, 200, 255);
    auto child = RunChild(Shell("exit " + std::to_string(code)));
    CHECK(child.status == ExitStatus{.code = code});
    CHECK(child.status.ShellCode() == code);
  }
  SECTION("signals") {
    int number = GENERATE(SIGTERM, SIGKILL, SIGHUP, SIGPIPE, SIGUSR1);
    auto child = RunChild(Shell("kill -" + std::to_string(number) + " $$"));
    CHECK(child.status.signal == number);
    CHECK(child.status.ShellCode() == 128 + number);
  }
}

TEST_CASE("a program that cannot run is known at once, with the shell's code", "[net][child]") {
  TempDir folder;
  SpawnOptions options;
  int want = 0;
  std::string names;
  SECTION("not in PATH") {
    options.arguments = {"no-such-program-here"};
    want = 127;
    names = "PATH";
  }
  SECTION("no such file") {
    options.arguments = {folder.File("missing")};
    want = 127;
    names = "no such file";
  }
  SECTION("a file where a folder should be") {
    options.arguments = {MakeFile(folder, "plain", "", 0755) + "/x"};
    want = 127;
    names = "no such file";
  }
  SECTION("missing interpreter") {
    options.arguments = {MakeFile(folder, "script", "#!/no/such/interpreter\n", 0755)};
    want = 127;
    names = "interpreter";
  }
  SECTION("not executable") {
    options.arguments = {MakeFile(folder, "data", "#!/bin/sh\n", 0644)};
    want = 126;
    names = "Permission denied";
  }
  SECTION("wrong format") {
    options.arguments = {MakeFile(folder, "garbage", std::string("\0\1\2\3", 4), 0755)};
    want = 126;
    names = "format";
  }
  SECTION("a folder") {
    options.arguments = {folder.path()};
    want = 126;
    names = "Permission denied";
  }
  SECTION("empty name") {
    options.arguments = {""};
    want = 127;
  }
  SECTION("no name") {
    want = 126;
    names = "without a program";
  }
  auto failure = FailureOf(options);
  CHECK(failure.exit_code == want);
  CAPTURE(failure.error.message());
  CHECK(failure.error.message().find(names) != std::string::npos);
  if (!options.arguments.empty()) {
    CHECK(failure.error.message().find(options.arguments[0]) != std::string::npos);
  }
  CHECK(waitpid(-1, nullptr, WNOHANG) == -1);  // no zombie is left
  CHECK(errno == ECHILD);
}

TEST_CASE("the program is looked up in the child's PATH, as execvp does", "[net][child]") {
  TempDir first;
  TempDir second;
  MakeFile(second, "tool", "#!/bin/sh\necho second\n", 0755);
  SpawnOptions options;
  options.arguments = {"tool"};
  options.environment = {"PATH=" + first.path() + "/none:" + first.path() + ":" + second.path()};
  SECTION("a later folder") { CHECK(RunChild(options).output == "second\n"); }
  SECTION("a file that may not be executed is passed over") {
    MakeFile(first, "tool", "#!/bin/sh\necho first\n", 0644);
    CHECK(RunChild(options).output == "second\n");
  }
  SECTION("but remembered") {
    MakeFile(first, "tool", "#!/bin/sh\necho first\n", 0644);
    unlink(second.File("tool").c_str());
    CHECK(FailureOf(options).exit_code == 126);
  }
  SECTION("the first of several") {
    MakeFile(first, "tool", "#!/bin/sh\necho first\n", 0755);
    CHECK(RunChild(options).output == "first\n");
  }
  SECTION("without PATH the system's folders are searched") {
    options.arguments = {"sh", "-c", "echo found"};
    options.environment = std::vector<std::string>{};
    CHECK(RunChild(options).output == "found\n");
  }
}

TEST_CASE("the environment is the given one, or ours", "[net][child]") {
  setenv("DUNLIN_TEST_VARIABLE", "inherited", 1);
  SpawnOptions options;
  options.arguments = {"env"};
  CHECK(RunChild(options).output.find("DUNLIN_TEST_VARIABLE=inherited\n") != std::string::npos);
  options.environment = {"PATH=/usr/bin:/bin", "A=1"};
  CHECK(RunChild(options).output == "PATH=/usr/bin:/bin\nA=1\n");
  unsetenv("DUNLIN_TEST_VARIABLE");
}

TEST_CASE("a child has a process group of its own from the start", "[net][child]") {
  auto spawned = Spawn(Shell("sleep 60"));
  auto& child = std::get<ChildProcess>(spawned);
  CHECK(getpgid(child.pid) == child.pid);
  CHECK(kill(-child.pid, SIGKILL) == 0);
  CHECK(waitpid(child.pid, nullptr, 0) == child.pid);
}

TEST_CASE("a child has descriptors 0, 1 and 2 only", "[net][child]") {
  std::vector<Descriptor> extra;
  for (int i = 0; i < 20; ++i) extra.emplace_back(open("/dev/null", O_RDONLY));
  extra.emplace_back(fcntl(extra[0].get(), F_DUPFD, 900));
  for (const auto& fd : extra) REQUIRE(fd);
  auto child = RunChild(
      Shell("i=0; while [ $i -lt 1000 ]; do [ -e /proc/$$/fd/$i ] && echo $i; i=$((i+1)); done"));
  CHECK(child.output == "0\n1\n2\n");
}

TEST_CASE("closed standard descriptors never become pipes of ours", "[net][child]") {
  std::string seen = InForkedProcess([] {
    close(0);
    close(1);
    close(2);
    return OutputWithoutLoop(Shell("readlink /proc/self/fd/0; echo done"));
  });
  CHECK(seen == "/dev/null\ndone\n");
}

TEST_CASE("a child's outputs are FIFOs that block and can be opened again", "[net][child]") {
  SpawnOptions options = Shell(
      "test -p /dev/stdout && test -p /dev/stderr && echo fifos; "
      "echo again > /dev/stdout; echo err > /dev/stderr; echo fd > /proc/self/fd/1; "
      "(grep flags /proc/self/fdinfo/1 | tr -d '[:space:]'); echo; id -u");
  uid_t uid = GENERATE(uid_t{0}, uid_t{65534}, std::numeric_limits<uid_t>::max());
  if (uid == std::numeric_limits<uid_t>::max()) {
    uid = geteuid();
  } else if (geteuid() != 0) {
    return;  // only root becomes another user
  } else {
    options.uid = uid;
    options.gid = uid;
  }
  CAPTURE(uid);
  auto child = RunChild(options);
  // 01 is O_WRONLY; 04000 would be O_NONBLOCK.
  CHECK(child.output == "fifos\nagain\nfd\nflags:01\n" + std::to_string(uid) + "\n");
  CHECK(child.error_output == "err\n");
}

TEST_CASE("a worker that drops its user later can still open its output", "[net][child]") {
  if (geteuid() != 0) return;  // only root drops to another user
  auto child = RunChild(Shell(
      "setpriv --reuid 65534 --regid 65534 --clear-groups sh -c 'echo dropped > /dev/stdout'"));
  CHECK(child.output == "dropped\n");
  CHECK(child.error_output.empty());
}

TEST_CASE("another user has none of our groups", "[net][child]") {
  if (geteuid() != 0) return;  // only root becomes another user
  gid_t group = 12345;
  std::string seen = InForkedProcess([&] {
    if (setgroups(1, &group) != 0) return std::string("setgroups failed");
    SpawnOptions options = Shell("id -u; id -g; id -G");
    options.uid = 65534;
    options.gid = 65533;
    return OutputWithoutLoop(options);
  });
  CHECK(seen == "65534\n65533\n65533\n");
}

TEST_CASE("a user we may not become is an error", "[net][child]") {
  std::string seen = InForkedProcess([] {
    if (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0) return std::string("setresuid");
    SpawnOptions options = Shell("echo started");
    options.uid = 12345;
    auto spawned = Spawn(options);
    auto* failure = std::get_if<SpawnFailure>(&spawned);
    return failure != nullptr ? std::to_string(failure->exit_code) + failure->error.message()
                              : std::string("started");
  });
  CHECK(seen.find("126cannot run sh: cannot become user 12345") == 0);
}

TEST_CASE("our signal mask and dispositions stay ours", "[net][child]") {
  Loop loop;  // ignores SIGPIPE
  SignalWatcher term(loop, SIGTERM, [](int) {});
  signal(SIGTTOU, SIG_IGN);
  sigset_t blocked;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGUSR1);
  sigset_t before;
  pthread_sigmask(SIG_BLOCK, &blocked, &before);
  SpawnOptions options;
  options.arguments = {"cat", "/proc/self/status"};
  auto child = RunChild(options);
  sigset_t after;
  pthread_sigmask(SIG_SETMASK, &before, &after);
  signal(SIGTTOU, SIG_DFL);
  CHECK(SignalMask(child.output, "SigBlk") == 0);
  CHECK(SignalMask(child.output, "SigCgt") == 0);
  CHECK((SignalMask(child.output, "SigIgn") & (Bit(SIGPIPE) | Bit(SIGTTOU) | Bit(SIGTERM))) == 0);
  CHECK(sigismember(&after, SIGUSR1) == 1);
  CHECK(sigismember(&after, SIGTERM) == 0);
}

TEST_CASE("a child of ours dies of SIGPIPE as usual", "[net][child]") {
  Loop loop;
  auto child = RunChild(Shell("(yes; echo $? >&2) | head -1"));
  CHECK(child.output == "y\n");
  CHECK(child.error_output == "141\n");
}

TEST_CASE("print the signals a child sees", "[.][child-of-test]") {
  Loop loop;
  SignalWatcher hup(loop, SIGHUP, [](int) {});
  SpawnOptions options;
  options.arguments = {"cat", "/proc/self/status"};
  std::printf("%s", RunChild(options).output.c_str());
}

TEST_CASE("a signal ignored when we were started is ignored in the child", "[net][child]") {
  char self[4096];
  ssize_t size = readlink("/proc/self/exe", self, sizeof self - 1);
  REQUIRE(size > 0);
  self[size] = '\0';
  SpawnOptions options = Shell("trap '' HUP USR2; exec \"$0\" \"print the signals a child sees\"");
  options.arguments.push_back(self);
  auto child = RunChild(options);
  CAPTURE(child.output, child.error_output);
  CHECK((SignalMask(child.output, "SigIgn") & (Bit(SIGHUP) | Bit(SIGUSR2) | Bit(SIGPIPE))) ==
        (Bit(SIGHUP) | Bit(SIGUSR2)));
}

TEST_CASE("a signal that arrives during a start is delivered", "[net][child]") {
  Loop loop;
  int seen = 0;
  SignalWatcher watcher(loop, SIGUSR1, [&](int) { ++seen; });
  for (int i = 1; i <= 20; ++i) {
    std::thread sender([] { kill(getpid(), SIGUSR1); });
    auto spawned = Spawn(Shell("exit 0"));
    sender.join();
    REQUIRE(std::holds_alternative<ChildProcess>(spawned));
    RunUntil(loop, [&] { return seen == i; });
    int status = 0;
    waitpid(std::get<ChildProcess>(spawned).pid, &status, 0);
    CHECK(status == 0);
  }
}

TEST_CASE("a pipe size the kernel refuses is not an error", "[net][child]") {
  auto options = Shell("echo out");
  SECTION("absurd") { options.pipe_bytes = std::numeric_limits<int>::max(); }
  SECTION("left alone") { options.pipe_bytes = 0; }
  CHECK(RunChild(options).output == "out\n");
}

TEST_CASE("the pipe has the size asked for, and its read end does not block", "[net][child]") {
  auto options = Shell("exec sleep 60");
  options.pipe_bytes = 128 * 1024;
  auto spawned = Spawn(options);
  auto& child = std::get<ChildProcess>(spawned);
  CHECK(fcntl(child.standard_output.get(), F_GETPIPE_SZ) == 128 * 1024);
  char byte;
  CHECK(read(child.standard_output.get(), &byte, 1) == -1);
  CHECK(errno == EAGAIN);
  for (int fd : {child.standard_output.get(), child.standard_error.get()}) {
    CHECK((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
  }
  kill(child.pid, SIGKILL);
  waitpid(child.pid, nullptr, 0);
}

TEST_CASE("out of descriptors, a start fails and leaks none", "[net][child]") {
  std::string seen = InForkedProcess([] {
    std::vector<int> held;
    for (int fd; (fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0;) held.push_back(fd);
    std::string report;
    for (int spare = 0; spare <= 6; ++spare) {
      auto spawned = Spawn(Shell("exit 0"));
      bool started = std::holds_alternative<ChildProcess>(spawned);
      report += started ? 's' : 'f';
      close(held.back());
      held.pop_back();
    }
    return report;
  });
  CHECK(seen == "ffffffs");
}

TEST_CASE("exit statuses are kept in a process started with SIGCHLD ignored", "[net][child]") {
  std::string seen = InForkedProcess([] {
    signal(SIGCHLD, SIG_IGN);
    auto spawned = Spawn(Shell("exit 7"));
    int status = 0;
    waitpid(std::get<ChildProcess>(spawned).pid, &status, 0);
    return std::to_string(WEXITSTATUS(status));
  });
  CHECK(seen == "7");
}

}  // namespace
}  // namespace dunlin::net
