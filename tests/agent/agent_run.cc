#include "tests/agent/agent_run.h"

#include <signal.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <utility>
#include <variant>

#include "protocol/net/connection.h"
#include "tests/agent/processes.h"
#include "tests/support/catch.h"
#include "tests/support/loop_runner.h"

namespace dunlin::testing {

/// Reads one output of the agent as it comes.
struct AgentRun::Pipe {
  Pipe(net::Loop& loop, net::Descriptor d, std::string& into)
      : descriptor(std::move(d)), text(into), watcher(loop, descriptor.get(), [this] { Read(); }) {
    watcher.Start();
  }
  void Read() {
    std::array<char, 65536> buffer;
    ssize_t got = 0;
    while ((got = read(descriptor.get(), buffer.data(), buffer.size())) > 0) {
      text.append(buffer.data(), static_cast<std::size_t>(got));
    }
    if (got == 0) watcher.Stop();
  }

  net::Descriptor descriptor;
  std::string& text;
  net::DescriptorWatcher watcher;
};

AgentRun::AgentRun()
    : reaper_(loop, [this](pid_t reaped, net::ExitStatus status) {
        if (reaped != pid) return;
        exit = status;
        ended = SystemClock().Steady();
      }) {
  agent = DUNLIN_AGENT_BINARY;
  flags = {"--collector", collector.address().ToString(),
           "--listen",    "127.0.0.1:0",
           "--batch-age", "20ms",
           "--container", "tested"};
}

AgentRun::~AgentRun() {
  if (pid != 0 && !exit) Kill();
  for (const pid_t orphan : orphans_) kill(orphan, SIGKILL);
}

void AgentRun::Start(const std::vector<std::string>& command) {
  net::SpawnOptions options;
  options.arguments = launcher;
  options.arguments.push_back(agent);
  options.arguments.insert(options.arguments.end(), flags.begin(), flags.end());
  options.arguments.push_back("--");
  options.arguments.insert(options.arguments.end(), command.begin(), command.end());
  options.environment.emplace();
  for (char** variable = environ; *variable != nullptr; ++variable) {
    options.environment->push_back(*variable);
  }
  options.environment->insert(options.environment->end(), variables.begin(), variables.end());
  started = SystemClock().Steady();
  auto spawned = net::Spawn(options);
  REQUIRE(std::holds_alternative<net::ChildProcess>(spawned));
  auto& child = std::get<net::ChildProcess>(spawned);
  pid = child.pid;
  if (read_output) {
    pipes_[0] = std::make_unique<Pipe>(loop, std::move(child.standard_output), out);
  } else {
    [[maybe_unused]] int kept_open = child.standard_output.Release();
  }
  pipes_[1] = std::make_unique<Pipe>(loop, std::move(child.standard_error), err);
  reaper_.Poll();
}

void AgentRun::StartWorkload(const std::vector<std::string>& arguments) {
  std::vector<std::string> command{DUNLIN_WORKLOAD_BINARY};
  command.insert(command.end(), arguments.begin(), arguments.end());
  Start(command);
}

void AgentRun::Signal(int signal) {
  if (signal == SIGKILL) return Kill();
  REQUIRE(kill(pid, signal) == 0);
}

/// The agent at once; what it ran stays for as long as the test.
void AgentRun::Kill() {
  const std::vector<pid_t> ran = DescendantsOf(pid);
  orphans_.insert(orphans_.end(), ran.begin(), ran.end());
  kill(pid, SIGKILL);
}

void AgentRun::RunUntil(const std::function<bool()>& done, std::chrono::seconds limit) {
  testing::RunUntil(loop, done, limit);
}

int AgentRun::Wait(std::chrono::seconds limit) {
  RunUntil([this] { return exit.has_value(); }, limit);
  for (auto& pipe : pipes_) {
    if (pipe) pipe->Read();
  }
  return exit->ShellCode();
}

bool AgentRun::NotPossibleHere() const {
  if (!exit || exit->code != 77) return false;
  WARN("skipped: " << err);
  return true;
}

void AgentRun::WaitForOutput(std::string_view text) {
  RunUntil([&] { return out.find(text) != std::string::npos; });
}

net::HostPort AgentRun::ControlAddress() {
  RunUntil([this] { return !collector.hellos.empty(); });
  // One that delivers what another has left behind gives no address for that one.
  auto hello = collector.hellos.rbegin();
  while (hello->metrics_address.empty() && std::next(hello) != collector.hellos.rend()) ++hello;
  auto address = net::HostPort::Parse(hello->metrics_address);
  REQUIRE(address);
  return *address;
}

std::string AgentRun::Http(const std::string& request_line, const std::string& headers,
                           const std::string& body) {
  const net::HostPort address = ControlAddress();
  std::string answer;
  bool done = false;
  std::unique_ptr<net::Connection> connection;
  auto connector = net::Connector::Connect(
      loop, address, std::chrono::seconds(20),
      [&](Result<std::unique_ptr<net::Connection>> got) {
        if (!got) {
          answer = got.error().message();
          done = true;
          return;
        }
        connection = std::move(*got);
        connection->on_data = [&](std::string_view bytes) { answer += bytes; };
        connection->on_close = [&](std::optional<Error>) { done = true; };
        connection->StartReading();
        connection->Write(request_line + " HTTP/1.1\r\nHost: agent\r\nConnection: close\r\n" +
                          headers + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
                          body);
      },
      tls);
  RunUntil([&] { return done; });
  return answer;
}

double AgentRun::Metric(const std::string& exposition, const std::string& series) {
  const std::string begin = "\n" + series + " ";
  std::size_t at = exposition.find(begin);
  CAPTURE(series);
  REQUIRE(at != std::string::npos);
  return std::strtod(exposition.c_str() + at + begin.size(), nullptr);
}

}  // namespace dunlin::testing
