#include "protocol/net/process_list.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "tests/support/catch.h"

namespace dunlin::net {
namespace {

TEST_CASE("a process's line is read whatever its name", "[net][process-list]") {
  CHECK(ParseProcessStat("17 (sh) S 3 17 17 0 -1 4194560\n") == ProcessEntry{17, 3, 17, false});
  CHECK(ParseProcessStat("17 (a) Z 1 2 (b) Z 4 5 6") == ProcessEntry{17, 4, 5, true});
  CHECK(ParseProcessStat("17 () R 0 0 0 ") == ProcessEntry{17, 0, 0, false});
  for (const char* text :
       {"", "17", "17 (sh", "17 (sh) ", "17 (sh) S", "17 (sh) S 3", "x (sh) S 3 4"}) {
    CAPTURE(text);
    CHECK_FALSE(ParseProcessStat(text));
  }
}

TEST_CASE("this process and its child are listed, alive and dead", "[net][process-list]") {
  int hold[2];
  REQUIRE(pipe(hold) == 0);
  const pid_t child = fork();
  if (child == 0) {
    close(hold[1]);
    char byte;
    _exit(read(hold[0], &byte, 1) == 0 ? 0 : 1);
  }
  setpgid(child, child);
  const auto find = [&] {
    const auto processes = ListProcesses();
    REQUIRE(processes);
    CHECK(std::any_of(processes->begin(), processes->end(),
                      [](const ProcessEntry& p) { return p.pid == getpid(); }));
    return *std::find_if(processes->begin(), processes->end(),
                         [&](const ProcessEntry& p) { return p.pid == child; });
  };
  CHECK(find() == ProcessEntry{child, getpid(), child, false});
  CHECK(HasChildren());
  CHECK(HasChildrenInGroup(child));
  CHECK_FALSE(HasChildrenInGroup(getpgrp()));
  close(hold[1]);
  siginfo_t info{};
  REQUIRE(waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT) == 0);
  CHECK(find() == ProcessEntry{child, getpid(), child, true});
  CHECK(HasChildrenInGroup(child));
  waitpid(child, nullptr, 0);
  CHECK_FALSE(HasChildren());
  CHECK_FALSE(HasChildrenInGroup(child));
  close(hold[0]);
}

}  // namespace
}  // namespace dunlin::net
