#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "controller/cli/cert_command.h"
#include "protocol/base/clock.h"

namespace dunlin::cli {

/// What `dunlin` tells its caller (docs/cli.md).
enum class ExitStatus {
  kOk = 0,           // done; the deployment is HEALTHY
  kFailed = 1,       // the deployment failed, or the request did
  kUsage = 2,        // the command line, or what it asks for, is wrong
  kCancelled = 3,    // the deployment was cancelled or superseded
  kUnreachable = 4,  // controller or collector does not answer
  kRefused = 5,      // 401, 403
  kTimedOut = 6,     // waited long enough; the deployment goes on
  kConflict = 7,     // 409
};

/// Where to send requests, and how to answer.
struct Common {
  std::string controller_url = "http://127.0.0.1:18880";
  std::string collector_url = "http://127.0.0.1:3100";
  std::string agent_url = "127.0.0.1:18888";  // of doctor
  std::string token_file;                     // empty: no token
  std::string tls_ca, tls_cert, tls_key;      // for https; empty: none
  bool json = false;
};

/// A moment given as a time or as how long ago.
struct Moment {
  std::optional<LogTime> at;
  std::chrono::nanoseconds ago{0};

  LogTime Resolve(LogTime now) const { return at ? *at : now - ago; }
  friend bool operator==(const Moment&, const Moment&) = default;
};

/// PUT /deploys/{service}. What is absent is left as the service has it.
struct DeployCommand {
  std::string service;
  std::string project;               // empty: the controller's default
  std::vector<std::string> command;  // empty: deploy again what the service has
  std::vector<std::pair<std::string, std::string>> env;
  std::optional<std::uint16_t> port;
  std::optional<std::chrono::nanoseconds> min_healthy;
  std::string message;
  bool wait = true;
  std::chrono::nanoseconds timeout = std::chrono::minutes(10);  // of the wait
};

/// All services, or the deployments of one.
struct StatusCommand {
  std::string service;  // empty: all
  std::string project;
};

/// One LogQL query.
struct QueryCommand {
  std::string query;
  std::optional<Moment> from;
  std::optional<Moment> to;
  std::uint64_t limit = 100;
  bool forward = false;  // oldest first
  bool raw = false;      // lines alone
  std::optional<std::chrono::nanoseconds> step;
};

/// The latest lines of one service, and with `follow` those that come.
struct LogsCommand {
  std::string service;
  std::string project;
  bool follow = false;
  bool raw = false;  // lines alone
  Moment since{std::nullopt, std::chrono::hours(24)};
  std::uint64_t limit = 100;
};

/// Where the lines of one agent are, and why they are not moving.
struct DoctorCommand {};

using Command = std::variant<DeployCommand, StatusCommand, QueryCommand, LogsCommand, DoctorCommand,
                             CertInitCommand, CertIssueCommand, CertRenewCommand>;

}  // namespace dunlin::cli
