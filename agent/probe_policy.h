#pragma once

#include <chrono>
#include <optional>

#include "protocol/base/clock.h"

namespace dunlin::agent {

struct ProbePolicyOptions {
  /// Failures before this do not count, unless there was a success.
  std::chrono::nanoseconds start_period{0};
  /// From the start of one probe to that of the next; a probe that takes longer delays it.
  std::chrono::nanoseconds interval = std::chrono::seconds(10);
  /// Before the first probe; it doubles up to the interval until a probe has succeeded.
  std::chrono::nanoseconds first_pause = std::chrono::seconds(10);
  unsigned failures = 3;   // in a row that make it failing
  unsigned successes = 1;  // in a row that make it passing
};

/// Decides when a process is probed and what the results mean, of one check in one run of the
/// process after another. Runs no probe and reads no clock: the driver starts a probe when
/// next_probe() has come, never two at once, and reports its result. Loop thread only.
class ProbePolicy {
 public:
  enum class Status {
    kIdle,      // no process to probe
    kStarting,  // neither thresholds has been reached yet
    kPassing,
    kFailing,
  };

  explicit ProbePolicy(ProbePolicyOptions options) : options_(options) {}

  /// A process has started: all that was known of the one before is forgotten.
  void Begin(SteadyTime now);
  /// It ends; a probe on its way is given up.
  void End();
  void OnProbeStarted(SteadyTime now);
  /// Of the probe that was started, or a result that came by itself. Returns whether the status
  /// has changed. Ignored while idle.
  bool OnResult(bool passed, SteadyTime now);

  /// When to start a probe; nothing while one runs, or while idle.
  std::optional<SteadyTime> next_probe() const { return next_probe_; }
  Status status() const { return status_; }
  /// That counted.
  unsigned failures_in_a_row() const { return failures_in_a_row_; }

 private:
  void Schedule(SteadyTime now);

  ProbePolicyOptions options_;
  Status status_ = Status::kIdle;
  SteadyTime began_at_{};
  SteadyTime probe_started_at_{};
  std::optional<SteadyTime> next_probe_;
  std::chrono::nanoseconds pause_{0};
  bool has_succeeded_ = false;
  unsigned failures_in_a_row_ = 0;
  unsigned successes_in_a_row_ = 0;
};

}  // namespace dunlin::agent
