#include "controller/conductor/watcher.h"

#include <optional>
#include <utility>

#include "protocol/base/log.h"
#include "protocol/base/text.h"

namespace dunlin::controller {
namespace {

using Presence = Observation::Presence;
using Agent = Observation::Agent;

std::string DescribeEnd(const Observation& seen) {
  if (seen.signal) return Join("its process was ended by signal ", *seen.signal);
  if (seen.exit_code) return Join("its process exited with code ", *seen.exit_code);
  return "its process is gone";
}

/// Ends and removes everything that nobody will: orphans in the database, and folders that the
/// database does not know. Runs on a worker.
Result<void> RemoveOrphans(Store& store, Driver& driver) {
  // Listed before the database is read, for a container is recorded before it is created, and again
  // after, for it is forgotten after it was removed.
  auto before = driver.List();
  if (!before) return std::move(before).error();
  auto live = store.LiveContainers();
  if (!live) return std::move(live).error();
  auto after = driver.List();
  if (!after) return std::move(after).error();
  std::set<ContainerId> unknown(before->begin(), before->end());
  for (const ContainerRecord& container : *live) unknown.erase(container.id);
  for (const ContainerId& id : *after) {
    if (unknown.count(id) == 0) continue;
    log::Warn("removing a container that no deployment has", {{"container", id.text()}});
    driver.Kill(id);
    if (auto removed = driver.Remove(id); !removed) return removed;
  }
  auto orphans = store.Orphans();
  if (!orphans) return std::move(orphans).error();
  for (const ContainerRecord& container : *orphans) {
    log::Warn("removing a container whose deployment is over",
              {{"container", container.id.text()}, {"deployment", container.deployment.text()}});
    driver.Kill(container.id);
    if (auto removed = driver.Remove(container.id); !removed) return removed;
    if (auto stored = store.MarkRemoved(container.id); !stored) return stored;
  }
  return {};
}

std::string DescribeChange(const ContainerId& id, const Observation& seen, bool healthy) {
  if (healthy) return Join(id.text(), " is ready again");
  if (seen.presence == Presence::kExited) return Join(id.text(), ": ", DescribeEnd(seen));
  return Join(id.text(), " is not ready: ", seen.detail);
}

}  // namespace

Result<void> Look::At(const ContainerRecord& container, unsigned& unready) const {
  auto plan = performer->Plan(container.id);
  if (!plan) return std::move(plan).error();
  Observation seen = observer->Observe(*plan);
  bool counts = seen.presence == Presence::kRunning && seen.agent == Agent::kAnswers && !seen.ready;
  unready = counts ? unready + 1 : 0;
  if (auto stored = StoreObservation(*store, container, seen); !stored) return stored;
  // A container taken away by a redeploy meanwhile says nothing about the current version.
  if (seen.presence == Presence::kAbsent) return {};
  auto healthy = HealthOf(seen, unready, unready_looks);
  if (!healthy) return {};
  Status wrong_now = *healthy ? Status::kUnhealthy : Status::kHealthy;
  if (container.deployment_status != wrong_now) return {};
  std::string note = DescribeChange(container.id, seen, *healthy);
  auto changed = store->SetHealth(container.deployment, *healthy, note);
  if (!changed) return std::move(changed).error();
  if (*changed) {
    log::Warn(*healthy ? "healthy again" : "unhealthy",
              {{"deployment", container.deployment.text()}, {"detail", note}});
  }
  return {};
}

std::optional<bool> HealthOf(const Observation& seen, unsigned unready, unsigned limit) {
  if (seen.presence != Presence::kRunning) return false;
  if (seen.agent != Agent::kAnswers) return std::nullopt;  // loss of contact proves nothing
  if (seen.ready) return true;
  if (unready >= limit) return false;
  return std::nullopt;
}

Watcher::Watcher(net::Loop& loop, net::WorkerPool& workers, Store& store, Driver& driver,
                 Performer& performer, const Observer& observer, WatcherOptions options)
    : workers_(workers),
      store_(store),
      driver_(driver),
      look_{&store, &performer, &observer, options.unready_looks},
      options_(options),
      timer_(loop, [this] { List(); }),
      sweep_timer_(loop, [this] { Sweep(); }) {}

Watcher::~Watcher() = default;

void Watcher::Start() {
  timer_.Start({}, options_.interval);
  sweep_timer_.Start({}, options_.sweep_interval);
}

void Watcher::List() {
  if (listing_) return;
  listing_ = true;
  struct Job {
    std::optional<Result<std::vector<ContainerRecord>>> live;
  };
  auto job = std::make_shared<Job>();
  workers_.Submit(
      [job, &store = store_] { job->live = store.LiveContainers(); },
      [job, this, alive = std::weak_ptr<bool>(alive_)] {
        if (alive.expired()) return;
        listing_ = false;
        if (!*job->live) {
          log::Warn("cannot list containers", {{"cause", job->live->error().message()}});
          return;
        }
        states_.clear();
        std::map<ContainerId, unsigned> unready;
        for (const ContainerRecord& container : **job->live) {
          ++states_[container.state];
          if (auto found = unready_.find(container.id); found != unready_.end()) {
            unready.insert(*found);
          }
          if (container.current) LookAt(container);
        }
        unready_ = std::move(unready);
      });
}

void Watcher::LookAt(const ContainerRecord& container) {
  if (!looking_.insert(container.id).second) return;
  struct Job {
    ContainerRecord container;
    unsigned unready;
    Result<void> done;
  };
  auto job = std::make_shared<Job>(Job{container, unready_[container.id], {}});
  workers_.Submit([job, look = look_] { job->done = look.At(job->container, job->unready); },
                  [job, this, alive = std::weak_ptr<bool>(alive_)] {
                    if (alive.expired()) return;
                    looking_.erase(job->container.id);
                    unready_[job->container.id] = job->unready;
                    if (!job->done) {
                      log::Warn("cannot watch a container",
                                {{"container", job->container.id.text()},
                                 {"cause", job->done.error().message()}});
                    }
                  });
}

void Watcher::Sweep() {
  if (sweeping_) return;
  sweeping_ = true;
  auto failed = std::make_shared<std::optional<Error>>();
  workers_.Submit(
      [failed, &store = store_, &driver = driver_] {
        if (auto done = RemoveOrphans(store, driver); !done) *failed = std::move(done).error();
      },
      [failed, this, alive = std::weak_ptr<bool>(alive_)] {
        if (alive.expired()) return;
        sweeping_ = false;
        if (*failed) log::Warn("cannot remove orphans", {{"cause", (*failed)->message()}});
      });
}

}  // namespace dunlin::controller
