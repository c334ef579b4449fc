#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace dunlin::cli {

/// Makes the authority of an installation.
struct CertInitCommand {
  std::string folder = "certs";
  std::string name = "dunlin CA";
  std::chrono::nanoseconds valid = std::chrono::days(3650);
  bool force = false;  // even if there is one
};

/// Makes a key and a certificate for one program.
struct CertIssueCommand {
  std::string folder = "certs";
  std::string role;                // agent, collector, controller, metrics
  std::string name;                // of its files and its subject
  std::vector<std::string> hosts;  // names and addresses under which it is reached
  // What an agent may call itself; * is anything.
  std::string project = "default";
  std::string service = "*";
  std::string container = "*";
  std::chrono::nanoseconds valid = std::chrono::days(365);
  bool force = false;  // even if there is one of that name
};

/// Makes certificates last longer.
struct CertRenewCommand {
  std::string folder = "certs";
  std::vector<std::string> names;                  // empty: all but the authority
  std::optional<std::chrono::nanoseconds> within;  // only those that end within this time
  std::optional<std::chrono::nanoseconds> valid;   // else as long as before
  bool new_key = false;
  bool force = false;  // even what another authority has signed
};

}  // namespace dunlin::cli
