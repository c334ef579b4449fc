#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "controller/conductor/performer.h"
#include "controller/state/store.h"
#include "protocol/net/loop.h"
#include "protocol/net/worker_pool.h"

namespace dunlin::controller {

struct WatcherOptions {
  std::chrono::nanoseconds interval = 5s;         // between looks at each current container
  std::chrono::nanoseconds sweep_interval = 30s;  // between searches for orphans
  /// Looks in a row that must find a container not ready before its deployment is UNHEALTHY.
  unsigned unready_looks = 3;
};

/// One look at a container of a current version, on a worker. Holds pointers to what outlives all
/// workers.
struct Look {
  Store* store;
  Performer* performer;
  const Observer* observer;
  unsigned unready_looks;

  /// Stores what it sees and what that means for the deployment. `unready` counts looks in a row
  /// that found the container running but not ready.
  Result<void> At(const ContainerRecord& container, unsigned& unready) const;
};

/// Follows the containers of current versions after their rollout: their state, HEALTHY and
/// UNHEALTHY. A container that stops answering becomes unknown, nothing more: loss of contact is no
/// reason to end anything. Also ends and removes orphans, which only a crash or a container that
/// could not be killed leaves behind. Loop thread only; looks happen on workers of their own, so
/// that silent agents delay nobody else.
class Watcher {
 public:
  Watcher(net::Loop& loop, net::WorkerPool& workers, Store& store, Driver& driver,
          Performer& performer, const Observer& observer, WatcherOptions options = {});
  ~Watcher();
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;

  void Start();

  /// Containers by state at the last look, for metrics.
  const std::map<std::string, std::size_t>& states() const { return states_; }

 private:
  void List();
  void LookAt(const ContainerRecord& container);
  void Sweep();

  net::WorkerPool& workers_;
  Store& store_;
  Driver& driver_;
  Look look_;
  WatcherOptions options_;
  net::Timer timer_;
  net::Timer sweep_timer_;

  std::set<ContainerId> looking_;  // a look is under way: a slow one is not joined by a second
  std::map<ContainerId, unsigned> unready_;
  std::map<std::string, std::size_t> states_;
  bool listing_ = false;
  bool sweeping_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

/// What one look means for the deployment's health: true HEALTHY, false UNHEALTHY, nothing no
/// change. `unready` counts looks in a row that found it running but not ready, this one included.
std::optional<bool> HealthOf(const Observation& seen, unsigned unready, unsigned limit);

}  // namespace dunlin::controller
