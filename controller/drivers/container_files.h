#pragma once

/// What lies in a local container's folder, shared by the driver and dunlin-keeper
/// (docs/controller.md, "Local driver").
namespace dunlin::controller::files {

inline constexpr char kPlan[] = "plan.json";  // who it is and what it runs, for people
inline constexpr char kWork[] = "work";       // its working directory, unless the spec names one
inline constexpr char kLock[] = "lock";       // locked by the keeper as long as it lives
inline constexpr char kAgent[] = "agent";     // "PID START_TICKS SESSION BOOT_ID", by the agent's
                                              // process before exec
inline constexpr char kOutput[] = "output";   // the last bytes of output, written at the end
inline constexpr char kExit[] = "exit";       // "exited CODE" or "killed SIGNAL", written last
inline constexpr char kKeeperLog[] = "keeper.log";  // why a start failed

/// How much output the keeper holds and writes at the end.
inline constexpr unsigned kOutputBytes = 64 * 1024;

}  // namespace dunlin::controller::files
