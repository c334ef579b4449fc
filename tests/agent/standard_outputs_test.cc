#include "agent/standard_outputs.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <string>

#include "tests/support/catch.h"

namespace dunlin::agent {
namespace {

using wire::Output;

/// Runs `body` in a process whose standard output and error are one shared pipe; returns what it
/// says is wrong, nothing when all is well, and what came through the pipe.
struct Outcome {
  int status = -1;
  std::string output;
};

Outcome InAProcess(const std::function<bool()>& body) {
  int fds[2];
  REQUIRE(pipe2(fds, O_CLOEXEC) == 0);
  pid_t pid = fork();
  if (pid == 0) {
    dup2(fds[1], STDOUT_FILENO);
    dup2(fds[1], STDERR_FILENO);
    close(fds[0]);
    close(fds[1]);
    _exit(body() ? 0 : 1);
  }
  close(fds[1]);
  Outcome outcome;
  char buffer[256];
  for (ssize_t got; (got = read(fds[0], buffer, sizeof buffer)) > 0;) {
    outcome.output.append(buffer, static_cast<std::size_t>(got));
  }
  close(fds[0]);
  waitpid(pid, &outcome.status, 0);
  return outcome;
}

bool Say(int fd, const std::string& text) {
  return write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

TEST_CASE("a shared output is opened again, and its other holders see no change",
          "[agent][outputs]") {
  auto outcome = InAProcess([] {
    StandardOutputs outputs;
    const int own = outputs.destination(Output::kStdout);
    return own > STDERR_FILENO && (fcntl(own, F_GETFL) & O_NONBLOCK) != 0 &&
           (fcntl(own, F_GETFD) & FD_CLOEXEC) != 0 &&
           (fcntl(STDOUT_FILENO, F_GETFL) & O_NONBLOCK) == 0 && Say(own, "through");
  });
  CHECK(outcome.status == 0);
  CHECK(outcome.output == "through");
}

TEST_CASE("an output leads into a pipe until it is restored, and the pipe ends then",
          "[agent][outputs]") {
  auto outcome = InAProcess([] {
    StandardOutputs outputs;
    int fds[2];
    if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) != 0) return false;
    close(fds[1]);
    if (!outputs.LeadInto(Output::kStdout, fds[0])) return false;
    bool good = Say(STDOUT_FILENO, "captured") && Say(STDERR_FILENO, "plain ") &&
                Say(outputs.destination(Output::kStdout), "past ");
    char buffer[64];
    good = good && read(fds[0], buffer, sizeof buffer) == 8;
    good = good && read(fds[0], buffer, sizeof buffer) < 0 && errno == EAGAIN;
    outputs.Restore();
    good = good && read(fds[0], buffer, sizeof buffer) == 0;
    return good && Say(STDOUT_FILENO, "restored");
  });
  CHECK(outcome.status == 0);
  CHECK(outcome.output == "plain past restored");
}

TEST_CASE("closed descriptors become null before anything else takes their number",
          "[agent][outputs]") {
  auto outcome = InAProcess([] {
    for (int fd = 0; fd <= 2; ++fd) close(fd);
    StandardOutputs outputs;
    for (int fd = 0; fd <= 2; ++fd) {
      struct stat status {};
      if (fstat(fd, &status) != 0 || !S_ISCHR(status.st_mode)) return false;
    }
    char byte = 0;
    return read(0, &byte, 1) == 0 && Say(1, "x") && outputs.destination(Output::kStderr) > 2;
  });
  CHECK(outcome.status == 0);
}

}  // namespace
}  // namespace dunlin::agent
