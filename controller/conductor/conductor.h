#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "controller/conductor/performer.h"
#include "controller/rollout/rollout.h"
#include "controller/state/store.h"
#include "protocol/base/clock.h"
#include "protocol/net/loop.h"
#include "protocol/net/worker_pool.h"

namespace dunlin::controller {

struct ConductorOptions {
  RolloutLimits limits;
  /// Before an action that the store refused is tried again.
  std::chrono::nanoseconds retry = 1s;
};

/// Runs the rollouts: takes waiting deployments from the store, feeds each Rollout its events and
/// performs its actions on workers, one at a time per deployment. When it is destroyed, or killed,
/// rollouts stand still; the next one goes on with them. Loop thread only.
class Conductor {
 public:
  /// How a rollout ended, for metrics: the deployment's outcome and reason code ("" for none).
  using OnFinished = std::function<void(std::string_view outcome, std::string_view reason)>;

  Conductor(net::Loop& loop, net::WorkerPool& workers, Store& store, Performer& performer,
            const Clock& clock, ConductorOptions options = {});
  ~Conductor();
  Conductor(const Conductor&) = delete;
  Conductor& operator=(const Conductor&) = delete;

  /// Goes on with what an earlier controller began, then takes waiting deployments.
  void Start();
  /// Looks for waiting deployments; after each acceptance.
  void Wake();

  /// Takes on a deployment that the store has made active by other means than waiting.
  void Adopt(DeploymentRecord deployment);

  /// After a deployment's state has been stored.
  std::function<void(const DeploymentId&)> on_change;
  OnFinished on_finished;

  std::size_t active() const { return runs_.size(); }
  /// Rollouts that this conductor found begun by an earlier one.
  std::size_t resumed() const { return resumed_; }

 private:
  class Run;

  void Claim();
  void Begin(std::vector<DeploymentRecord> deployments);
  void Finish(const DeploymentId& id);

  net::Loop& loop_;
  net::WorkerPool& workers_;
  Store& store_;
  Performer& performer_;
  const Clock& clock_;
  ConductorOptions options_;

  std::map<DeploymentId, std::unique_ptr<Run>> runs_;
  std::unique_ptr<net::Timer> retry_timer_;
  std::size_t resumed_ = 0;
  bool started_ = false;   // active deployments have been taken over
  bool claiming_ = false;  // a look is under way
  bool claim_again_ = false;
  // Completions that arrive after the end find it gone.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace dunlin::controller
