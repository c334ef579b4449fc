#include "protocol/net/child_start.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <string>
#include <vector>

#include "tests/net/child_run.h"
#include "tests/support/catch.h"

namespace dunlin::net {
namespace {

bool ClosesOnExec(int fd) { return (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0; }

TEST_CASE("every way of closing on exec reaches every descriptor from the first",
          "[net][child-start]") {
  using Way = bool (*)(unsigned);
  Way way = GENERATE(values<Way>({CloseOnExecByRange, CloseOnExecByFolder, CloseOnExecOneByOne}));
  // Above whatever this process holds, so that nothing else is marked.
  constexpr int kFirst = 400;
  int source = open("/dev/null", O_RDONLY | O_CLOEXEC);
  std::vector<int> fds;
  for (int fd : {kFirst - 1, kFirst, kFirst + 1, kFirst + 300}) {
    fds.push_back(dup2(source, fd));
    REQUIRE(fds.back() == fd);
  }
  if (way(kFirst)) {
    CHECK_FALSE(ClosesOnExec(fds[0]));
    for (std::size_t i = 1; i < fds.size(); ++i) CHECK(ClosesOnExec(fds[i]));
  } else {
    CHECK(way == CloseOnExecByRange);  // an older kernel, or a filter
  }
  for (int fd : fds) close(fd);
  close(source);
}

/// Marks descriptors up to `high` one by one, with a limit below it, in a child of the test's. Its
/// exit code: 0 when all are marked, 77 when there can be none so high here.
int MarkWithLimits(int high, rlim_t lowered_to) {
  pid_t pid = fork();
  if (pid == 0) {
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = std::max(limit.rlim_cur, static_cast<rlim_t>(high) + 1);
    limit.rlim_max = std::max(limit.rlim_max, limit.rlim_cur);
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) _exit(77);
    const int low = open("/dev/null", O_RDONLY);
    const int name_only = open("/dev/null", O_PATH);
    if (dup2(low, high) != high || dup2(name_only, high - 1) != high - 1) _exit(77);
    limit.rlim_cur = lowered_to;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) _exit(77);
    const bool all = CloseOnExecOneByOne(3);
    bool marked = true;
    for (int fd : {low, name_only, high - 1, high}) marked = marked && ClosesOnExec(fd);
    _exit(all && marked ? 0 : 1);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  return WEXITSTATUS(status);
}

TEST_CASE("one by one, descriptors above the limit of now are reached", "[net][child-start]") {
  // As left by whoever lowered the limit later; the second needs a machine that allows so many.
  const int high = GENERATE(2000, 200'000);
  const int code = MarkWithLimits(high, 64);
  if (code == 77) {
    WARN("skipped: no descriptor " << high << " is allowed here");
    return;
  }
  CHECK(code == 0);
}

TEST_CASE("a filter that refuses close_range does not leak descriptors", "[net][child-start]") {
  int fds[2];
  REQUIRE(pipe(fds) == 0);
  pid_t pid = fork();
  if (pid == 0) {
    // As old container runtimes answer system calls they do not know.
    sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_close_range, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    sock_fprog program = {sizeof filter / sizeof filter[0], filter};
    bool filtered = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
                    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
    std::string report = "no filter here";
    if (filtered) {
      report = CloseOnExecByRange(10000) ? "not refused" : "";
      dup2(fds[1], 700);
      auto spawned = Spawn(Shell(
          "i=0; while [ $i -lt 800 ]; do [ -e /proc/$$/fd/$i ] && echo $i; i=$((i+1)); done"));
      auto& child = std::get<ChildProcess>(spawned);
      fcntl(child.standard_output.get(), F_SETFL, 0);
      char buffer[256];
      for (ssize_t size; (size = read(child.standard_output.get(), buffer, sizeof buffer)) > 0;) {
        report.append(buffer, static_cast<std::size_t>(size));
      }
      waitpid(child.pid, nullptr, 0);
    }
    [[maybe_unused]] ssize_t written = write(fds[1], report.data(), report.size());
    _exit(0);
  }
  close(fds[1]);
  char buffer[256];
  ssize_t size = read(fds[0], buffer, sizeof buffer);
  close(fds[0]);
  waitpid(pid, nullptr, 0);
  REQUIRE(size >= 0);
  std::string seen(buffer, static_cast<std::size_t>(size));
  if (seen == "no filter here") return;
  CHECK(seen == "0\n1\n2\n");
}

}  // namespace
}  // namespace dunlin::net
