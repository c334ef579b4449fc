#include "collector/flags.h"

#include <array>
#include <string_view>
#include <utility>

#include "protocol/base/text.h"

namespace dunlin::collector {

void Flags::Declare(config::ProgramOptions& program) {
  program.AddRequired("data", &options_.data_dir, "folder of the store; created if missing");
  program.Add("http", &http_, "address of the HTTP port: search, push, metrics");
  program.Add("ingest", &ingest_, "address of the port for agents");
  program.Add("retention", &options_.retention, "how long entries are kept; 0 is for ever");
  program.AddSize("retention-size", &options_.retention_bytes,
                  "most bytes of segments kept, the oldest go first; 0 is no limit");
  program.AddSize("retention-free", &options_.retention_free_bytes,
                  "free disk space for which the oldest segments are deleted; 0 is never");
  program.AddSize("min-free", &options_.min_free_bytes,
                  "free disk space below which nothing more is stored");
  program.Add("token-file", &options_.token_file,
              "file with the token that agents and HTTP clients have to show");
  program.Add("tls-cert", &options_.tls_cert,
              "certificate (PEM) of both ports, which then speak TLS");
  program.Add("tls-key", &options_.tls_key, "its key (PEM)");
  program.Add("tls-client-ca", &options_.tls_client_ca,
              "certificates (PEM) that sign those that agents and HTTP clients have to show");
  program.Add("insecure", &options_.insecure,
              "serve other machines without a token or certificates");
  program.Add("max-agents", &options_.max_agents, "agents connected at once");
  program.Add("max-entries", &options_.max_entries, "largest limit of a log query");
  program.Add("query-timeout", &options_.query_timeout, "after which a query is stopped");
  program.Add("log-level", &log_level_, "debug, info, warn or error");
}

Result<CollectorOptions> Flags::Options() const {
  CollectorOptions options = options_;
  auto http = net::HostPort::Parse(http_);
  if (!http) return std::move(http).error().Wrap("--http");
  options.http = *std::move(http);
  auto ingest = net::HostPort::Parse(ingest_);
  if (!ingest) return std::move(ingest).error().Wrap("--ingest");
  options.ingest = *std::move(ingest);
  if (options.tls_cert.empty() != options.tls_key.empty()) {
    return Error(ErrorCode::kInvalidArgument,
                 "--tls-cert and --tls-key belong together: one of them is missing");
  }
  if (!options.tls_client_ca.empty() && options.tls_cert.empty()) {
    return Error(ErrorCode::kInvalidArgument, "--tls-client-ca needs --tls-cert and --tls-key");
  }
  if (options.retention_free_bytes != 0 && options.retention_free_bytes <= options.min_free_bytes) {
    return Error(ErrorCode::kInvalidArgument,
                 "--retention-free has to be above --min-free, where storing stops");
  }
  if (options.max_agents == 0) {
    return Error(ErrorCode::kInvalidArgument, "--max-agents has to be at least 1");
  }
  if (options.max_entries == 0) {
    return Error(ErrorCode::kInvalidArgument, "--max-entries has to be at least 1");
  }
  if (options.query_timeout <= std::chrono::nanoseconds(0)) {
    return Error(ErrorCode::kInvalidArgument, "--query-timeout has to be above zero");
  }
  return options;
}

Result<log::Level> Flags::LogLevel() const {
  constexpr std::array<std::pair<std::string_view, log::Level>, 4> kLevels{
      {{"debug", log::Level::kDebug},
       {"info", log::Level::kInfo},
       {"warn", log::Level::kWarn},
       {"error", log::Level::kError}}};
  for (const auto& [name, level] : kLevels) {
    if (log_level_ == name) return level;
  }
  return Error(ErrorCode::kInvalidArgument,
               Join("--log-level: \"", log_level_, "\" is not one of debug, info, warn, error"));
}

}  // namespace dunlin::collector
