#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace dunlin::shipper {

/// Why captured lines will not be stored: the values of dunlin_agent_lines_dropped_total{reason}
/// and of a gap's reason.
enum class DropReason : std::uint8_t {
  kMemoryFull,
  kRejected,
  kShutdown,
  kNoCollector,
  kRateLimit,
  kSpoolFull,  // the oldest on disk made room for the newest
  kSpoolIo,    // the disk failed: they were not written, or could not be read
  kTooOld,     // on disk for longer than --spool-max-age
  kTooLarge,   // their batch is larger than the collector takes
};

inline constexpr std::array kDropReasons{
    DropReason::kMemoryFull,  DropReason::kRejected,  DropReason::kShutdown,
    DropReason::kNoCollector, DropReason::kRateLimit, DropReason::kSpoolFull,
    DropReason::kSpoolIo,     DropReason::kTooOld,    DropReason::kTooLarge};

constexpr std::string_view DropReasonName(DropReason reason) {
  switch (reason) {
    case DropReason::kMemoryFull:
      return "mem_full";
    case DropReason::kRejected:
      return "rejected";
    case DropReason::kShutdown:
      return "shutdown";
    case DropReason::kNoCollector:
      return "no_collector";
    case DropReason::kRateLimit:
      return "rate_limit";
    case DropReason::kSpoolFull:
      return "spool_full";
    case DropReason::kSpoolIo:
      return "spool_io";
    case DropReason::kTooOld:
      return "too_old";
    case DropReason::kTooLarge:
      return "too_large";
  }
  return "unknown";
}

struct Dropped {
  std::uint64_t lines = 0;
  std::uint64_t bytes = 0;
  friend bool operator==(const Dropped&, const Dropped&) = default;
};

/// Indexed by reason.
using DroppedByReason = std::array<Dropped, kDropReasons.size()>;

}  // namespace dunlin::shipper
