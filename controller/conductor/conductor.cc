#include "controller/conductor/conductor.h"

#include <deque>
#include <optional>
#include <utility>

#include "protocol/base/log.h"

namespace dunlin::controller {

/// One deployment's rollout under way. Loop thread only; its actions run on workers.
class Conductor::Run {
 public:
  Run(Conductor& owner, DeploymentRecord deployment)
      : owner_(owner),
        id_(deployment.id),
        rollout_(std::move(deployment.state), deployment.spec.readiness, deployment.spec.stop,
                 deployment.previous_stop, owner.options_.limits),
        timer_(owner.loop_, [this] { Perform(); }),
        last_event_(owner.clock_.Steady()) {}

  void Begin() {
    Take(event::Resumed{});
    Next();
  }

  const RolloutState& state() const { return rollout_.state(); }

 private:
  struct Job {
    DeploymentId deployment;
    RolloutAction action;
    std::optional<Result<std::optional<RolloutEvent>>> answer;
  };

  void Take(const RolloutEvent& event) {
    for (RolloutAction& action : rollout_.On(event)) todo_.push_back(std::move(action));
  }

  /// Begins the next action, after its delay if it has one. The last thing a caller does: it may
  /// end this run.
  void Next() {
    if (todo_.empty()) return owner_.Finish(DeploymentId(id_));
    const auto* observe = std::get_if<action::Observe>(&todo_.front());
    if (observe != nullptr && observe->after.count() > 0) return timer_.Start(observe->after);
    Perform();
  }

  void Perform() {
    auto job = std::make_shared<Job>(Job{id_, todo_.front(), std::nullopt});
    owner_.workers_.Submit(
        [job, &performer = owner_.performer_] {
          job->answer = performer.Perform(job->deployment, job->action);
        },
        [this, job, alive = std::weak_ptr<bool>(alive_)] {
          if (!alive.expired()) OnPerformed(std::move(*job->answer));
        });
  }

  void OnPerformed(Result<std::optional<RolloutEvent>> answer) {
    if (!answer) {
      // The state could not be stored, so nothing more may happen: the next controller must find
      // what is true. Workloads run on meanwhile.
      log::Warn("a rollout waits for the store",
                {{"deployment", id_.text()}, {"cause", answer.error().message()}});
      return timer_.Start(owner_.options_.retry);
    }
    bool recorded = std::holds_alternative<action::Record>(todo_.front());
    todo_.pop_front();
    if (recorded && owner_.on_change) owner_.on_change(id_);
    if (*answer) {
      SteadyTime now = owner_.clock_.Steady();
      if (auto* observed = std::get_if<event::Observed>(&**answer)) {
        observed->elapsed = now - last_event_;
      }
      last_event_ = now;
      Take(**answer);
    }
    Next();
  }

  Conductor& owner_;
  DeploymentId id_;
  Rollout rollout_;
  net::Timer timer_;
  SteadyTime last_event_;
  std::deque<RolloutAction> todo_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

Conductor::Conductor(net::Loop& loop, net::WorkerPool& workers, Store& store, Performer& performer,
                     const Clock& clock, ConductorOptions options)
    : loop_(loop),
      workers_(workers),
      store_(store),
      performer_(performer),
      clock_(clock),
      options_(options),
      retry_timer_(std::make_unique<net::Timer>(loop, [this] { Wake(); })) {}

Conductor::~Conductor() = default;

void Conductor::Start() { Wake(); }

void Conductor::Wake() {
  // What is under way may have looked before the deployment at hand was there.
  if (claiming_) {
    claim_again_ = true;
    return;
  }
  Claim();
}

void Conductor::Claim() {
  struct Job {
    std::optional<Result<std::vector<DeploymentRecord>>> found;
  };
  claiming_ = true;
  auto job = std::make_shared<Job>();
  workers_.Submit(
      [job, &store = store_, first = !started_] {
        job->found = first ? store.ActiveDeployments() : store.Claim();
      },
      [job, this, alive = std::weak_ptr<bool>(alive_)] {
        if (alive.expired()) return;
        claiming_ = false;
        if (!*job->found) {
          log::Warn("cannot look for deployments", {{"cause", job->found->error().message()}});
          retry_timer_->Start(options_.retry);
          return;
        }
        bool first = !std::exchange(started_, true);
        if (first) resumed_ = (*job->found)->size();
        bool again = std::exchange(claim_again_, false) || first;
        Begin(std::move(**job->found));
        if (again) Wake();
      });
}

void Conductor::Adopt(DeploymentRecord deployment) {
  // Before the first look, that look will find it.
  if (!started_) return;
  std::vector<DeploymentRecord> one;
  one.push_back(std::move(deployment));
  Begin(std::move(one));
}

void Conductor::Begin(std::vector<DeploymentRecord> deployments) {
  for (DeploymentRecord& deployment : deployments) {
    DeploymentId id = deployment.id;
    if (runs_.count(id) != 0) continue;
    log::Info("rollout", {{"deployment", id.text()},
                          {"service", deployment.service},
                          {"from", StatusName(deployment.state.status)}});
    auto run = std::make_unique<Run>(*this, std::move(deployment));
    Run& begun = *run;
    runs_.insert_or_assign(id, std::move(run));
    begun.Begin();
    if (on_change) on_change(id);
  }
}

void Conductor::Finish(const DeploymentId& id) {
  auto found = runs_.find(id);
  if (found == runs_.end()) return;
  const RolloutState& state = found->second->state();
  std::string_view reason = state.reason ? ReasonCodeName(state.reason->code) : "";
  log::Info("rollout is over",
            {{"deployment", id.text()}, {"status", StatusName(state.status)}, {"reason", reason}});
  // Stopping a version on request is no deploy.
  bool deployed = state.status != Status::kStopped;
  if (deployed && on_finished) on_finished(OutcomeName(state.status), reason);
  runs_.erase(found);
  Wake();
}

}  // namespace dunlin::controller
