#include "controller/watch/observer.h"

#include <utility>

#include "controller/watch/probe.h"
#include "protocol/base/text.h"

namespace dunlin::controller {
namespace {

using Presence = Observation::Presence;

/// The agent ends with 128 + n when signal n ended its process, as shells do.
constexpr int kSignalExitBase = 128;
constexpr int kMaxSignal = 64;

void NameSignal(Observation& seen) {
  if (!seen.exit_code || seen.signal) return;
  int signal = *seen.exit_code - kSignalExitBase;
  if (signal >= 1 && signal <= kMaxSignal) seen.signal = signal;
}

}  // namespace

void ApplyAgentStatus(const AgentStatus& status, const ContainerId& id, Observation& seen) {
  if (status.container != id.text()) {
    seen.agent = Observation::Agent::kMismatch;
    seen.detail = Join("the agent on its address is that of container ", status.container);
    return;
  }
  seen.agent = Observation::Agent::kAnswers;
  seen.restarts = status.restarts;
  switch (status.state) {
    case AgentStatus::State::kStarting:
      seen.detail = "the process is starting";
      break;
    case AgentStatus::State::kRunning:
      seen.ready = status.ready;
      if (!status.ready) seen.detail = "the agent finds the process not ready";
      break;
    case AgentStatus::State::kStopping:
      seen.stopping = true;
      seen.detail = "the process is being stopped";
      break;
    case AgentStatus::State::kBackingOff:
      seen.detail = "the process has ended and is about to be started again";
      break;
    case AgentStatus::State::kExited:
      // The agent lives on to send what is left; the process does not.
      seen.detail = "the process has ended";
      break;
  }
}

Observation Observer::Observe(const ContainerPlan& plan) const {
  ContainerState state = driver_.Inspect(plan.id);
  Observation seen;
  seen.presence = state.presence;
  seen.exit_code = state.exit_code;
  seen.signal = state.signal;
  if (seen.presence == Presence::kExited) NameSignal(seen);
  if (seen.presence != Presence::kRunning) return seen;
  auto status = agents_.Status(plan.address);
  if (!status) {
    seen.detail = status.error().message();
    return seen;
  }
  ApplyAgentStatus(*status, plan.id, seen);
  if (!seen.ready || plan.spec.readiness.kind == Readiness::Kind::kUptime) return seen;
  ProbeResult probe = Probe(plan.spec.readiness, plan.address, plan.spec.port);
  seen.ready = probe.ok;
  seen.detail = std::move(probe.detail);
  return seen;
}

void Observer::Stop(const ContainerPlan& plan) const {
  // Only its own agent is asked: an address may have another owner by now.
  auto status = agents_.Status(plan.address);
  bool own = status && status->container == plan.id.text();
  if (own && agents_.Stop(plan.address, plan.spec.stop.grace)) return;
  driver_.Terminate(plan.id);
}

std::vector<std::string> Observer::LastLines(const ContainerPlan& plan, std::size_t count) const {
  auto lines = driver_.LastLines(plan.id, count);
  if (!lines.empty()) return lines;
  if (driver_.Inspect(plan.id).presence != Presence::kRunning) return lines;
  auto status = agents_.Status(plan.address);
  if (!status || status->container != plan.id.text()) return lines;
  auto answer = agents_.LastLines(plan.address, count);
  return answer ? std::move(*answer) : lines;
}

}  // namespace dunlin::controller
