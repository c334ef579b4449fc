#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <map>
#include <optional>

#include "protocol/net/child_process.h"
#include "protocol/net/signals.h"
#include "tests/net/child_run.h"
#include "tests/support/catch.h"
#include "tests/support/loop_runner.h"

namespace dunlin::net {
namespace {

using testing::RunUntil;

pid_t ForkExit(int code) {
  pid_t pid = fork();
  if (pid == 0) _exit(code);
  return pid;
}

/// Waits until `pid` is a zombie, without reaping it.
void AwaitEnd(pid_t pid) {
  siginfo_t info{};
  REQUIRE(waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT) == 0);
}

bool NoChildrenLeft() { return waitpid(-1, nullptr, WNOHANG) == -1 && errno == ECHILD; }

TEST_CASE("coalesced exits are all reaped, each with its own status", "[net][reaper]") {
  Loop loop;
  std::map<pid_t, int> want;
  std::map<pid_t, int> got;
  Reaper reaper(loop, [&](pid_t pid, ExitStatus status) { got[pid] = status.code; });
  for (int i = 0; i < 50; ++i) want[ForkExit(i)] = i;
  // All have ended before the loop turns once: one SIGCHLD may stand for all.
  for (auto& [pid, code] : want) AwaitEnd(pid);
  RunUntil(loop, [&] { return got.size() == want.size(); });
  CHECK(got == want);
  CHECK(NoChildrenLeft());
}

TEST_CASE("a child that ended before the reaper existed is found by a poll", "[net][reaper]") {
  Loop loop;
  pid_t child = ForkExit(9);
  AwaitEnd(child);
  std::map<pid_t, int> got;
  Reaper reaper(loop, [&](pid_t pid, ExitStatus status) { got[pid] = status.code; });
  reaper.Poll();
  CHECK(got == std::map<pid_t, int>{{child, 9}});
  reaper.Poll();
  CHECK(got.size() == 1);
}

TEST_CASE("orphans handed down are reaped beside the child", "[net][reaper]") {
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  Loop loop;
  std::map<pid_t, int> got;
  Reaper reaper(loop, [&](pid_t pid, ExitStatus status) { got[pid] = status.code; });
  // The daemon's parent exits first; the daemon ends when its input does.
  int hold[2];
  REQUIRE(pipe(hold) == 0);
  pid_t child = fork();
  if (child == 0) {
    if (fork() == 0) {
      close(hold[1]);
      char byte;
      _exit(read(hold[0], &byte, 1) == 0 ? 5 : 6);
    }
    _exit(3);
  }
  RunUntil(loop, [&] { return got.count(child) == 1; });
  CHECK(got.size() == 1);
  close(hold[1]);
  RunUntil(loop, [&] { return got.size() == 2; });
  prctl(PR_SET_CHILD_SUBREAPER, 0);
  close(hold[0]);
  CHECK(got[child] == 3);
  got.erase(child);
  CHECK(got.begin()->second == 5);
}

TEST_CASE("an orphan that ends just before the child is not taken for it", "[net][reaper]") {
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  Loop loop;
  std::map<pid_t, int> got;
  Reaper reaper(loop, [&](pid_t pid, ExitStatus status) { got[pid] = status.code; });
  const pid_t child = fork();
  if (child == 0) {
    // The orphan's parent is gone before the orphan is, and that before this child.
    int gone[2];
    if (pipe(gone) != 0) _exit(90);
    const pid_t between = fork();
    if (between == 0) {
      const pid_t parent = getpid();
      if (fork() == 0) {
        close(gone[0]);
        while (getppid() == parent) usleep(1000);
        _exit(5);
      }
      _exit(4);
    }
    close(gone[1]);
    waitpid(between, nullptr, 0);
    char byte;
    [[maybe_unused]] ssize_t end = read(gone[0], &byte, 1);
    _exit(3);
  }
  AwaitEnd(child);
  RunUntil(loop, [&] { return got.size() == 2; });
  prctl(PR_SET_CHILD_SUBREAPER, 0);
  CHECK(got[child] == 3);
  got.erase(child);
  CHECK(got.begin()->second == 5);
  CHECK(NoChildrenLeft());
}

TEST_CASE("a child is still a zombie while its exit is told", "[net][reaper]") {
  Loop loop;
  bool zombie = false;
  bool told = false;
  Reaper reaper(loop, [&](pid_t pid, ExitStatus) {
    zombie = kill(pid, 0) == 0;
    reaper.Poll();  // does nothing: no endless recursion
    told = true;
  });
  ForkExit(0);
  RunUntil(loop, [&] { return told; });
  CHECK(zombie);
  CHECK(NoChildrenLeft());
}

TEST_CASE("an end by a signal is reported as such", "[net][reaper]") {
  Loop loop;
  std::optional<ExitStatus> got;
  Reaper reaper(loop, [&](pid_t, ExitStatus status) { got = status; });
  pid_t child = fork();
  if (child == 0) {
    for (;;) pause();
  }
  kill(child, SIGKILL);
  RunUntil(loop, [&] { return got.has_value(); });
  CHECK(*got == ExitStatus{.signal = SIGKILL});
  CHECK(got->ShellCode() == 137);
}

TEST_CASE("a reaper may be destroyed by its callback", "[net][reaper]") {
  Loop loop;
  std::optional<Reaper> reaper;
  int told = 0;
  reaper.emplace(loop, [&](pid_t, ExitStatus) {
    reaper.reset();
    ++told;
  });
  pid_t first = ForkExit(0);
  pid_t second = ForkExit(0);
  AwaitEnd(first);
  AwaitEnd(second);
  loop.Run();
  CHECK(told == 1);
  while (waitpid(-1, nullptr, 0) > 0) {
  }
}

}  // namespace
}  // namespace dunlin::net
