#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <vector>

#include "protocol/net/process_list.h"
#include "tests/support/catch.h"

namespace dunlin::net {
namespace {

std::vector<pid_t> Numbers() {
  const auto children = ListChildren();
  REQUIRE(children);
  std::vector<pid_t> numbers;
  for (const ProcessEntry& child : *children) {
    CHECK(child.parent == getpid());
    numbers.push_back(child.pid);
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

TEST_CASE("children are listed from their start until they are reaped", "[net][process-list]") {
  CHECK(Numbers().empty());
  std::vector<pid_t> started;
  for (int i = 0; i < 300; ++i) {
    const pid_t pid = fork();
    if (pid == 0) {
      for (;;) pause();
    }
    started.push_back(pid);
  }
  std::sort(started.begin(), started.end());
  CHECK(Numbers() == started);
  for (pid_t pid : started) kill(pid, SIGKILL);
  siginfo_t info{};
  for (pid_t pid : started) {
    REQUIRE(waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT) == 0);
  }
  CHECK(Numbers() == started);
  const auto dead = ListChildren();
  CHECK(std::all_of(dead->begin(), dead->end(), [](const ProcessEntry& p) { return p.zombie; }));
  for (pid_t pid : started) waitpid(pid, nullptr, 0);
  CHECK(Numbers().empty());
}

}  // namespace
}  // namespace dunlin::net
