#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "controller/cli/arguments.h"
#include "controller/cli/commands.h"

namespace dunlin::cli {
namespace {

/// What the signal handler prints. Written only while SIGINT has its default effect.
char interrupt_note[1024];
volatile std::sig_atomic_t interrupt_note_size = 0;

extern "C" void OnInterrupt(int signal) {
  // Nobody can be told of a failed write here.
  [[maybe_unused]] ssize_t written =
      ::write(STDERR_FILENO, interrupt_note, static_cast<std::size_t>(interrupt_note_size));
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

/// Ctrl-C prints `note`, then ends the program as it would without; an empty one prints nothing.
void SetInterruptNote(std::string note) {
  std::signal(SIGINT, SIG_DFL);
  if (note.empty()) return;
  if (note.size() > sizeof interrupt_note) note.resize(sizeof interrupt_note);
  std::memcpy(interrupt_note, note.data(), note.size());
  interrupt_note_size = static_cast<int>(note.size());
  std::signal(SIGINT, OnInterrupt);
}

bool Pause(std::chrono::nanoseconds duration) {
  std::this_thread::sleep_for(duration);
  return true;
}

struct Run {
  const Context& context;

  ExitStatus operator()(const DeployCommand& command) const { return RunDeploy(context, command); }
  ExitStatus operator()(const StatusCommand& command) const { return RunStatus(context, command); }
  ExitStatus operator()(const QueryCommand& command) const { return RunQuery(context, command); }
  ExitStatus operator()(const LogsCommand& command) const { return RunLogs(context, command); }
  ExitStatus operator()(const DoctorCommand& command) const { return RunDoctor(context, command); }
  ExitStatus operator()(const CertInitCommand& command) const {
    return RunCertInit(context, command);
  }
  ExitStatus operator()(const CertIssueCommand& command) const {
    return RunCertIssue(context, command);
  }
  ExitStatus operator()(const CertRenewCommand& command) const {
    return RunCertRenew(context, command);
  }
};

int Main(const std::vector<std::string>& arguments) {
  StandardTerminal terminal;
  auto parsed =
      ParseArguments(arguments, [](const std::string& name) { return std::getenv(name.c_str()); });
  if (auto* finished = std::get_if<Finished>(&parsed)) {
    terminal.Print(finished->standard_output);
    terminal.PrintError(finished->standard_error);
    return static_cast<int>(finished->status);
  }
  auto& invocation = std::get<Invocation>(parsed);
  Context context{std::move(invocation.common),
                  terminal,
                  SystemClock(),
                  controller::Send,
                  Pause,
                  SetInterruptNote};
  return static_cast<int>(std::visit(Run{context}, invocation.command));
}

}  // namespace
}  // namespace dunlin::cli

int main(int argc, char** argv) {
  return dunlin::cli::Main(std::vector<std::string>(argv + (argc > 0 ? 1 : 0), argv + argc));
}
