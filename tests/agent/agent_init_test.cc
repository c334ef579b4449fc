// What one expects of an init for containers, beside the supervision itself.
#include <sys/stat.h>

#include <csignal>
#include <fstream>
#include <string>

#include "tests/agent/agent_run.h"
#include "tests/agent/processes.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

namespace dunlin {
namespace {

using testing::AgentRun;
using testing::ChildrenOf;
using wire::Output;

/// As ps(1) shows it: R, S, T, …
char StateOf(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  std::getline(file, text);
  const std::size_t end = text.rfind(") ");
  REQUIRE(end != std::string::npos);
  return text.at(end + 2);
}

TEST_CASE("a run without trouble says nothing of its own", "[agent][process]") {
  AgentRun run;
  run.StartWorkload({"outputs", "4"});
  CHECK(run.Wait() == 0);
  CHECK(run.out == "0\n2\n");
  CHECK(run.err == "1\n3\n");
}

TEST_CASE("the agent may be the interpreter of a script", "[agent][process]") {
  testing::TempDir folder;
  const std::string script = folder.path() + "/script";
  std::ofstream(script) << "#!" DUNLIN_AGENT_BINARY " /bin/sh\necho as $0; exit 6\n";
  REQUIRE(chmod(script.c_str(), 0755) == 0);
  AgentRun run;
  run.agent = script;
  // A first line has room for one word, so it is the variables that configure.
  run.flags.clear();
  run.variables = {"DUNLIN_COLLECTOR=" + run.collector.address().ToString(),
                   "DUNLIN_LISTEN=127.0.0.1:0"};
  run.Start({});
  CHECK(run.Wait() == 6);
  CHECK(run.out == "as " + script + "\n");
  CHECK(run.collector.Text(Output::kStdout) == run.out);
}

TEST_CASE("an agent around an agent passes everything on, once", "[agent][process]") {
  AgentRun run;
  run.Start({DUNLIN_AGENT_BINARY, "--listen", "127.0.0.1:0", "--", DUNLIN_WORKLOAD_BINARY,
             "print-signals"});
  run.WaitForOutput("ready\n");
  run.Signal(SIGHUP);
  run.WaitForOutput("ready\n1\n");
  run.Signal(SIGTERM);
  run.WaitForOutput("ready\n1\n15\n");
  run.Signal(SIGUSR2);
  CHECK(run.Wait() == 12);
  CHECK(run.collector.Text(Output::kStdout) == run.out);
}

TEST_CASE("a stop signal of the terminal's kind suspends the process, which can be continued",
          "[agent][process]") {
  const int signal = GENERATE(SIGTSTP, SIGTTIN, SIGTTOU);
  AgentRun run;
  run.StartWorkload({"wait"});
  run.WaitForOutput("ready\n");
  const auto children = ChildrenOf(run.pid);
  REQUIRE(children.size() == 1);
  run.Signal(signal);
  run.RunUntil([&] { return StateOf(children[0]) == 'T'; });
  CHECK(StateOf(run.pid) != 'T');
  run.Signal(SIGCONT);
  run.RunUntil([&] { return StateOf(children[0]) != 'T'; });
  run.Signal(SIGTERM);
  CHECK(run.Wait() == 143);
}

}  // namespace
}  // namespace dunlin
