#include <signal.h>

#include <memory>
#include <optional>
#include <utility>

#include "collector/collector.h"
#include "collector/descriptor_limit.h"
#include "collector/flags.h"
#include "protocol/base/log.h"
#include "protocol/config/program_options.h"
#include "protocol/net/signals.h"

namespace dunlin::collector {
namespace {

using namespace std::chrono_literals;

constexpr int kUsageError = 2;
constexpr auto kStopLimit = 5s;

/// Fewer agents when there are not descriptors enough, which is said.
void FitDescriptors(CollectorOptions& options) {
  const std::uint64_t descriptors = RaiseDescriptorLimit();
  const std::size_t agents = AgentsWithin(descriptors, options.max_agents);
  if (agents == options.max_agents) return;
  log::Warn("few_descriptors",
            {{"max_agents", options.max_agents},
             {"served", agents},
             {"limit", descriptors},
             {"needed", DescriptorsFor(options.max_agents)},
             {"raise_with", "ulimit -Hn, LimitNOFILE= of systemd, --ulimit nofile= of docker"}});
  options.max_agents = agents;
}

int Run(const CollectorOptions& options) {
  net::Loop loop;
  auto started = Collector::Start(loop, options);
  if (!started) {
    log::Fail("cannot_start", {{"error", started.error().message()}});
    return 1;
  }
  std::unique_ptr<Collector> collector = *std::move(started);
  log::Info("serving", {{"http", collector->http_address().ToString()},
                        {"ingest", collector->ingest_address().ToString()},
                        {"data", options.data_dir}});
  bool stopping = false;
  auto stop = [&](int signal) {
    if (std::exchange(stopping, true)) return loop.Stop();  // asked twice: at once
    log::Info("stopping", {{"signal", signal}});
    collector->Stop(kStopLimit, [&] { loop.Stop(); });
  };
  std::optional<net::SignalWatcher> watch_terminate(std::in_place, loop, SIGTERM, stop);
  std::optional<net::SignalWatcher> watch_interrupt(std::in_place, loop, SIGINT, stop);
  net::SignalWatcher watch_hangup(loop, SIGHUP, [&](int) { collector->Reload(); });
  loop.Run();
  // What is in memory is in the WAL too, so a further signal may end the process at once.
  watch_terminate.reset();
  watch_interrupt.reset();
  collector.reset();
  log::Info("stopped");
  return 0;
}

int Main(int argc, char** argv) {
  log::SetProgram("dunlin-collector");
  Flags flags;
  config::ProgramOptions program(
      "dunlin-collector",
      "Stores logs from agents and Loki clients and answers searches in LogQL over HTTP.");
  flags.Declare(program);
  if (auto status = program.Parse(argc, argv)) return *status;
  auto options = flags.Options();
  auto level = flags.LogLevel();
  if (!options || !level) {
    log::Fail("usage", {{"error", (options ? level.error() : options.error()).message()}});
    return kUsageError;
  }
  log::SetLevel(*level);
  net::IgnoreBrokenPipes();
  // A file at the limit of its size (ulimit -f) is a full disk, not the end of the process.
  ::signal(SIGXFSZ, SIG_IGN);
  FitDescriptors(*options);
  return Run(*options);
}

}  // namespace
}  // namespace dunlin::collector

int main(int argc, char** argv) { return dunlin::collector::Main(argc, argv); }
