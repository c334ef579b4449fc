// The agent as the first process of a PID namespace.
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <string>

#include "tests/agent/agent_run.h"
#include "tests/agent/processes.h"
#include "tests/support/catch.h"

namespace dunlin {
namespace {

using namespace std::chrono_literals;
using testing::AgentRun;
using testing::ChildrenOf;

/// False where there are no namespaces to be had, which is printed.
bool CanUnshare() {
  if (geteuid() == 0 && std::system("unshare --pid --fork --mount-proc true 2>/dev/null") == 0) {
    return true;
  }
  WARN("skipped: a PID namespace of one's own needs root and unshare(1)");
  return false;
}

/// `pid` is unshare's, which ends with the agent's code.
struct FirstProcess : AgentRun {
  FirstProcess() { launcher = {"unshare", "--pid", "--fork", "--kill-child", "--mount-proc"}; }
  /// The agent's number outside of its namespace.
  pid_t AgentPid() {
    RunUntil([&] { return !ChildrenOf(pid).empty(); });
    return ChildrenOf(pid)[0];
  }
  void SignalAgent(int signal) { REQUIRE(kill(AgentPid(), signal) == 0); }
};

TEST_CASE("a hundred daemons that lose their parents leave no zombie", "[agent][first-process]") {
  if (!CanUnshare()) return;
  FirstProcess run;
  run.StartWorkload({"daemons", "100"});
  run.WaitForOutput("ready\n");
  run.RunUntil([&] {
    return AgentRun::Metric(run.Get("/metrics"), "dunlin_agent_orphans_reaped_total") == 100;
  });
  CHECK(ChildrenOf(run.AgentPid()).size() == 1);
  run.SignalAgent(SIGTERM);
  CHECK(run.Wait() == 143);
}

TEST_CASE("a descendant in a session of its own is told to end", "[agent][first-process]") {
  if (!CanUnshare()) return;
  FirstProcess run;
  run.StartWorkload({"other-session"});
  run.WaitForOutput("ready\n");
  run.SignalAgent(SIGTERM);
  CHECK(run.Wait() == 143);
  CHECK(run.out == "ready\nother session told to end\n");
}

TEST_CASE("one that ignores it is killed in time", "[agent][first-process]") {
  if (!CanUnshare()) return;
  FirstProcess run;
  run.flags.insert(run.flags.end(), {"--stop-grace", "4s"});
  run.Start({"/bin/sh", "-c",
             "trap 'exit 4' TERM;"
             "setsid sh -c 'trap \"\" TERM; echo ready; while :; do sleep 0.05; done' &"
             "while :; do sleep 0.05; done"});
  run.WaitForOutput("ready\n");
  const auto begin = SystemClock().Steady();
  run.SignalAgent(SIGTERM);
  CHECK(run.Wait() == 4);
  CHECK(run.ended - begin >= 1950ms);
  CHECK(run.ended - begin < 4s);
}

TEST_CASE("a process that came from outside is told to end, and waited for a second at most",
          "[agent][first-process]") {
  if (!CanUnshare()) return;
  const bool ignores = GENERATE(false, true);
  FirstProcess run;
  run.flags.insert(run.flags.end(), {"--stop-grace", "60s"});
  run.StartWorkload({"wait"});
  run.WaitForOutput("ready\n");
  const pid_t agent = run.AgentPid();
  net::SpawnOptions options;
  options.arguments = {"nsenter",
                       "-t",
                       std::to_string(agent),
                       "-p",
                       "-m",
                       "--",
                       "/bin/sh",
                       "-c",
                       std::string("trap '") + (ignores ? "" : "echo told; exit 0") +
                           "' TERM; echo ready; while :; do sleep 0.05; done"};
  auto spawned = net::Spawn(options);
  REQUIRE(std::holds_alternative<net::ChildProcess>(spawned));
  auto& outsider = std::get<net::ChildProcess>(spawned);
  std::string said;
  auto read_more = [&] {
    char buffer[256];
    const ssize_t got = read(outsider.standard_output.get(), buffer, sizeof buffer);
    if (got > 0) said.append(buffer, static_cast<std::size_t>(got));
  };
  run.RunUntil([&] {
    read_more();
    return said.find("ready\n") != std::string::npos;
  });
  const auto begin = SystemClock().Steady();
  run.SignalAgent(SIGTERM);
  CHECK(run.Wait() == 143);
  CHECK(run.ended - begin < 30s);
  read_more();
  CHECK(said == (ignores ? "ready\n" : "ready\ntold\n"));
}

TEST_CASE("signals to the first process reach its own, as they do elsewhere",
          "[agent][first-process]") {
  if (!CanUnshare()) return;
  FirstProcess run;
  run.StartWorkload({"print-signals"});
  run.WaitForOutput("ready\n");
  // Those of which the kernel would discard the default.
  std::string want = "ready\n";
  for (int signal : {SIGHUP, SIGQUIT, SIGUSR1, SIGPIPE, SIGALRM, SIGTSTP, SIGTTIN, SIGWINCH}) {
    run.SignalAgent(signal);
    want += std::to_string(signal) + "\n";
    run.WaitForOutput(want);
  }
  run.SignalAgent(SIGTERM);
  run.WaitForOutput(want + "15\n");
  run.SignalAgent(SIGTERM);
  CHECK(run.Wait() == 137);
}

TEST_CASE("faults that are sent to the first process neither reach its own nor end it",
          "[agent][first-process]") {
  if (!CanUnshare()) return;
  FirstProcess run;
  // A checked build would catch them.
  run.variables = {
      "ASAN_OPTIONS=detect_leaks=0:handle_segv=0:handle_sigbus=0:handle_sigfpe=0:handle_sigill=0"};
  run.StartWorkload({"print-signals"});
  run.WaitForOutput("ready\n");
  for (int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS}) {
    run.SignalAgent(fault);
  }
  run.SignalAgent(SIGUSR2);  // behind them, as signals of lower numbers come first
  CHECK(run.Wait() == 12);
  CHECK(run.out == "ready\n12\n");
}

}  // namespace
}  // namespace dunlin
