// The agent on a terminal, with and without a shell above it.
#include <fcntl.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/net/descriptor.h"
#include "tests/agent/agent_run.h"
#include "tests/support/catch.h"

namespace dunlin {
namespace {

using testing::AgentRun;

bool Has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

/// A session on a terminal of its own, and who sits before it.
struct TerminalRun : AgentRun {
  TerminalRun() : master(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)) {
    REQUIRE(master);
    REQUIRE(grantpt(master.get()) == 0);
    REQUIRE(unlockpt(master.get()) == 0);
    REQUIRE(fcntl(master.get(), F_SETFL, O_NONBLOCK) == 0);
  }

  /// The agent with a process that uses its terminal, as one would type it.
  std::vector<std::string> AgentWords() const {
    std::vector<std::string> words{DUNLIN_AGENT_BINARY};
    words.insert(words.end(), flags.begin(), flags.end());
    words.insert(words.end(), {"--", DUNLIN_WORKLOAD_BINARY, "terminal"});
    return words;
  }

  /// Runs `words` as the first process of the session.
  void Begin(std::vector<std::string> words) {
    const std::string name = ptsname(master.get());
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    pid = fork();
    if (pid == 0) {
      setsid();
      const int terminal = open(name.c_str(), O_RDWR);  // becomes the controlling one
      for (int fd = 0; fd <= 2; ++fd) dup2(terminal, fd);
      execv(arguments[0], arguments.data());
      _exit(99);
    }
    REQUIRE(pid > 0);
  }

  void Type(std::string_view keys) {
    REQUIRE(write(master.get(), keys.data(), keys.size()) == static_cast<ssize_t>(keys.size()));
  }

  void WaitForScreen(std::string_view text) {
    CAPTURE(text);
    RunUntil([&] {
      char buffer[1024];
      const ssize_t got = read(master.get(), buffer, sizeof buffer);
      if (got > 0) screen.append(buffer, static_cast<std::size_t>(got));
      return Has(screen, text);
    });
  }

  int WaitForEnd() {
    RunUntil([this] { return exit.has_value(); });
    return exit->ShellCode();
  }

  net::Descriptor master;
  std::string screen;
};

constexpr std::string_view kEndOfInput = "\x04";
constexpr std::string_view kSuspend = "\x1A";

TEST_CASE("with a terminal the process is its foreground group and sees it change",
          "[agent][terminal]") {
  TerminalRun run;
  run.Begin(run.AgentWords());
  run.WaitForScreen("terminal terminal terminal foreground");
  const winsize size{.ws_row = 31, .ws_col = 97, .ws_xpixel = 0, .ws_ypixel = 0};
  REQUIRE(ioctl(run.master.get(), TIOCSWINSZ, &size) == 0);
  run.WaitForScreen("97x31");
  CHECK(Has(run.Get("/v1/status"), "\"tty\""));
  CHECK(run.collector.durable_lines() == 0);
  run.Type("word\n");
  run.WaitForScreen("word\r\nword");  // its echo, and what the process read
  run.Type(kEndOfInput);
  run.WaitForScreen("end of input");
  CHECK(run.WaitForEnd() == 0);
}

TEST_CASE("without a shell that could continue it, the process is not suspended from its terminal",
          "[agent][terminal]") {
  TerminalRun run;
  run.Begin(run.AgentWords());
  run.WaitForScreen("foreground");
  for (const std::string word : {"one", "two", "three"}) {
    run.Type(kSuspend);
    run.WaitForScreen("^Z");
    run.screen.clear();
    run.Type(word + "\n");
    run.WaitForScreen(word + "\r\n" + word);
  }
  run.Type(kEndOfInput);
  CHECK(run.WaitForEnd() == 0);
}

TEST_CASE("in the background of a terminal that stops writers, the agent writes and is not stopped",
          "[agent][terminal]") {
  TerminalRun run;
  termios settings{};
  REQUIRE(tcgetattr(run.master.get(), &settings) == 0);
  settings.c_lflag |= TOSTOP;
  REQUIRE(tcsetattr(run.master.get(), TCSANOW, &settings) == 0);
  // The port is taken, which the agent says when the process has the terminal already.
  run.flags[3] = run.collector.address().ToString();
  std::vector<std::string> words = run.AgentWords();
  if (GENERATE(false, true)) {
    // Without a shell the kernel makes the write an error instead (its group is an orphaned one).
    words.insert(words.begin(),
                 {"/bin/sh", "-m", "-c", "\"$@\"; echo \"left with $?\"; exit 0", "sh"});
  }
  run.Begin(std::move(words));
  run.WaitForScreen("foreground");
  run.WaitForScreen("no control listener");
  run.Type("word\n");
  run.WaitForScreen("word\r\nword");
  run.Type(kEndOfInput);
  run.WaitForScreen("end of input");
  CHECK(run.WaitForEnd() == 0);
  CHECK((!Has(run.screen, "left with") || Has(run.screen, "left with 0")));
}

TEST_CASE(
    "a process that is suspended from its terminal gives it to the shell, and goes on as a job",
    "[agent][terminal]") {
  TerminalRun run;
  std::vector<std::string> words{
      "/bin/sh", "-m", "-c",
      "\"$@\"; echo \"stopped with $?\"; read answer; echo \"got $answer\";"
      "fg; echo \"ended with $?\"",
      "sh"};
  for (std::string& word : run.AgentWords()) words.push_back(std::move(word));
  run.Begin(std::move(words));
  run.WaitForScreen("foreground");
  run.Type("before\n");
  run.WaitForScreen("before\r\nbefore");
  run.Type(kSuspend);
  run.WaitForScreen("stopped with " + std::to_string(128 + SIGSTOP));
  run.Type("shell\n");
  run.WaitForScreen("got shell");
  run.Type("after\n");
  run.WaitForScreen("after\r\nafter");
  run.Type(kEndOfInput);
  run.WaitForScreen("ended with 0");
  CHECK(run.WaitForEnd() == 0);
}

}  // namespace
}  // namespace dunlin
