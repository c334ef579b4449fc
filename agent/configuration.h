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

#include "protocol/base/label_set.h"
#include "protocol/base/result.h"
#include "protocol/base/units.h"
#include "protocol/net/address.h"
#include "shipper/queue.h"

namespace dunlin::agent {

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
  std::string token_file;
  std::size_t memory_limit = 4_MiB;
  shipper::WhenFull when_full = shipper::WhenFull::kDropOldest;
  std::size_t batch_bytes = 128_KiB;
  std::chrono::nanoseconds batch_age = std::chrono::seconds(1);
  bool passthrough = true;
  bool merge_outputs = false;
  int stop_signal = 15;
  std::chrono::nanoseconds stop_grace = std::chrono::seconds(10);
  struct User {
    uid_t uid;
    gid_t gid;
    friend bool operator==(const User&, const User&) = default;
  };
  std::optional<User> user;  // nothing: the agent's own
  std::vector<std::string> command;
};

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

/// A signal by name ("TERM", "SIGTERM") or number, or nothing.
std::optional<int> ParseSignal(std::string_view text);

/// Whether the control listener is safe as configured: loopback, off, with a token, or --insecure.
/// Errors: kInvalidArgument naming the flag to give.
Result<void> CheckListener(const Configuration& configuration);

}  // namespace dunlin::agent
