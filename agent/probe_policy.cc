#include "agent/probe_policy.h"

#include <algorithm>

namespace dunlin::agent {

void ProbePolicy::Begin(SteadyTime now) {
  status_ = Status::kStarting;
  began_at_ = now;
  pause_ = std::min(options_.first_pause, options_.interval);
  next_probe_ = now + pause_;
  has_succeeded_ = false;
  failures_in_a_row_ = 0;
  successes_in_a_row_ = 0;
}

void ProbePolicy::End() {
  status_ = Status::kIdle;
  next_probe_.reset();
  failures_in_a_row_ = 0;
  successes_in_a_row_ = 0;
}

void ProbePolicy::OnProbeStarted(SteadyTime now) {
  probe_started_at_ = now;
  next_probe_.reset();
}

bool ProbePolicy::OnResult(bool passed, SteadyTime now) {
  if (status_ == Status::kIdle) return false;
  const Status before = status_;
  if (passed) {
    has_succeeded_ = true;
    failures_in_a_row_ = 0;
    // Stops at the threshold: only reaching it means something.
    successes_in_a_row_ = std::min(successes_in_a_row_ + 1, options_.successes);
    if (successes_in_a_row_ == options_.successes) status_ = Status::kPassing;
  } else {
    successes_in_a_row_ = 0;
    const bool counts = has_succeeded_ || now - began_at_ >= options_.start_period;
    if (counts) {
      ++failures_in_a_row_;
      if (failures_in_a_row_ >= options_.failures) status_ = Status::kFailing;
    }
  }
  Schedule(now);
  return status_ != before;
}

void ProbePolicy::Schedule(SteadyTime now) {
  pause_ = has_succeeded_ ? options_.interval : std::min(pause_ * 2, options_.interval);
  next_probe_ = std::max(probe_started_at_ + pause_, now);
}

}  // namespace dunlin::agent
