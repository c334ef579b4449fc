#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "controller/state/database.h"
#include "controller/state/records.h"
#include "protocol/base/clock.h"
#include "protocol/base/file_system.h"
#include "protocol/base/result.h"

namespace dunlin::controller {

struct StoreOptions {
  /// Finished deployments kept per service; older ones are deleted with their events.
  std::int64_t kept_deployments = 50;
  /// Deployments rolled out at once, over all services; others wait.
  std::int64_t max_active_deployments = 4;
  /// How long a repeated request is recognised.
  std::chrono::nanoseconds idempotency_window = 24h;
};

/// The controller's state in one SQLite file: the truth of which everything else is a cache. A call
/// that has returned success is durable. Any thread; calls are served one at a time and block for a
/// disk write, so never on a loop thread.
///
/// Errors of every call: kExhausted (disk full), kUnavailable, kIo, kCorruption. A failed call has
/// changed nothing.
class Store {
 public:
  /// Opens or makes the state in `directory`, under a lock against a second controller. Errors
  /// besides: kAlreadyExists when another process has it, kUnsupported when a newer program wrote
  /// it.
  static Result<std::unique_ptr<Store>> Open(FileSystem& fs, const std::string& directory,
                                             const Clock& clock, StoreOptions options = {});

  /// Stores a new deployment as PENDING together with the service's changed spec.
  Result<Acceptance> Accept(const std::string& project, const std::string& service,
                            const DeployRequest& request, const IdempotencyKey& key = {});

  /// Marks the service's current version STOPPED, its container to be ended by a rollout.
  Result<StopAcceptance> Stop(const std::string& project, const std::string& service);

  /// Moves waiting deployments, oldest first, to PREPARING where their service has none active and
  /// the limit allows; answers all that became active.
  Result<std::vector<DeploymentRecord>> Claim();
  /// Deployments whose rollout is not over: what a new controller goes on with.
  Result<std::vector<DeploymentRecord>> ActiveDeployments();

  /// Stores how far a rollout is, and `note` in its log unless empty. Reaching HEALTHY makes it the
  /// service's current deployment and retires the one before, in the same transaction.
  Result<void> Record(const DeploymentId& id, const RolloutState& state, std::string_view note);
  /// The deployment's container, made on the first call, with an address no other container has.
  /// kExhausted besides when every address is taken.
  Result<ContainerRecord> Allocate(const DeploymentId& id);

  /// What was last seen of a container.
  Result<void> UpdateContainer(const ContainerId& id, std::string_view state, bool ready,
                               unsigned restarts, std::string_view detail);
  /// Gives its address back. The record stays as long as its deployment's.
  Result<void> MarkRemoved(const ContainerId& id);
  /// HEALTHY and UNHEALTHY of a current deployment, as its container is seen. False: it is neither
  /// now, and nothing was changed.
  Result<bool> SetHealth(const DeploymentId& id, bool healthy, std::string_view note);

  Result<std::optional<DeploymentRecord>> Deployment(const DeploymentId& id);
  /// Newest first, at most `limit`, with numbers below `before` when given. Nothing: no such
  /// service.
  Result<std::optional<std::vector<DeploymentRecord>>> History(const std::string& project,
                                                               const std::string& service,
                                                               std::int64_t limit,
                                                               std::optional<std::int64_t> before);
  /// The step log after sequence number `after`, oldest first.
  Result<std::vector<EventRecord>> Events(const DeploymentId& id, std::int64_t after);
  /// By project and name; only of one project when it is not empty.
  Result<std::vector<ServiceRecord>> Services(const std::string& project);
  Result<std::optional<ServiceRecord>> Service(const std::string& project,
                                               const std::string& service);
  /// Containers not removed, by age.
  Result<std::vector<ContainerRecord>> LiveContainers();
  Result<std::optional<ContainerRecord>> Container(const ContainerId& id);
  /// Containers not removed that nothing will end: of deployments that are over and not current,
  /// and awaited by no rollout.
  Result<std::vector<ContainerRecord>> Orphans();

  /// Writes and syncs a few bytes: whether a 202 could be promised now.
  Result<void> CheckWritable();

 private:
  Store(std::unique_ptr<FileLock> lock, std::unique_ptr<Database> database, const Clock& clock,
        StoreOptions options);

  // Callers of these hold mutex_.
  Result<void> SetUp();
  Result<std::string> Meta(std::string_view key);
  Result<void> SetMeta(std::string_view key, std::string_view value);
  Result<ProjectId> EnsureProject(const std::string& name);
  Result<std::optional<ServiceRecord>> FindService(const std::string& project,
                                                   const std::string& service);
  Result<std::vector<ServiceRecord>> SelectServices(std::string_view where,
                                                    std::vector<std::string> parameters);
  Result<std::vector<DeploymentRecord>> SelectDeployments(std::string_view where,
                                                          std::vector<std::string> parameters);
  Result<std::vector<ContainerRecord>> SelectContainers(std::string_view where,
                                                        std::vector<std::string> parameters);
  Result<std::optional<DeploymentRecord>> FindDeployment(const DeploymentId& id);
  /// The verdict for a key seen before; nothing for a new one.
  Result<std::optional<Acceptance>> FindAccepted(const IdempotencyKey& key);
  Result<void> Supersede(const DeploymentId& waiting, const DeploymentId& by);
  Result<void> Insert(const ServiceId& service, const DeploymentId& id, const Spec& spec,
                      const DeployRequest& request);
  Result<void> MakeCurrent(const DeploymentRecord& deployment);
  Result<void> AppendEvent(const DeploymentId& id, Status status, Step step, std::string_view note);
  Result<void> Prune(const ServiceId& service);
  Result<std::string> FreeAddress();
  std::int64_t NowNs() const { return NanosecondsOf(clock_.Now()); }

  std::unique_ptr<FileLock> lock_;
  std::mutex mutex_;
  std::unique_ptr<Database> database_;
  const Clock& clock_;
  StoreOptions options_;
};

}  // namespace dunlin::controller
