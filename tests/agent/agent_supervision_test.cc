// How the agent looks after its process and what that leaves behind, below another init.
#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include "tests/agent/agent_run.h"
#include "tests/agent/processes.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

namespace dunlin {
namespace {

using namespace std::chrono_literals;
using testing::AgentRun;
using testing::ChildrenOf;
using testing::Lives;
using wire::Output;

bool Has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

/// A shell script in the place of the process.
void StartScript(AgentRun& run, const std::string& script) { run.Start({"/bin/sh", "-c", script}); }

void AddFlags(AgentRun& run, std::initializer_list<const char*> flags) {
  run.flags.insert(run.flags.end(), flags.begin(), flags.end());
}

/// The value of a line such as "SigIgn:\t0000000000001000".
std::uint64_t SignalMask(const std::string& status, const std::string& name) {
  std::size_t at = status.find(name + ":");
  REQUIRE(at != std::string::npos);
  return std::strtoull(status.c_str() + at + name.size() + 1, nullptr, 16);
}

std::string ReadFile(const std::string& path) {
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

bool HasFiles(const std::string& folder) {
  return std::system(("ls " + folder + " | grep -q .").c_str()) == 0;
}

std::uint64_t Bit(int signal) { return std::uint64_t{1} << (signal - 1); }

TEST_CASE("a process that ends at once is noticed every time", "[agent][supervision]") {
  for (int i = 0; i < 10; ++i) {
    AgentRun run;
    run.StartWorkload({"exit", "3"});
    CHECK(run.Wait() == 3);
  }
}

TEST_CASE("orphans come to an agent that is not process 1 and are reaped", "[agent][supervision]") {
  AgentRun run;
  run.StartWorkload({"daemons", "20"});
  run.WaitForOutput("ready\n");
  run.RunUntil([&] {
    return AgentRun::Metric(run.Get("/metrics"), "dunlin_agent_orphans_reaped_total") == 20;
  });
  CHECK(ChildrenOf(run.pid).size() == 1);
  run.Signal(SIGTERM);
  CHECK(run.Wait() == 143);
}

TEST_CASE("a rewritten signal arrives as the other one, and a term remains a stop",
          "[agent][supervision]") {
  AgentRun run;
  AddFlags(run, {"--rewrite-signal", "TERM=QUIT", "--rewrite-signal", "HUP=none",
                 "--rewrite-signal", "USR1=WINCH", "--stop-grace", "2s"});
  run.StartWorkload({"print-signals"});
  run.WaitForOutput("ready\n");
  run.Signal(SIGHUP);
  run.Signal(SIGUSR1);
  run.WaitForOutput("28\n");
  run.Signal(SIGTERM);
  run.WaitForOutput("3\n");
  CHECK(run.Wait() == 137);  // it ignored the stop
  CHECK(Has(run.out, "ready\n28\n3\n"));
}

TEST_CASE("the process has an empty signal mask and the dispositions that the agent was given",
          "[agent][supervision]") {
  testing::TempDir folder;
  const std::string given = folder.path() + "/given";
  AgentRun run;
  run.launcher = {"/bin/sh", "-c",
                  "trap '' HUP USR2; cat /proc/self/status > " + given + "; exec \"$@\"", "sh"};
  run.Start({"cat", "/proc/self/status"});
  CHECK(run.Wait() == 0);
  const std::string before = ReadFile(given);
  CHECK(SignalMask(run.out, "SigBlk") == 0);
  CHECK(SignalMask(run.out, "SigCgt") == 0);
  CHECK(SignalMask(run.out, "SigIgn") == SignalMask(before, "SigIgn"));
  CHECK((SignalMask(before, "SigIgn") & (Bit(SIGHUP) | Bit(SIGUSR2))) ==
        (Bit(SIGHUP) | Bit(SIGUSR2)));
}

TEST_CASE("the agent catches what it passes on and leaves faults to the kernel",
          "[agent][supervision]") {
  AgentRun run;
  // A checked build would catch them.
  run.variables = {"ASAN_OPTIONS=handle_segv=0:handle_sigbus=0:handle_sigfpe=0:handle_sigill=0"};
  run.StartWorkload({"wait"});
  run.WaitForOutput("ready\n");
  const std::uint64_t caught =
      SignalMask(ReadFile("/proc/" + std::to_string(run.pid) + "/status"), "SigCgt");
  for (int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS}) {
    CAPTURE(fault);
    CHECK((caught & Bit(fault)) == 0);
  }
  for (int signal : {SIGHUP, SIGINT, SIGQUIT, SIGPIPE, SIGALRM, SIGTERM, SIGTSTP, SIGCONT, SIGWINCH,
                     SIGPWR, SIGRTMIN, SIGRTMAX}) {
    CAPTURE(signal);
    CHECK((caught & Bit(signal)) != 0);
  }
}

TEST_CASE("a pipeline in the process ends by SIGPIPE as usual", "[agent][supervision]") {
  AgentRun run;
  StartScript(run, "(yes; echo $? >&2) | head -1");
  CHECK(run.Wait() == 0);
  CHECK(run.out == "y\n");
  CHECK(Has(run.err, "141\n"));
}

TEST_CASE("an exit code is remapped", "[agent][supervision]") {
  AgentRun run;
  AddFlags(run, {"--remap-exit", "143=0", "--remap-exit", "3=4"});
  SECTION("of a death by signal") {
    run.StartWorkload({"wait"});
    run.WaitForOutput("ready\n");
    run.Signal(SIGTERM);
    CHECK(run.Wait() == 0);
  }
  SECTION("of an exit") {
    run.StartWorkload({"exit", "3"});
    CHECK(run.Wait() == 4);
  }
}

TEST_CASE("a worker of the group that needs time to stop is waited for", "[agent][supervision]") {
  AgentRun run;
  StartScript(run,
              "trap 'exit 4' TERM;"
              "sh -c 'trap \"sleep 2; echo drained; exit 0\" TERM; echo ready;"
              "       while :; do sleep 0.05; done' & while :; do sleep 0.05; done");
  run.WaitForOutput("ready\n");
  run.Signal(SIGTERM);
  CHECK(run.Wait() == 4);
  CHECK(Has(run.out, "drained\n"));
}

TEST_CASE("without waiting for all, a worker that takes its time is not waited for",
          "[agent][supervision]") {
  AgentRun run;
  AddFlags(run, {"--wait-for-all", "off", "--stop-grace", "60s"});
  StartScript(run,
              "trap 'exit 4' TERM;"
              "sh -c 'trap \"\" TERM; echo worker $$; while :; do sleep 0.05; done' & while :; do "
              "sleep 0.05; done");
  run.WaitForOutput("\n");
  const pid_t worker = std::stoi(run.out.substr(run.out.find(' ')));
  const auto begin = SystemClock().Steady();
  run.Signal(SIGTERM);
  CHECK(run.Wait() == 4);
  CHECK(run.ended - begin < 30s);
  run.RunUntil([&] { return !Lives(worker); });
}

TEST_CASE("a worker that ignores the stop is killed within the one deadline",
          "[agent][supervision]") {
  AgentRun run;
  AddFlags(run, {"--stop-grace", "4s"});
  const bool other_session = GENERATE(false, true);
  StartScript(run, std::string("trap 'exit 4' TERM; ") + (other_session ? "setsid " : "") +
                       "sh -c 'trap \"\" TERM; echo worker $$; while :; do sleep 0.05; done' &"
                       "while :; do sleep 0.05; done");
  run.WaitForOutput("\n");
  const pid_t worker = std::stoi(run.out.substr(run.out.find(' ')));
  const auto begin = SystemClock().Steady();
  run.Signal(SIGTERM);
  CHECK(run.Wait() == 4);
  CHECK(run.ended - begin >= 1950ms);
  CHECK(run.ended - begin < 4s);
  CHECK_FALSE(Lives(worker));
}

TEST_CASE("an own-session descendant is told to end when the process has ended by itself",
          "[agent][supervision]") {
  AgentRun run;
  StartScript(run,
              "setsid sh -c 'trap \"echo told; exit 0\" TERM; echo ready >&2;"
              "              while :; do sleep 0.05; done' &"
              // Not before the trap is set.
              "sleep 1; exit 5");
  CHECK(run.Wait() == 5);
  CHECK(run.out == "told\n");
}

TEST_CASE("a stopped descendant in a session of its own can act on its end",
          "[agent][supervision]") {
  AgentRun run;
  AddFlags(run, {"--stop-grace", "60s"});
  StartScript(run,
              "trap 'exit 4' TERM;"
              "setsid sh -c 'trap \"echo told; exit 0\" TERM; echo ready; kill -STOP $$;"
              "              while :; do sleep 0.05; done' &"
              "while :; do sleep 0.05; done");
  run.WaitForOutput("ready\n");
  run.Signal(SIGTERM);
  CHECK(run.Wait() == 4);
  CHECK(run.out == "ready\ntold\n");
}

TEST_CASE("stopping the leader only, its workers get no signal from the agent",
          "[agent][supervision]") {
  testing::TempDir folder;
  AgentRun run;
  AddFlags(run, {"--stop-mode", "leader"});
  // Ready when both have their traps.
  run.variables.push_back("UP=" + folder.path() + "/up");
  StartScript(run,
              "sh -c 'trap \"echo told\" TERM; trap \"echo released; exit 0\" USR1; : > $UP;"
              "       while :; do sleep 0.05; done' & worker=$!;"
              "trap 'sleep 0.3; kill -USR1 $worker; wait $worker; exit 5' TERM;"
              "until [ -e $UP ]; do sleep 0.01; done; echo ready;"
              "while :; do sleep 0.05; done");
  run.WaitForOutput("ready\n");
  run.Signal(SIGTERM);
  CHECK(run.Wait() == 5);
  CHECK(run.out == "ready\nreleased\n");
}

TEST_CASE("a process that dumps core while it is stopped is waited for, and its end is told",
          "[agent][supervision]") {
  testing::TempDir folder;
  AgentRun run;
  AddFlags(run, {"--restart", "always", "--restart-delay", "1h", "--restart-max-delay", "1h",
                 "--stop-grace", "120s"});
  const bool stopped = GENERATE(true, false);
  run.StartWorkload({"dump-core", "64", folder.path()});
  run.WaitForOutput("ready\n");
  if (stopped) {
    run.Signal(SIGTERM);
  } else {
    run.RunUntil([&] { return Has(run.Get("/v1/status"), R"("state":"backing-off")"); });
    const std::string status = run.Get("/v1/status");
    CHECK(Has(status, R"("last_exit":{"code":134,"signal":6,"oom":false,)"));
    // Where cores go, and whether they do, is the machine's business.
    if (HasFiles(folder.path())) CHECK(Has(status, R"("core_dumped":true)"));
    run.Signal(SIGTERM);
  }
  // It may have been told before it raised the signal.
  const int code = run.Wait();
  CHECK((code == 134 || (stopped && code == 143)));
}

TEST_CASE("the end of the agent's parent stops the process", "[agent][supervision]") {
  AgentRun run;
  AddFlags(run, {"--parent-death", "USR1", "--stop-grace", "2s"});
  run.launcher = {"/bin/sh", "-c", "\"$@\" & read nothing; wait", "sh"};
  run.StartWorkload({"print-signals"});
  run.WaitForOutput("ready\n");
  REQUIRE(ChildrenOf(run.pid).size() == 1);
  const pid_t agent = ChildrenOf(run.pid)[0];
  run.Signal(SIGKILL);
  run.WaitForOutput("10\n");
  // The process does not end on it, so it is killed in time.
  run.RunUntil([&] { return !Lives(agent); });
}

TEST_CASE("piped input is the process's, to its end", "[agent][supervision]") {
  AgentRun run;
  run.launcher = {"/bin/sh", "-c", "printf 'one\\ntwo\\n' | \"$@\"", "sh"};
  run.StartWorkload({"copy-input"});
  CHECK(run.Wait() == 0);
  CHECK(run.out == "one\ntwo\nend of input\n");
}

TEST_CASE("the process is the kernel's choice before the agent", "[agent][supervision]") {
  AgentRun run;
  StartScript(run, "cat /proc/$PPID/oom_score_adj /proc/self/oom_score_adj");
  CHECK(run.Wait() == 0);
  const int agent = std::stoi(run.out);
  const int process = std::stoi(run.out.substr(run.out.find('\n') + 1));
  CHECK((process > agent || agent == 1000));
}

}  // namespace
}  // namespace dunlin
