#pragma once

#include <algorithm>
#include <chrono>

#include "protocol/base/clock.h"

namespace dunlin::agent {

/// The one deadline of a stop, cut into parts: docs/agent.md, "Stopping". What the container's
/// runtime waits between its stop signal and SIGKILL cannot be seen from inside, so it is
/// configuration. With a grace under five seconds the parts shrink with it.
struct StopPlan {
  SteadyTime kill_at;   // SIGKILL to the process, its group and what it left behind
  SteadyTime sweep_at;  // what was told to end only after kill_at is killed
  SteadyTime hook_at;   // the last moment of the post-stop hook
  SteadyTime flush_at;  // the last moment to send

  static StopPlan For(std::chrono::nanoseconds grace, SteadyTime begin) {
    using std::chrono::nanoseconds;
    constexpr std::chrono::milliseconds kBeforeEnd{2500};
    constexpr std::chrono::milliseconds kToLeave{700};
    const nanoseconds kill_after = grace - std::min<nanoseconds>(kBeforeEnd, grace / 2);
    const nanoseconds flush_until = grace - std::min<nanoseconds>(kToLeave, grace / 5);
    const nanoseconds third = (flush_until - kill_after) / 3;
    return {.kill_at = begin + kill_after,
            .sweep_at = begin + kill_after + third,
            .hook_at = begin + flush_until - third,
            .flush_at = begin + flush_until};
  }

  /// Both kept: each part ends at the earlier of the two moments.
  static StopPlan Earlier(const StopPlan& a, const StopPlan& b) {
    return {.kill_at = std::min(a.kill_at, b.kill_at),
            .sweep_at = std::min(a.sweep_at, b.sweep_at),
            .hook_at = std::min(a.hook_at, b.hook_at),
            .flush_at = std::min(a.flush_at, b.flush_at)};
  }

  friend bool operator==(const StopPlan&, const StopPlan&) = default;
};

}  // namespace dunlin::agent
