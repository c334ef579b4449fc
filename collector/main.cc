#include <signal.h>
#include <sys/resource.h>

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "collector/collector.h"
#include "protocol/base/log.h"
#include "protocol/base/text.h"
#include "protocol/config/program_options.h"
#include "protocol/net/signals.h"

namespace dunlin::collector {
namespace {

using namespace std::chrono_literals;

constexpr int kUsageError = 2;
constexpr auto kStopLimit = 5s;

/// The flags as they are written.
struct Flags {
  CollectorOptions options;
  std::string http = options.http.ToString();
  std::string ingest = options.ingest.ToString();
  std::string log_level = "info";
};

Result<log::Level> ParseLevel(std::string_view name) {
  constexpr std::array<std::pair<std::string_view, log::Level>, 4> kLevels{
      {{"debug", log::Level::kDebug},
       {"info", log::Level::kInfo},
       {"warn", log::Level::kWarn},
       {"error", log::Level::kError}}};
  for (const auto& [level_name, level] : kLevels) {
    if (name == level_name) return level;
  }
  return Error(ErrorCode::kInvalidArgument,
               Join("\"", name, "\" is not one of debug, info, warn, error"));
}

void Declare(config::ProgramOptions& program, Flags& flags) {
  CollectorOptions& o = flags.options;
  program.AddRequired("data", &o.data_dir, "folder of the store; created if missing");
  program.Add("http", &flags.http, "address of the HTTP port: search, push, metrics");
  program.Add("ingest", &flags.ingest, "address of the port for agents");
  program.Add("retention", &o.retention, "how long entries are kept; 0 is for ever");
  program.AddSize("retention-size", &o.retention_bytes,
                  "most bytes of segments kept, the oldest go first; 0 is no limit");
  program.AddSize("min-free", &o.min_free_bytes,
                  "free disk space below which nothing more is stored");
  program.Add("token-file", &o.token_file,
              "file with the token that agents and HTTP clients have to show");
  program.Add("insecure", &o.insecure, "serve other machines without a token");
  program.Add("max-entries", &o.max_entries, "largest limit of a log query");
  program.Add("query-timeout", &o.query_timeout, "after which a query is stopped");
  program.Add("log-level", &flags.log_level, "debug, info, warn or error");
}

Result<void> Interpret(Flags& flags) {
  auto http = net::HostPort::Parse(flags.http);
  if (!http) return std::move(http).error().Wrap("--http");
  flags.options.http = *std::move(http);
  auto ingest = net::HostPort::Parse(flags.ingest);
  if (!ingest) return std::move(ingest).error().Wrap("--ingest");
  flags.options.ingest = *std::move(ingest);
  auto level = ParseLevel(flags.log_level);
  if (!level) return std::move(level).error().Wrap("--log-level");
  log::SetLevel(*level);
  if (flags.options.max_entries == 0) {
    return Error(ErrorCode::kInvalidArgument, "--max-entries has to be at least 1");
  }
  return {};
}

/// Each agent and each segment takes a descriptor; the hard limit is there to be used.
void RaiseDescriptorLimit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

int Run(const CollectorOptions& options) {
  net::Loop loop;
  auto started = Collector::Start(loop, options);
  if (!started) {
    log::Fail("cannot_start", {{"error", started.error().message()}});
    return 1;
  }
  Collector& collector = **started;
  log::Info("serving", {{"http", collector.http_address().ToString()},
                        {"ingest", collector.ingest_address().ToString()},
                        {"data", options.data_dir}});
  bool stopping = false;
  auto stop = [&](int signal) {
    if (std::exchange(stopping, true)) return loop.Stop();  // asked twice: at once
    log::Info("stopping", {{"signal", signal}});
    collector.Stop(kStopLimit, [&] { loop.Stop(); });
  };
  std::optional<net::SignalWatcher> watch_terminate(std::in_place, loop, SIGTERM, stop);
  std::optional<net::SignalWatcher> watch_interrupt(std::in_place, loop, SIGINT, stop);
  net::SignalWatcher watch_hangup(loop, SIGHUP, [&](int) { collector.Reload(); });
  loop.Run();
  // What is in memory is in the WAL too, so a further signal may end the process at once.
  watch_terminate.reset();
  watch_interrupt.reset();
  started = Error(ErrorCode::kCancelled, "stopped");
  log::Info("stopped");
  return 0;
}

}  // namespace
}  // namespace dunlin::collector

int main(int argc, char** argv) {
  using namespace dunlin;
  log::SetProgram("dunlin-collector");
  collector::Flags flags;
  config::ProgramOptions program(
      "dunlin-collector",
      "Stores logs from agents and Loki clients and answers searches in LogQL over HTTP.");
  collector::Declare(program, flags);
  if (auto status = program.Parse(argc, argv)) return *status;
  if (auto good = collector::Interpret(flags); !good) {
    log::Fail("usage", {{"error", good.error().message()}});
    return collector::kUsageError;
  }
  net::IgnoreBrokenPipes();
  collector::RaiseDescriptorLimit();
  return collector::Run(flags.options);
}
