#include "controller/conductor/performer.h"

#include <utility>

#include "protocol/base/log.h"
#include "protocol/base/text.h"

namespace dunlin::controller {
namespace {

using Answer = Result<std::optional<RolloutEvent>>;

template <typename... Fs>
struct Overloaded : Fs... {
  using Fs::operator()...;
};

Answer Event(RolloutEvent event) { return std::optional<RolloutEvent>(std::move(event)); }

ReasonCode ReasonOf(const Error& error) {
  bool transient = error.code() == ErrorCode::kUnavailable || error.code() == ErrorCode::kTimeout;
  return transient ? ReasonCode::kDriverUnavailable : ReasonCode::kCreateFailed;
}

}  // namespace

std::string_view ContainerStateName(const Observation& seen) {
  switch (seen.presence) {
    case Observation::Presence::kAbsent:
      return "allocated";
    case Observation::Presence::kCreated:
      return "created";
    case Observation::Presence::kExited:
      return "exited";
    case Observation::Presence::kRunning:
      return seen.agent == Observation::Agent::kAnswers ? "running" : "unknown";
  }
  return "unknown";
}

Result<void> StoreObservation(Store& store, const ContainerRecord& record,
                              const Observation& seen) {
  std::string_view state = ContainerStateName(seen);
  bool same = record.state == state && record.ready == seen.ready &&
              record.restarts == seen.restarts && record.detail == seen.detail;
  if (same || record.removed) return {};
  return store.UpdateContainer(record.id, state, seen.ready, seen.restarts, seen.detail);
}

Answer Performer::Perform(const DeploymentId& deployment, const RolloutAction& action) {
  return std::visit(
      Overloaded{
          [&](const action::Record& record) -> Answer {
            auto stored = store_.Record(deployment, record.state, record.note);
            if (!stored) return std::move(stored).error();
            return std::optional<RolloutEvent>();
          },
          [&](const action::Allocate&) { return Allocate(deployment); },
          [&](const action::Create& create) { return Create(create.container); },
          [&](const action::Start& start) { return Start(start.container); },
          [&](const action::Observe& observe) { return Observe(observe.container); },
          [&](const action::Collect& collect) -> Answer {
            auto plan = Plan(collect.container);
            if (!plan) return std::move(plan).error();
            return Event(event::Collected{observer_.LastLines(*plan, kMaxEvidenceLines)});
          },
          [&](const action::Stop& stop) -> Answer {
            auto plan = Plan(stop.container);
            if (!plan) return std::move(plan).error();
            observer_.Stop(*plan);
            return Event(event::Done{});
          },
          [&](const action::Kill& kill) -> Answer {
            driver_.Kill(kill.container);
            return Event(event::Done{});
          },
          [&](const action::Remove& remove) { return Remove(remove.container); },
      },
      action);
}

Result<ContainerPlan> Performer::Plan(const ContainerId& id) {
  auto container = store_.Container(id);
  if (!container) return std::move(container).error();
  if (!*container) return Error(ErrorCode::kNotFound, Join("there is no container ", id.text()));
  auto deployment = store_.Deployment((*container)->deployment);
  if (!deployment) return std::move(deployment).error();
  if (!*deployment) {
    return Error(ErrorCode::kNotFound, Join("container ", id.text(), " has no deployment"));
  }
  return ContainerPlan{id,
                       (*container)->deployment,
                       (*container)->project,
                       (*container)->service,
                       (*container)->address,
                       std::move((*deployment)->spec)};
}

Answer Performer::Allocate(const DeploymentId& deployment) {
  auto container = store_.Allocate(deployment);
  if (!container) return std::move(container).error();
  return Event(event::Allocated{container->id});
}

Answer Performer::Create(const ContainerId& id) {
  auto plan = Plan(id);
  if (!plan) return std::move(plan).error();
  auto created = driver_.Create(*plan);
  if (created) return Event(event::Done{});
  return Event(event::Refused{{ReasonOf(created.error()), created.error().message()}});
}

Answer Performer::Start(const ContainerId& id) {
  auto plan = Plan(id);
  if (!plan) return std::move(plan).error();
  auto started = driver_.Start(*plan);
  if (started) return Event(event::Done{});
  return Event(event::Refused{{ReasonCode::kDriverUnavailable, started.error().message()}});
}

Answer Performer::Observe(const ContainerId& id) {
  auto record = store_.Container(id);
  if (!record) return std::move(record).error();
  auto plan = Plan(id);
  if (!plan) return std::move(plan).error();
  Observation seen = observer_.Observe(*plan);
  if (auto stored = StoreObservation(store_, **record, seen); !stored) {
    return std::move(stored).error();
  }
  return Event(event::Observed{id, std::move(seen), {}});
}

Answer Performer::Remove(const ContainerId& id) {
  if (auto removed = driver_.Remove(id); !removed) {
    // The sweep for orphans tries again; the rollout need not wait for it.
    log::Warn("cannot remove a container",
              {{"container", id.text()}, {"cause", removed.error().message()}});
    return Event(event::Done{});
  }
  if (auto stored = store_.MarkRemoved(id); !stored) return std::move(stored).error();
  return Event(event::Done{});
}

}  // namespace dunlin::controller
