#include "agent/restart_policy.h"

#include <algorithm>
#include <utility>

namespace dunlin::agent {

RestartPolicy::Decision RestartPolicy::OnEnded(RestartCause cause, int code, SteadyTime now) {
  if (cause == RestartCause::kCommand) return {Verdict::kRestart};
  if (!IsWanted(cause, code)) return {Verdict::kEnd};
  while (!restarts_.empty() && now - restarts_.front() >= configuration_.window) {
    restarts_.pop_front();
  }
  if (configuration_.limit != 0) {
    if (restarts_.size() >= configuration_.limit) return {Verdict::kExhausted};
    restarts_.push_back(now);
  }
  if (now - started_at_ >= configuration_.max_delay) next_pause_ = configuration_.delay;
  next_pause_ = std::min(next_pause_, configuration_.max_delay);
  // Doubled after the cut, so that it cannot overflow.
  return {Verdict::kRestart, std::exchange(next_pause_, next_pause_ * 2)};
}

bool RestartPolicy::IsWanted(RestartCause cause, int code) const {
  // --live-action asks for it, not --restart.
  if (cause == RestartCause::kHealth) return true;
  switch (configuration_.policy) {
    case Restart::kNever:
      return false;
    case Restart::kOnFailure:
      return code != 0;
    case Restart::kAlways:
      return true;
  }
  return false;
}

}  // namespace dunlin::agent
