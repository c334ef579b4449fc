#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dunlin::controller {

/// A process named so that a later one with the same number cannot be taken for it: number, start
/// time in clock ticks after boot, and which boot.
struct ProcessIdentity {
  pid_t pid = 0;
  std::uint64_t start_ticks = 0;
  pid_t session = 0;
  std::string boot_id;

  friend bool operator==(const ProcessIdentity&, const ProcessIdentity&) = default;
};

/// Reads "PID START_TICKS SESSION BOOT_ID".
std::optional<ProcessIdentity> ParseProcessIdentity(std::string_view text);

/// What /proc/PID/stat says of one process.
struct ProcessStat {
  pid_t pid = 0;
  char state = '?';  // Z: ended, not yet reaped
  pid_t parent = 0;
  pid_t session = 0;
  std::uint64_t start_ticks = 0;
};

std::optional<ProcessStat> ParseProcessStat(std::string_view text);
std::optional<ProcessStat> ReadProcessStat(pid_t pid);

/// The kernel's name for the present boot.
std::string BootId();

/// Whether that very process runs now. One that has ended but is not reaped does not.
bool IsRunning(const ProcessIdentity& process);

/// Kills, without warning, the process, what descends from it and what else is in its session, the
/// session's leader aside. Processes that are not its own are safe: they are older, or elsewhere.
void KillFamily(const ProcessIdentity& process);

}  // namespace dunlin::controller
