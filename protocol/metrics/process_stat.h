#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace dunlin::metrics {

/// What /proc/self/stat says of a process that its metrics need (proc(5)).
struct ProcessStat {
  std::uint64_t cpu_ticks = 0;  // user and system
  std::uint64_t threads = 0;
  std::uint64_t start_ticks = 0;  // since boot
  std::uint64_t virtual_bytes = 0;
  std::uint64_t resident_pages = 0;
};

/// Nothing when `stat` is not such a line. The command name may hold spaces and parentheses.
std::optional<ProcessStat> ParseProcessStat(std::string_view stat);

/// The number after the line that begins with `key`: "btime 1735689600" in /proc/stat.
std::optional<std::uint64_t> ParseKeyedNumber(std::string_view text, std::string_view key);

}  // namespace dunlin::metrics
