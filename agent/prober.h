#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "agent/configuration.h"
#include "agent/probe_attempt.h"
#include "agent/probe_line_matcher.h"
#include "agent/probe_pattern.h"
#include "agent/probe_policy.h"
#include "agent/probe_report.h"
#include "agent/probe_target.h"
#include "protocol/base/clock.h"
#include "protocol/net/loop.h"
#include "protocol/wire/batch.h"
#include "shipper/batcher.h"

namespace dunlin::agent {

/// What a check is for, which decides what a matching line and a first pause mean.
enum class ProbeRole { kReady, kLive };

/// Runs the probes of one check, one at a time, while there is a process to probe, and keeps what
/// is told about them. Never blocks. Loop thread only.
class Prober {
 public:
  /// `exits` outlives this; the options' target is set.
  Prober(net::Loop& loop, const Clock& clock, ProbeRole role, const ProbeConfiguration& options,
         ExecUser user, ChildExits& exits);
  Prober(const Prober&) = delete;
  Prober& operator=(const Prober&) = delete;

  /// The status has changed by a result. May call End().
  std::function<void()> on_change;

  /// A process runs.
  void Begin();
  /// It is to be probed no more; a probe on its way is cancelled.
  void End();
  /// Bytes as they came from the process.
  void OnOutput(wire::Output output, std::string_view chunk);

  ProbePolicy::Status status() const { return policy_.status(); }
  bool reads_lines() const { return pattern_.has_value(); }
  ProbeReport Report() const;

 private:
  void OnTimer();
  void StartAttempt();
  void OnResult(Result<void> result);
  void Await();

  net::Loop& loop_;
  const Clock& clock_;
  ProbeRole role_;
  ProbeTarget target_;
  std::chrono::nanoseconds timeout_;
  std::chrono::nanoseconds start_period_;
  ExecUser user_;
  ChildExits& exits_;
  ProbePolicy policy_;
  net::Timer timer_;
  std::unique_ptr<ProbeAttempt> attempt_;
  SteadyTime attempt_started_at_{};
  std::optional<LinePattern> pattern_;  // a log target's
  std::array<std::unique_ptr<LineMatcher>, shipper::kOutputs> matchers_;
  ProbeReport report_;
};

}  // namespace dunlin::agent
