// The agent as the first process of a container, and where it is allowed next to nothing.
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <vector>

#include "tests/agent/agent_run.h"
#include "tests/agent/processes.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

namespace dunlin {
namespace {

using testing::AgentRun;
using wire::Output;

std::vector<std::string> Confined(std::vector<std::string> words) {
  words.insert(words.begin(), DUNLIN_CONFINE_BINARY);
  words.push_back("--");
  return words;
}

TEST_CASE("what others write to the outputs of process 1 is captured", "[agent][confined]") {
  AgentRun run;
  run.launcher = Confined({"new-pid", "proc"});
  // The port is taken, which the agent says on its own standard error.
  run.flags[3] = run.collector.address().ToString();
  run.Start({"/bin/sh", "-c",
             "echo $PPID; echo one > /proc/1/fd/1; echo two > /proc/1/fd/2; echo three;"
             "sleep 0.2; sh -c 'echo four > /proc/1/fd/1'"});
  const int code = run.Wait();
  if (run.NotPossibleHere()) return;
  CHECK(code == 0);
  CHECK(run.collector.Text(Output::kStdout) == "1\none\nthree\nfour\n");
  CHECK(run.collector.Text(Output::kStderr) == "two\n");
  CHECK(run.out == "1\none\nthree\nfour\n");
  CHECK(run.err.find("two\n") != std::string::npos);
  CHECK(run.err.find("no control listener") != std::string::npos);
}

TEST_CASE("merged, both outputs of process 1 lead into one", "[agent][confined]") {
  AgentRun run;
  run.launcher = Confined({"new-pid", "proc"});
  run.flags.push_back("--merge-outputs");
  run.Start({"/bin/sh", "-c", "echo one > /proc/1/fd/1; echo two > /proc/1/fd/2; echo three >&2"});
  const int code = run.Wait();
  if (run.NotPossibleHere()) return;
  CHECK(code == 0);
  CHECK(run.collector.Text(Output::kStdout) == "one\ntwo\nthree\n");
}

TEST_CASE("an agent that is not process 1 keeps its outputs", "[agent][confined]") {
  AgentRun run;
  run.Start({"/bin/sh", "-c", "echo one > /proc/$PPID/fd/1; echo two"});
  CHECK(run.Wait() == 0);
  CHECK(run.collector.Text(Output::kStdout) == "two\n");
  CHECK(run.out.find("one\n") != std::string::npos);
}

TEST_CASE("system calls that a filter refuses are done without", "[agent][confined]") {
  const std::string error = GENERATE(as<std::string>{}, "EPERM", "ENOSYS");
  CAPTURE(error);
  AgentRun run;
  run.launcher = Confined(
      {"refuse=" + error +
           ":close_range,pidfd_open,pidfd_send_signal,clone3,statx,memfd_create,epoll_pwait2,"
           "io_uring_setup,timerfd_create,signalfd4,getrandom,pwritev2,preadv2,rseq,"
           "set_robust_list,sched_getaffinity,sysinfo,fchown,fchmod",
       "refuse=ENOSYS:epoll_create1"});
  run.StartWorkload({"print-signals"});
  run.RunUntil([&] {
    return run.exit || run.collector.Text(Output::kStdout).find("ready\n") != std::string::npos;
  });
  if (run.NotPossibleHere()) return;
  REQUIRE_FALSE(run.exit);
  CHECK(run.Get("/healthz").find(" 200 ") != std::string::npos);
  run.Signal(SIGTERM);
  run.WaitForOutput("15\n");
  run.Signal(SIGUSR2);
  CHECK(run.Wait() == 12);
  CHECK(run.collector.Text(Output::kStdout).find("15\n") != std::string::npos);
}

TEST_CASE("a signal that cannot be watched is done without", "[agent][confined]") {
  AgentRun run;
  run.launcher = Confined({"refuse=EPERM:sigaction_of_sigrtmax"});
  run.StartWorkload({"print-signals"});
  run.RunUntil([&] { return run.exit || run.out.find("ready\n") != std::string::npos; });
  if (run.NotPossibleHere()) return;
  run.Signal(SIGRTMAX - 1);
  run.WaitForOutput("63\n");
  CHECK(run.err.find("cannot watch signal 64") != std::string::npos);
  run.Signal(SIGUSR2);
  CHECK(run.Wait() == 12);
}

TEST_CASE("an agent that may not become a subreaper says so and does all the rest",
          "[agent][confined]") {
  AgentRun run;
  run.launcher = Confined({"refuse=EPERM:subreaper"});
  // A worker that only the kill of the group can end, and an orphan that goes to somebody else.
  run.flags.insert(run.flags.end(), {"--stop-grace", "2s"});
  run.Start(
      {"/bin/sh", "-c",
       "trap 'exit 4' TERM;"
       "(sleep 0.01 &); sh -c 'trap \"\" TERM; echo worker $$; while :; do sleep 0.05; done' &"
       "while :; do sleep 0.05; done"});
  run.RunUntil([&] { return run.exit || run.out.find('\n') != std::string::npos; });
  if (run.NotPossibleHere()) return;
  REQUIRE_FALSE(run.exit);
  const pid_t worker = std::stoi(run.out.substr(run.out.find(' ')));
  CHECK(run.err.find("level=warn") != std::string::npos);
  CHECK(run.err.find("cannot become a subreaper") != std::string::npos);
  run.Signal(SIGTERM);
  CHECK(run.Wait() == 4);
  run.RunUntil([&] { return !testing::Lives(worker); });
  CHECK(run.collector.Text(Output::kStdout) == run.out);
}

#ifdef DUNLIN_STATIC_AGENT
/// A folder with the two programs and nothing else.
struct EmptyRoot {
  EmptyRoot() {
    chmod(folder.path().c_str(), 0755);
    Copy(DUNLIN_AGENT_BINARY, "/agent");
    Copy(DUNLIN_WORKLOAD_BINARY, "/workload");
  }
  void Copy(const char* from, const std::string& name) {
    const std::string to = folder.path() + name;
    std::ofstream(to, std::ios::binary) << std::ifstream(from, std::ios::binary).rdbuf();
    REQUIRE(chmod(to.c_str(), 0755) == 0);
  }
  testing::TempDir folder;
};

TEST_CASE("an empty read-only root, any user, no capabilities: starts, ships and stops",
          "[agent][confined]") {
  EmptyRoot root;
  AgentRun run;
  run.agent = "/agent";
  run.launcher = Confined({"new-pid", "root=" + root.folder.path(), "user=65534", "unprivileged"});
  run.Start({"/workload", "print-signals"});
  run.RunUntil([&] {
    return run.exit || run.collector.Text(Output::kStdout).find("ready\n") != std::string::npos;
  });
  if (run.NotPossibleHere()) return;
  REQUIRE_FALSE(run.exit);
  const std::string metrics = run.Get("/metrics");
  CHECK(AgentRun::Metric(metrics, "dunlin_agent_process_up") == 1);
  CHECK(metrics.find("process_resident_memory_bytes") == std::string::npos);
  run.Signal(SIGTERM);
  run.WaitForOutput("15\n");
  run.Signal(SIGUSR2);
  CHECK(run.Wait() == 12);
  CHECK(run.collector.Text(Output::kStdout).find("15\n") != std::string::npos);
}

TEST_CASE("an empty root: localhost is known without any file", "[agent][confined]") {
  EmptyRoot root;
  AgentRun run;
  run.agent = "/agent";
  run.launcher = Confined({"root=" + root.folder.path(), "user=65534", "unprivileged"});
  run.flags[1] = "localhost:" + std::to_string(run.collector.address().port);
  run.Start({"/workload", "lines", "10"});
  const int code = run.Wait();
  if (run.NotPossibleHere()) return;
  CHECK(code == 0);
  CHECK(run.collector.durable_lines() == 10);
}

TEST_CASE("an empty root: descriptors that the agent inherits do not reach the process",
          "[agent][confined]") {
  EmptyRoot root;
  AgentRun run;
  run.agent = "/agent";
  // There are as many as the machine allows, at most.
  const std::string highest = GENERATE(as<std::string>{}, "400", "60000", "900000");
  run.launcher = Confined({"descriptors=20:" + highest, "root=" + root.folder.path(),
                           std::string("refuse=") + GENERATE("EPERM", "ENOSYS") + ":close_range"});
  run.Start({"/workload", "inspect"});
  const int code = run.Wait();
  if (run.NotPossibleHere()) return;
  CHECK(code == 0);
  CHECK(run.out.find("\n3 descriptors\n") != std::string::npos);
}

TEST_CASE("an empty root: standard descriptors that are closed cannot become null, and need not",
          "[agent][confined]") {
  EmptyRoot root;
  AgentRun run;
  std::string command = "exec 0<&- 1>&- 2>&-; exec " DUNLIN_CONFINE_BINARY;
  command += " root=" + root.folder.path() + " -- /agent";
  for (const std::string& flag : run.flags) command += " " + flag;
  command += " -- /workload lines 10";
  run.launcher = {"/bin/sh", "-c", command};
  run.agent = "sh";
  run.Start({});
  const int code = run.Wait();
  if (run.NotPossibleHere()) return;
  CHECK(code == 0);
  CHECK(run.collector.durable_lines() == 10);
}
#endif

}  // namespace
}  // namespace dunlin
