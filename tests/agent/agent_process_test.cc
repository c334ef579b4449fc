// The agent as a process: what a container's runtime and its user see of it.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <string>

#include "tests/agent/agent_run.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

namespace dunlin {
namespace {

using namespace std::chrono_literals;
using testing::AgentRun;
using wire::Output;

TEST_CASE("the agent exits with the code of its process", "[agent][process]") {
  const int code = GENERATE(0, 1, 42, 126, 127, 255);
  AgentRun run;
  run.StartWorkload({"exit", std::to_string(code)});
  CHECK(run.Wait() == code);
}

TEST_CASE("death by a signal becomes 128 and its number", "[agent][process]") {
  const int signal = GENERATE(SIGKILL, SIGTERM, SIGUSR1);
  AgentRun run;
  run.StartWorkload({"raise", std::to_string(signal)});
  CHECK(run.Wait() == 128 + signal);
}

TEST_CASE("a command that cannot run gives 127 or 126, and a line that says why is shipped",
          "[agent][process]") {
  AgentRun run;
  SECTION("not there") {
    run.Start({"/no/such/program"});
    CHECK(run.Wait() == 127);
    CHECK(run.collector.Text(Output::kStderr).find("/no/such/program") != std::string::npos);
  }
  SECTION("without its interpreter") {
    testing::TempDir folder;
    const std::string script = folder.path() + "/script";
    std::ofstream(script) << "#!/no/such/interpreter\n";
    REQUIRE(chmod(script.c_str(), 0755) == 0);
    run.Start({script});
    CHECK(run.Wait() == 127);
    CHECK(run.collector.Text(Output::kStderr).find("interpreter") != std::string::npos);
  }
  SECTION("of no known format") {
    testing::TempDir folder;
    const std::string file = folder.path() + "/file";
    std::ofstream(file) << "\1\2\3\4";
    REQUIRE(chmod(file.c_str(), 0755) == 0);
    run.Start({file});
    CHECK(run.Wait() == 126);
    CHECK(run.collector.Text(Output::kStderr).find("format") != std::string::npos);
  }
  SECTION("not executable") {
    run.Start({"/etc/passwd"});
    CHECK(run.Wait() == 126);
    CHECK(run.collector.Text(Output::kStderr).find("ermission denied") != std::string::npos);
  }
  CHECK(run.err.find("level=error") != std::string::npos);
}

TEST_CASE("a usage error is 2 and names the flag", "[agent][process]") {
  AgentRun run;
  run.flags = {"--bogus"};
  run.Start({"true"});
  CHECK(run.Wait() == 2);
  CHECK(run.err.find("--bogus") != std::string::npos);
}

TEST_CASE("every signal that can be passed on reaches the process", "[agent][process]") {
  AgentRun run;
  run.StartWorkload({"print-signals"});
  run.WaitForOutput("ready\n");
  std::string want = "ready\n";
  for (int signal = 1; signal <= SIGRTMAX; ++signal) {
    switch (signal) {
      case SIGKILL:
      case SIGSTOP:
      case SIGCHLD:
      case SIGSEGV:
      case SIGBUS:
      case SIGFPE:
      case SIGILL:
      case SIGABRT:
      case SIGTRAP:
      case SIGSYS:
      case SIGTERM:  // a stop
      case SIGINT:
      case SIGUSR2:  // the end
        continue;
      default:
        if (signal > 31 && signal < SIGRTMIN) continue;
    }
    CAPTURE(signal);
    run.Signal(signal);
    want += std::to_string(signal) + "\n";
    run.WaitForOutput(want);
  }
  run.Signal(SIGUSR2);
  CHECK(run.Wait() == 12);
  CHECK(run.out == want + "12\n");  // each of them once
}

TEST_CASE("an interrupt reaches the process as such and begins its stop", "[agent][process]") {
  AgentRun run;
  run.StartWorkload({"print-signals"});
  run.WaitForOutput("ready\n");
  run.Signal(SIGINT);
  run.WaitForOutput("ready\n2\n18\n");  // and continued, had it been stopped
  CHECK(run.Get("/v1/status").find(R"("state":"stopping")") != std::string::npos);
  run.Signal(SIGUSR2);
  CHECK(run.Wait() == 12);
  CHECK(run.out == "ready\n2\n18\n12\n");
}

TEST_CASE("a term stops the process in good order", "[agent][process]") {
  AgentRun run;
  run.StartWorkload({"print-signals"});
  run.WaitForOutput("ready\n");
  run.Signal(SIGTERM);
  run.WaitForOutput("15\n");
  run.Signal(SIGUSR2);
  CHECK(run.Wait() == 12);
  CHECK(run.collector.Text(Output::kStdout) == run.out);
}

TEST_CASE("the stop signal may be another one", "[agent][process]") {
  AgentRun run;
  run.flags.insert(run.flags.end(), {"--stop-signal", "USR2"});
  run.StartWorkload({"print-signals"});
  run.WaitForOutput("ready\n");
  run.Signal(SIGTERM);
  CHECK(run.Wait() == 12);
}

TEST_CASE("a process that ignores the stop is killed in time", "[agent][process]") {
  AgentRun run;
  run.flags.insert(run.flags.end(), {"--stop-grace", "4s"});
  run.StartWorkload({"ignore-term"});
  run.WaitForOutput("ready\n");
  auto begin = SystemClock().Steady();
  run.Signal(SIGTERM);
  CHECK(run.Wait() == 137);
  CHECK(run.ended - begin >= 1950ms);
  CHECK(run.ended - begin < 4s);
}

TEST_CASE("a second stop signal does not wait", "[agent][process]") {
  AgentRun run;
  run.StartWorkload({"ignore-term"});
  run.WaitForOutput("ready\n");
  auto begin = SystemClock().Steady();
  run.Signal(SIGTERM);
  // One signal at a time: two of a kind may arrive as one.
  run.RunUntil([&] { return run.Get("/v1/status").find("stopping") != std::string::npos; });
  run.Signal(SIGTERM);
  CHECK(run.Wait() == 137);
  CHECK(run.ended - begin < 5s);
}

TEST_CASE("a stopped process can act on its stop", "[agent][process]") {
  AgentRun run;
  run.StartWorkload({"stop-itself"});
  run.WaitForOutput("ready\n");
  run.Signal(SIGTERM);
  CHECK(run.Wait() == 9);
}

TEST_CASE("a descendant that holds the outputs does not hold up the end", "[agent][process]") {
  AgentRun run;
  const bool busy = GENERATE(false, true);
  run.StartWorkload({busy ? "busy-grandchild" : "grandchild"});
  CHECK(run.Wait() == 3);
  CHECK(run.ended - run.started < 3s);
  // And is not left behind.
  const int grandchild = std::stoi(run.out);
  run.RunUntil([&] { return kill(grandchild, 0) != 0; });
}

TEST_CASE("the process runs as the user asked for and may open its outputs again",
          "[agent][process]") {
  if (geteuid() != 0) {
    WARN("skipped: only root may become another user");
    return;
  }
  AgentRun run;
  run.flags.insert(run.flags.end(), {"--user", "65534:65533"});
  run.Start({"/bin/sh", "-c", "id -u; id -g; id -G; echo again > /dev/stdout"});
  CHECK(run.Wait() == 0);
  CHECK(run.out == "65534\n65533\n65533\nagain\n");
}

TEST_CASE("the environment is passed on as it is", "[agent][process]") {
  AgentRun run;
  run.variables = {"DUNLIN_DEPLOYMENT=from-env", "UV_THREADPOOL_SIZE=7"};
  run.Start({"/bin/sh", "-c", "echo $DUNLIN_DEPLOYMENT $UV_THREADPOOL_SIZE"});
  CHECK(run.Wait() == 0);
  CHECK(run.out == "from-env 7\n");
  CHECK(run.collector.hellos.at(0).deployment == "from-env");
}

TEST_CASE("a collector that is away holds up neither start nor output", "[agent][process]") {
  AgentRun run;
  run.collector.CloseListener();
  run.flags.insert(run.flags.end(), {"--stop-grace", "1s"});
  run.StartWorkload({"wait"});
  run.WaitForOutput("ready\n");
  CHECK(SystemClock().Steady() - run.started < 10s);
  run.Signal(SIGTERM);
  CHECK(run.Wait() == 143);
  CHECK(run.ended - run.started < 12s);
  CHECK(run.err.find("lines were not delivered") != std::string::npos);
}

TEST_CASE("without a collector the agent captures and passes through only", "[agent][process]") {
  AgentRun run;
  run.flags = {"--listen", "off"};
  run.StartWorkload({"lines", "1000"});
  CHECK(run.Wait() == 0);
  CHECK(run.out.ends_with("line 999 of some length\n"));
}

TEST_CASE("a control port that is taken does not keep the process from running",
          "[agent][process]") {
  AgentRun run;
  run.flags = {"--listen", run.collector.address().ToString()};
  run.StartWorkload({"exit", "5"});
  CHECK(run.Wait() == 5);
  CHECK(run.err.find("no control listener") != std::string::npos);
  CHECK(run.err.find("in use") != std::string::npos);
}

}  // namespace
}  // namespace dunlin
