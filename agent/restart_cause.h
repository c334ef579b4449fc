#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace dunlin::agent {

/// Why the process was started again: dunlin_agent_restarts_total{cause}.
enum class RestartCause : std::uint8_t {
  kExit,     // it exited
  kSignal,   // a signal ended it
  kOom,      // the kernel killed it for want of memory
  kHealth,   // its live probe failed
  kCommand,  // somebody asked for it
};

inline constexpr std::array kRestartCauses{RestartCause::kExit, RestartCause::kSignal,
                                           RestartCause::kOom, RestartCause::kHealth,
                                           RestartCause::kCommand};

constexpr std::string_view RestartCauseName(RestartCause cause) {
  switch (cause) {
    case RestartCause::kExit:
      return "exit";
    case RestartCause::kSignal:
      return "signal";
    case RestartCause::kOom:
      return "oom";
    case RestartCause::kHealth:
      return "health";
    case RestartCause::kCommand:
      return "command";
  }
  return "unknown";
}

/// Indexed by cause.
using RestartsByCause = std::array<std::uint64_t, kRestartCauses.size()>;

}  // namespace dunlin::agent
