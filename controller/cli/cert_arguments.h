#pragma once

#include <string>

#include "controller/cli/command.h"
#include "protocol/base/result.h"

namespace CLI {
class App;
}

namespace dunlin::cli {

/// The command line after "dunlin cert". Declared in `parent`, which parses; lives at least as
/// long.
class CertArguments {
 public:
  CertArguments(CLI::App& parent, Common& common);

  /// What was parsed, once its "cert" was. Errors: kInvalidArgument naming the flag.
  Result<Command> Read();

 private:
  void Declare(CLI::App& action, std::string& folder, Common& common);

  CLI::App* cert_;
  CLI::App* init_;
  CLI::App* issue_;
  CLI::App* renew_;
  CertInitCommand init_command_;
  CertIssueCommand issue_command_;
  CertRenewCommand renew_command_;
  // Durations as texts, before they are read.
  std::string init_valid_, issue_valid_, renew_valid_, within_;
  bool all_ = false;
  bool scoped_ = false;
};

}  // namespace dunlin::cli
