#include "protocol/net/signals.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <optional>

#include "protocol/net/descriptor.h"
#include "tests/support/catch.h"
#include "tests/support/loop_runner.h"

namespace dunlin::net {
namespace {

using namespace std::chrono_literals;
using testing::RunUntil;

bool HasDefaultDisposition(int signal) {
  struct sigaction action;
  REQUIRE(sigaction(signal, nullptr, &action) == 0);
  return action.sa_handler == SIG_DFL;
}

TEST_CASE("a signal reaches its watcher, and later ones too", "[net][signals]") {
  int number = GENERATE(SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGWINCH, SIGRTMIN + 1);
  Loop loop;
  int seen = 0;
  SignalWatcher watcher(loop, number, [&](int got) {
    CHECK(got == number);
    ++seen;
  });
  kill(getpid(), number);
  RunUntil(loop, [&] { return seen == 1; });
  kill(getpid(), number);
  RunUntil(loop, [&] { return seen == 2; });
}

TEST_CASE("a signal that was left blocked reaches its watcher", "[net][signals]") {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR2);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  Loop loop;
  int seen = 0;
  SignalWatcher watcher(loop, SIGUSR2, [&](int) { ++seen; });
  kill(getpid(), SIGUSR2);
  RunUntil(loop, [&] { return seen == 1; });
}

TEST_CASE("without its watcher a signal has its default disposition", "[net][signals]") {
  Loop loop;
  {
    SignalWatcher watcher(loop, SIGUSR1, [](int) {});
    CHECK_FALSE(HasDefaultDisposition(SIGUSR1));
  }
  CHECK(HasDefaultDisposition(SIGUSR1));
}

TEST_CASE("a signal that cannot be caught is an error to who only tries", "[net][signals]") {
  Loop loop;
  auto watcher = SignalWatcher::Try(loop, SIGKILL, [](int) {});
  REQUIRE_FALSE(watcher);
  CHECK(watcher.error().code() == ErrorCode::kUnsupported);
  CHECK(SignalWatcher::Try(loop, SIGUSR1, [](int) {}));
  loop.Run();  // neither is left behind
}

TEST_CASE("a signal watcher may be destroyed by its callback", "[net][signals]") {
  Loop loop;
  int seen = 0;
  std::optional<SignalWatcher> watcher;
  watcher.emplace(loop, SIGUSR1, [&](int) {
    watcher.reset();
    ++seen;
  });
  kill(getpid(), SIGUSR1);
  loop.Run();  // ends because nothing is watched any more
  CHECK(seen == 1);
}

TEST_CASE("a signal watcher destroyed before its delivery is not called", "[net][signals]") {
  Loop loop;
  int seen = 0;
  {
    SignalWatcher watcher(loop, SIGUSR1, [&](int) { ++seen; });
    kill(getpid(), SIGUSR1);
  }
  loop.Run();
  CHECK(seen == 0);
}

TEST_CASE("a SIGPIPE that somebody sends is told from those of our own writes", "[net][signals]") {
  Loop loop;
  int seen = 0;
  {
    SignalWatcher watcher(loop, SIGPIPE, [&](int got) {
      CHECK(got == SIGPIPE);
      ++seen;
    });
    int fds[2];
    REQUIRE(pipe(fds) == 0);
    close(fds[0]);
    for (int i = 0; i < 10; ++i) CHECK(write(fds[1], "x", 1) == -1);
    close(fds[1]);
    for (int i = 1; i <= 2; ++i) {
      const pid_t other = fork();
      if (other == 0) _exit(kill(getppid(), SIGPIPE));
      RunUntil(loop, [&] { return seen == i; });
      waitpid(other, nullptr, 0);
    }
  }
  CHECK(seen == 2);
  struct sigaction action;
  REQUIRE(sigaction(SIGPIPE, nullptr, &action) == 0);
  CHECK(action.sa_handler == SIG_IGN);
}

TEST_CASE("a signal that is held back reaches the watcher that comes later", "[net][signals]") {
  sigset_t before;
  pthread_sigmask(SIG_SETMASK, nullptr, &before);
  HoldSignals();
  kill(getpid(), SIGUSR1);
  Loop loop;
  int seen = 0;
  SignalWatcher watcher(loop, SIGUSR1, [&](int) { ++seen; });
  RunUntil(loop, [&] { return seen == 1; });
  ReleaseSignals();
  sigset_t now;
  pthread_sigmask(SIG_SETMASK, &before, &now);
  CHECK(sigismember(&now, SIGTERM) == 0);
}

TEST_CASE("a process with a loop survives writing to a closed pipe", "[net][signals]") {
  Loop loop;
  int fds[2];
  REQUIRE(pipe(fds) == 0);
  close(fds[0]);
  CHECK(write(fds[1], "x", 1) == -1);
  CHECK(errno == EPIPE);
  close(fds[1]);
}

}  // namespace
}  // namespace dunlin::net
