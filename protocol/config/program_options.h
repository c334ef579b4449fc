#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "protocol/base/result.h"

namespace dunlin::config {

/// Flags, environment and configuration file of the collector and the controller (the agent has its
/// own, without exceptions). A flag beats the environment, which beats the file, which beats the
/// default. --some-flag is DUNLIN_SOME_FLAG in the environment and some-flag in the TOML file; an
/// unknown key of the file is an error that names it. An empty variable is the same as none.
/// --help, --version and --config FILE are always there. Main thread, before anything else.
class ProgramOptions {
 public:
  ProgramOptions(std::string program, std::string description);
  ~ProgramOptions();

  /// Declares --`name`; `*value` holds the default, shown by --help, and is written by Parse().
  void Add(std::string name, std::string* value, std::string help);
  void Add(std::string name, bool* value, std::string help);
  void Add(std::string name, std::uint64_t* value, std::string help);             // a plain number
  void Add(std::string name, std::chrono::nanoseconds* value, std::string help);  // 10s, 500ms
  void AddSize(std::string name, std::uint64_t* bytes, std::string help);         // 64MiB
  void AddRequired(std::string name, std::string* value, std::string help);

  /// Fills the values. Answers the status to exit with, after printing help, version or what is
  /// wrong (2); nothing when the program should go on.
  std::optional<int> Parse(int argc, char** argv);

  /// What Parse() would exit with and print.
  struct Outcome {
    std::optional<int> exit_status;
    std::string standard_output;
    std::string standard_error;
  };
  /// Parse() without printing; `environment` answers null for an unset variable. `arguments` are
  /// those after the program's name.
  using Environment = std::function<const char*(const std::string& name)>;
  Outcome Evaluate(const std::vector<std::string>& arguments, const Environment& environment);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dunlin::config
