#include <unistd.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "agent/agent.h"
#include "agent/allocator.h"
#include "agent/configuration.h"
#include "agent/credentials.h"
#include "agent/standard_outputs.h"
#include "protocol/base/clock.h"
#include "protocol/base/environment.h"
#include "protocol/base/log.h"
#include "protocol/base/text.h"
#include "protocol/net/loop.h"
#include "protocol/net/signals.h"

namespace {

constexpr int kUsageError = 2;

/// Requests and acknowledgements are small, and a client that sends requests without reading their
/// answers makes the agent keep what it has read of them.
constexpr std::size_t kReadBytes = 16 * 1024;

void Print(int fd, std::string_view text) {
  [[maybe_unused]] ssize_t written = write(fd, text.data(), text.size());
}

int RefuseUsage(const dunlin::Error& error) {
  Print(STDERR_FILENO,
        dunlin::Join("dunlin-agent: ", error.message(), "\nTry dunlin-agent --help.\n"));
  return kUsageError;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace dunlin;
  // First of all: as PID 1 what came earlier than its handler would be lost.
  net::HoldSignals();
  agent::ConfigureAllocator();
  std::vector<std::string_view> arguments(argv + 1, argv + argc);
  std::vector<std::string_view> environment;
  for (char** variable = environ; *variable != nullptr; ++variable)
    environment.push_back(*variable);

  auto parsed = agent::ParseArguments(arguments, environment);
  if (!parsed) return RefuseUsage(parsed.error());
  if (std::holds_alternative<agent::HelpRequested>(*parsed)) {
    Print(STDOUT_FILENO, agent::HelpText());
    return 0;
  }
  if (std::holds_alternative<agent::VersionRequested>(*parsed)) {
    Print(STDOUT_FILENO, "dunlin-agent " DUNLIN_VERSION "\n");
    return 0;
  }
  auto& configuration = std::get<agent::Configuration>(*parsed);
  EraseVariable(agent::kTokenVariable);
  DetachEnvironment();
  if (auto safe = agent::CheckListener(configuration); !safe) return RefuseUsage(safe.error());
  auto credentials = agent::LoadCredentials(configuration);
  if (!credentials) return RefuseUsage(credentials.error());

  agent::StandardOutputs outputs;
  // From here on, a log that nobody reads any more is an error and not the end.
  net::Loop loop(kReadBytes);
  log::SetDescriptor(outputs.destination(wire::Output::kStderr));
  log::SetProgram("dunlin-agent");
  for (std::string_view name : agent::UnknownVariables(environment)) {
    log::Warn("unknown environment variable is ignored", {{"name", name}});
  }
  if (configuration.insecure && configuration.listen && !configuration.listen->is_loopback()) {
    log::Warn("the control listener is open to everybody who can reach it",
              {{"address", configuration.listen->ToString()}});
  }
  if (configuration.insecure && !configuration.collectors.empty() &&
      !configuration.tls_cert.empty() && configuration.tls_ca.empty()) {
    log::Warn("lines and token go to the collector in the clear: there is no --tls-ca", {});
  }
  agent::Agent agent(loop, SystemClock(), outputs, std::move(configuration),
                     std::move(*credentials));
  const int code = agent.Run();
  // A disk that does not answer must not keep the container.
  if (agent.disk_busy()) _exit(code);
  return code;
}
