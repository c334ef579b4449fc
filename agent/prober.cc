#include "agent/prober.h"

#include <algorithm>
#include <type_traits>
#include <utility>
#include <variant>

#include "protocol/base/log.h"
#include "protocol/base/text.h"

namespace dunlin::agent {
namespace {

/// A process that is just starting is asked often whether it is ready, so that nobody waits for
/// the rest of an interval.
constexpr std::chrono::milliseconds kFirstReadyPause{100};
constexpr unsigned kFailures = 3;
/// One line is enough to say that a process is sick.
constexpr unsigned kLogFailures = 1;

ProbePolicyOptions PolicyOptionsOf(ProbeRole role, const ProbeConfiguration& options) {
  const bool log = std::holds_alternative<LogTarget>(*options.target);
  ProbePolicyOptions policy;
  policy.start_period = options.start_period;
  policy.interval = options.interval;
  policy.first_pause = role == ProbeRole::kReady ? kFirstReadyPause : options.interval;
  policy.failures = options.failures.value_or(log ? kLogFailures : kFailures);
  policy.successes = options.successes;
  return policy;
}

}  // namespace

Prober::Prober(net::Loop& loop, const Clock& clock, ProbeRole role,
               const ProbeConfiguration& options, ExecUser user, ChildExits& exits)
    : loop_(loop),
      clock_(clock),
      role_(role),
      target_(*options.target),
      timeout_(options.timeout),
      start_period_(options.start_period),
      user_(user),
      exits_(exits),
      policy_(PolicyOptionsOf(role, options)),
      timer_(loop, [this] { OnTimer(); }) {
  report_.check = role == ProbeRole::kReady ? "ready" : "live";
  report_.kind = ProbeKind(target_);
  report_.since = clock.Now();
  if (const auto* log = std::get_if<LogTarget>(&target_)) {
    auto pattern = LinePattern::Compile(log->pattern);
    Check(pattern.has_value(), "a pattern that was not checked");
    pattern_ = std::move(*pattern);
  }
}

void Prober::Begin() {
  End();
  policy_.Begin(clock_.Steady());
  report_.since = clock_.Now();
  if (!pattern_) return Await();
  for (auto& matcher : matchers_) {
    if (!matcher) matcher = std::make_unique<LineMatcher>(*pattern_);
    matcher->Reset();
  }
  // Nothing happens to a healthy process: when it has started, it is taken to be well.
  if (role_ == ProbeRole::kLive) timer_.Start(start_period_);
}

void Prober::End() {
  timer_.Stop();
  attempt_.reset();
  if (policy_.status() == ProbePolicy::Status::kIdle) return;
  policy_.End();
  report_.since = clock_.Now();
}

void Prober::OnOutput(wire::Output output, std::string_view chunk) {
  if (!pattern_ || policy_.status() == ProbePolicy::Status::kIdle) return;
  // Once it is ready nothing more is looked for.
  const bool ready = role_ == ProbeRole::kReady;
  if (ready && policy_.status() == ProbePolicy::Status::kPassing) return;
  unsigned lines = matchers_[shipper::IndexOf(output)]->Feed(chunk);
  for (; lines > 0 && policy_.status() != ProbePolicy::Status::kIdle; --lines) {
    if (ready) {
      OnResult({});
    } else {
      OnResult(Error(ErrorCode::kUnavailable,
                     Join("a line of its ", wire::OutputName(output), " matches the pattern")));
    }
  }
}

void Prober::OnTimer() {
  if (pattern_) return OnResult({});
  StartAttempt();
}

void Prober::StartAttempt() {
  attempt_started_at_ = clock_.Steady();
  policy_.OnProbeStarted(attempt_started_at_);
  auto on_done = [this](Result<void> result) {
    report_.last_duration_seconds =
        std::chrono::duration<double>(clock_.Steady() - attempt_started_at_).count();
    attempt_.reset();
    OnResult(std::move(result));
  };
  attempt_ = std::visit(
      [&](const auto& target) -> std::unique_ptr<ProbeAttempt> {
        using T = std::decay_t<decltype(target)>;
        if constexpr (std::is_same_v<T, HttpTarget>) {
          return AttemptHttp(loop_, target, timeout_, on_done);
        } else if constexpr (std::is_same_v<T, TcpTarget>) {
          return AttemptTcp(loop_, target, timeout_, on_done);
        } else if constexpr (std::is_same_v<T, ExecTarget>) {
          return AttemptExec(loop_, target, user_, exits_, timeout_, on_done);
        } else {
          static_assert(std::is_same_v<T, LogTarget>);
          return nullptr;  // lines come by themselves
        }
      },
      target_);
}

void Prober::OnResult(Result<void> result) {
  report_.last_result = clock_.Now();
  report_.last_passed = result.has_value();
  if (!result) {
    ++report_.failures;
    report_.last_error = result.error().message();
  }
  const bool changed = policy_.OnResult(result.has_value(), clock_.Steady());
  if (changed) {
    report_.since = *report_.last_result;
    if (policy_.status() == ProbePolicy::Status::kFailing) {
      log::Warn("a check fails", {{"check", report_.check}, {"cause", report_.last_error}});
    } else {
      log::Info("a check passes", {{"check", report_.check}});
    }
    if (on_change) on_change();
  }
  if (!pattern_) Await();
}

void Prober::Await() {
  auto next = policy_.next_probe();
  if (!next || attempt_) return;
  timer_.Start(
      std::max<std::chrono::nanoseconds>(*next - clock_.Steady(), std::chrono::nanoseconds(0)));
}

ProbeReport Prober::Report() const {
  ProbeReport report = report_;
  report.status = policy_.status();
  report.failures_in_a_row = policy_.failures_in_a_row();
  return report;
}

}  // namespace dunlin::agent
