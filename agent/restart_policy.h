#pragma once

#include <chrono>
#include <deque>

#include "agent/configuration.h"
#include "agent/restart_cause.h"
#include "protocol/base/clock.h"

namespace dunlin::agent {

/// Decides whether a process that has ended is started again, and after which pause. Pure: times
/// come with the events.
///
/// The pause doubles with each restart up to the longest one and begins anew once the process has
/// run for as long as that. Restarts within the window are counted; when they are used up, what
/// ended stays ended. A restart that somebody asked for has no pause and is not counted.
class RestartPolicy {
 public:
  enum class Verdict {
    kRestart,
    kEnd,        // as configured
    kExhausted,  // it would be started again, but for the limit
  };
  struct Decision {
    Verdict verdict;
    std::chrono::nanoseconds pause{0};
    friend bool operator==(const Decision&, const Decision&) = default;
  };

  explicit RestartPolicy(RestartConfiguration configuration)
      : configuration_(configuration), next_pause_(configuration.delay) {}

  void OnStarted(SteadyTime now) { started_at_ = now; }
  /// `code` is the agent's exit code, should this be the end.
  Decision OnEnded(RestartCause cause, int code, SteadyTime now);

 private:
  bool IsWanted(RestartCause cause, int code) const;

  RestartConfiguration configuration_;
  std::chrono::nanoseconds next_pause_;
  SteadyTime started_at_{};
  std::deque<SteadyTime> restarts_;  // within the window
};

}  // namespace dunlin::agent
