#pragma once

#include <string>

#include "collector/collector.h"
#include "protocol/base/log.h"
#include "protocol/base/result.h"
#include "protocol/config/program_options.h"

namespace dunlin::collector {

/// The flags of dunlin-collector (docs/operations.md). Declare them, let the program options parse,
/// then ask what they mean.
class Flags {
 public:
  /// `program` writes to this object until it has parsed.
  void Declare(config::ProgramOptions& program);

  /// Errors: kInvalidArgument naming the flag.
  Result<CollectorOptions> Options() const;
  Result<log::Level> LogLevel() const;

 private:
  CollectorOptions options_;
  std::string http_ = options_.http.ToString();
  std::string ingest_ = options_.ingest.ToString();
  std::string log_level_ = "info";
};

}  // namespace dunlin::collector
