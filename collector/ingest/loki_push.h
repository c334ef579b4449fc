#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "collector/metrics/collector_metrics.h"
#include "protocol/base/clock.h"
#include "protocol/base/result.h"
#include "protocol/base/units.h"

namespace dunlin::ingest {

/// Loki's defaults, more generous where that is safe.
struct PushLimits {
  std::size_t labels = 30;  // of a stream
  std::size_t label_name_bytes = 1024;
  std::size_t label_value_bytes = 2048;
  std::size_t line_bytes = 1_MiB;  // as the agent's hard limit
  std::size_t metadata_bytes = 64_KiB;
  std::size_t metadata_pairs = 128;
  std::chrono::nanoseconds max_future = std::chrono::minutes(10);
};

/// What a push body holds, ready to be stored.
struct DecodedPush {
  std::string payload;  // of format kEntries: the good entries, enriched with detected_level
  std::uint64_t entries = 0;
  std::uint64_t line_bytes = 0;

  struct Rejected {
    collector::RejectReason reason;
    std::uint64_t entries;
  };
  std::vector<Rejected> rejected;
  std::string first_fault;  // a sentence for the sender, when anything was rejected

  std::uint64_t rejected_entries() const;
};

/// Reads the JSON body of POST /loki/api/v1/push. An entry or stream that breaks a rule is rejected
/// alone; a body that is not of this shape is rejected whole. Errors: kInvalidArgument naming what
/// and where.
Result<DecodedPush> DecodeLokiPushJson(std::string_view body, LogTime now,
                                       const PushLimits& limits = {});

}  // namespace dunlin::ingest
