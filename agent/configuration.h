#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "agent/probe_target.h"
#include "protocol/base/label_set.h"
#include "protocol/base/result.h"
#include "protocol/base/units.h"
#include "protocol/net/address.h"
#include "shipper/queue.h"
#include "shipper/spool_sync.h"

namespace dunlin::agent {

enum class StopMode { kGroup, kLeader };
enum class Restart { kNever, kOnFailure, kAlways };
enum class LiveAction { kNone, kRestart, kExit };
enum class StandardInput { kInherit, kPipe };

/// A signal that arrives as `from` is passed on as `to`, or swallowed.
struct SignalRewrite {
  int from;
  std::optional<int> to;
  friend bool operator==(const SignalRewrite&, const SignalRewrite&) = default;
};

/// The agent ends with `to` where the process ended with `from`.
struct ExitRemap {
  int from;
  int to;
  friend bool operator==(const ExitRemap&, const ExitRemap&) = default;
};

/// When the process is started again, and when that is given up.
struct RestartConfiguration {
  Restart policy = Restart::kNever;
  std::chrono::nanoseconds delay = std::chrono::milliseconds(500);  // the first; then doubling
  std::chrono::nanoseconds max_delay = std::chrono::seconds(30);
  unsigned limit = 10;  // restarts within `window`; 0: any number
  std::chrono::nanoseconds window = std::chrono::minutes(10);
};

struct ProbeConfiguration {
  std::optional<ProbeTarget> target{};  // nothing: no probe
  std::chrono::nanoseconds start_period{0};
  std::chrono::nanoseconds interval;
  std::chrono::nanoseconds timeout = std::chrono::seconds(1);
  std::optional<unsigned> failures{};  // in a row that make it bad; nothing: 3, for log targets 1
  unsigned successes = 1;              // in a row that make it good again
};

/// Everything that flags and environment decide; docs/agent.md, "Flags".
struct Configuration {
  std::vector<net::HostPort> collectors;
  std::string project = "default";
  std::string service;  // empty: the command's base name
  std::string deployment = "none";
  std::string container;  // empty: the host name
  LabelSet labels;
  std::optional<net::HostPort> listen = net::HostPort{"127.0.0.1", 18888};  // nothing: off
  bool insecure = false;
  std::string token;  // of kTokenVariable; --token-file wins
  std::string token_file;
  std::string metrics_token_file;
  std::string tls_ca;
  std::string tls_cert;
  std::string tls_key;
  std::size_t memory_limit = 4_MiB;
  shipper::WhenFull when_full = shipper::WhenFull::kDropOldest;
  std::string spool;  // a folder; empty: none
  std::uint64_t spool_limit = 256_MiB;
  std::chrono::nanoseconds spool_max_age{0};  // 0: any
  shipper::SpoolSync spool_sync = shipper::SpoolSync::kInterval;
  std::size_t batch_bytes = 128_KiB;
  std::chrono::nanoseconds batch_age = std::chrono::seconds(1);
  std::chrono::nanoseconds max_connection_age = std::chrono::minutes(10);  // 0: any
  bool passthrough = true;
  bool merge_outputs = false;
  int stop_signal = 15;
  std::chrono::nanoseconds stop_grace = std::chrono::seconds(10);
  StopMode stop_mode = StopMode::kGroup;
  bool wait_for_all = true;
  std::optional<int> parent_death;  // nothing: the parent's end goes unnoticed
  std::vector<SignalRewrite> signal_rewrites;
  std::vector<ExitRemap> exit_remaps;
  RestartConfiguration restart;
  std::vector<std::string> pre_start;  // empty: none
  std::vector<std::string> post_stop;
  std::chrono::nanoseconds hook_timeout = std::chrono::seconds(10);
  StandardInput standard_input = StandardInput::kInherit;
  ProbeConfiguration ready{.interval = std::chrono::seconds(1)};
  ProbeConfiguration live{.interval = std::chrono::seconds(10)};
  LiveAction live_action = LiveAction::kExit;
  std::optional<std::uint64_t> rate_limit;  // bytes of output per second
  struct User {
    uid_t uid;
    gid_t gid;
    friend bool operator==(const User&, const User&) = default;
  };
  std::optional<User> user;  // nothing: the agent's own
  std::vector<std::string> command;
};

/// Has no flag: command lines are there for everybody to read.
inline constexpr std::string_view kTokenVariable = "DUNLIN_TOKEN";

struct HelpRequested {};
struct VersionRequested {};

using ParsedArguments = std::variant<Configuration, HelpRequested, VersionRequested>;

/// Reads `arguments` (without the program's name) over DUNLIN_* variables of `environment`
/// (NAME=VALUE). A flag beats its variable. Errors: kInvalidArgument with what is wrong and what
/// would be right.
Result<ParsedArguments> ParseArguments(std::span<const std::string_view> arguments,
                                       std::span<const std::string_view> environment);

/// DUNLIN_* variables that configure nothing here; worth a warning, as a flag of that name would be
/// refused.
std::vector<std::string_view> UnknownVariables(std::span<const std::string_view> environment);

/// Standard output of --help.
std::string HelpText();

/// Whether the control listener is safe as configured: loopback, off, with a token,
/// with TLS and client certificates, or --insecure.
/// Errors: kInvalidArgument naming the flag to give.
Result<void> CheckListener(const Configuration& configuration);

}  // namespace dunlin::agent
