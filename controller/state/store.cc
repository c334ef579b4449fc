#include "controller/state/store.h"

#include <utility>

#include "controller/state/evidence_text.h"
#include "controller/state/schema.h"
#include "protocol/base/random.h"
#include "protocol/base/text.h"

namespace dunlin::controller {
namespace {

/// Addresses of local containers are 127.64.0.1 to 127.127.255.254: the loopback network, away from
/// 127.0.0.1 where everybody listens. The last byte is never 0 or 255.
constexpr std::int64_t kAddressCount = 64LL * 256 * 254;

std::string AddressAt(std::int64_t index) {
  index %= kAddressCount;
  return Join("127.", 64 + index / (256 * 254), ".", index / 254 % 256, ".", index % 254 + 1);
}

}  // namespace

Store::Store(std::unique_ptr<FileLock> lock, std::unique_ptr<Database> database, const Clock& clock,
             StoreOptions options)
    : lock_(std::move(lock)), database_(std::move(database)), clock_(clock), options_(options) {}

Result<std::unique_ptr<Store>> Store::Open(FileSystem& fs, const std::string& directory,
                                           const Clock& clock, StoreOptions options) {
  if (auto made = fs.CreateDirectories(directory); !made) return std::move(made).error();
  auto lock = fs.Lock(directory + "/lock");
  if (!lock) return std::move(lock).error();
  const std::string path = directory + "/controller.db";
  auto database = Database::Open(path);
  if (!database) return std::move(database).error();
  if (auto prepared = PrepareSchema(**database); !prepared) {
    return std::move(prepared).error().Wrap(path);
  }
  std::unique_ptr<Store> store(new Store(std::move(*lock), std::move(*database), clock, options));
  if (auto ready = store->SetUp(); !ready) return std::move(ready).error().Wrap(path);
  return store;
}

Result<void> Store::SetUp() {
  auto base = Meta("address_base");
  if (!base) return std::move(base).error();
  if (!base->empty()) return {};
  // A random start keeps two controllers of one machine from using the same addresses.
  auto start = static_cast<std::int64_t>(RandomU64() % kAddressCount);
  return SetMeta("address_base", Join(start));
}

Result<std::string> Store::Meta(std::string_view key) {
  auto select = database_->Prepare("SELECT value FROM meta WHERE key = ?");
  if (!select) return std::move(select).error();
  auto row = select->Bind(1, key).Step();
  if (!row) return std::move(row).error();
  return *row ? select->Text(0) : std::string();
}

Result<void> Store::SetMeta(std::string_view key, std::string_view value) {
  auto upsert = database_->Prepare(
      "INSERT INTO meta (key, value) VALUES (?, ?) "
      "ON CONFLICT (key) DO UPDATE SET value = excluded.value");
  if (!upsert) return std::move(upsert).error();
  return upsert->Bind(1, key).Bind(2, value).Run();
}

Result<ProjectId> Store::EnsureProject(const std::string& name) {
  auto select = database_->Prepare("SELECT id FROM projects WHERE name = ?");
  if (!select) return std::move(select).error();
  auto row = select->Bind(1, name).Step();
  if (!row) return std::move(row).error();
  if (*row) return ProjectId(select->Text(0));
  ProjectId id = NewProjectId(clock_.Now());
  auto insert = database_->Prepare("INSERT INTO projects (id, name, created_ns) VALUES (?, ?, ?)");
  if (!insert) return std::move(insert).error();
  if (auto done = insert->Bind(1, id.text()).Bind(2, name).Bind(3, NowNs()).Run(); !done) {
    return std::move(done).error();
  }
  return id;
}

Result<Acceptance> Store::Accept(const std::string& project, const std::string& service,
                                 const DeployRequest& request, const IdempotencyKey& key) {
  std::lock_guard guard(mutex_);
  Acceptance acceptance;
  auto transaction = Transaction::Begin(*database_);
  if (!transaction) return std::move(transaction).error();
  auto repeated = FindAccepted(key);
  if (!repeated) return std::move(repeated).error();
  if (*repeated) return std::move(**repeated);
  auto stored = FindService(project, service);
  if (!stored) return std::move(stored).error();
  if (!*stored && !request.command) {
    acceptance.verdict = Acceptance::Verdict::kNotFound;
    return acceptance;
  }
  Spec spec = ApplyDeployRequest(request, *stored ? &(*stored)->spec : nullptr, acceptance.errors);
  if (!acceptance.errors.empty()) {
    acceptance.verdict = Acceptance::Verdict::kInvalid;
    return acceptance;
  }

  ServiceId service_id;
  DeploymentId waiting;
  if (*stored) {
    service_id = (*stored)->id;
    auto open = SelectDeployments(
        "d.service_id = ? AND (d.active = 1 OR d.status = 'PENDING') ORDER BY d.number",
        {service_id.text()});
    if (!open) return std::move(open).error();
    for (const DeploymentRecord& deployment : *open) {
      if (request.mode == DeployMode::kReject) {
        acceptance.verdict = Acceptance::Verdict::kInProgress;
        acceptance.deployment = deployment.id;
        return acceptance;
      }
      if (deployment.state.status == Status::kPending) waiting = deployment.id;
    }
    auto update = database_->Prepare(
        "UPDATE services SET spec = ?1, updated_ns = ?2, "
        "revision = revision + (spec <> ?1) WHERE id = ?3");
    if (!update) return std::move(update).error();
    update->Bind(1, SpecToJson(spec)).Bind(2, NowNs()).Bind(3, service_id.text());
    if (auto done = update->Run(); !done) return std::move(done).error();
  } else {
    auto project_id = EnsureProject(project);
    if (!project_id) return std::move(project_id).error();
    service_id = NewServiceId(clock_.Now());
    auto insert = database_->Prepare(
        "INSERT INTO services (id, project_id, name, spec, revision, created_ns, updated_ns) "
        "VALUES (?1, ?2, ?3, ?4, 1, ?5, ?5)");
    if (!insert) return std::move(insert).error();
    insert->Bind(1, service_id.text()).Bind(2, project_id->text()).Bind(3, service);
    insert->Bind(4, SpecToJson(spec)).Bind(5, NowNs());
    if (auto done = insert->Run(); !done) return std::move(done).error();
  }

  acceptance.deployment = NewDeploymentId(clock_.Now());
  if (!waiting.empty()) {
    if (auto done = Supersede(waiting, acceptance.deployment); !done) {
      return std::move(done).error();
    }
    acceptance.superseded = waiting;
  }
  if (auto done = Insert(service_id, acceptance.deployment, spec, request); !done) {
    return std::move(done).error();
  }
  if (!key.key.empty()) {
    auto insert = database_->Prepare(
        "INSERT INTO idempotency (key, request_hash, deployment_id, created_ns) VALUES (?, ?, ?, "
        "?)");
    if (!insert) return std::move(insert).error();
    insert->Bind(1, key.key).Bind(2, key.request_hash).Bind(3, acceptance.deployment.text());
    if (auto done = insert->Bind(4, NowNs()).Run(); !done) return std::move(done).error();
  }
  // Read before anybody else can change it: the answer shows what was accepted.
  auto record = FindDeployment(acceptance.deployment);
  if (!record) return std::move(record).error();
  acceptance.record = std::move(*record);
  if (auto done = transaction->Commit(); !done) return std::move(done).error();
  return acceptance;
}

Result<std::optional<Acceptance>> Store::FindAccepted(const IdempotencyKey& key) {
  if (key.key.empty()) return std::optional<Acceptance>();
  auto expire = database_->Prepare("DELETE FROM idempotency WHERE created_ns < ?");
  if (!expire) return std::move(expire).error();
  expire->Bind(1, NowNs() - std::int64_t{options_.idempotency_window.count()});
  if (auto done = expire->Run(); !done) return std::move(done).error();
  auto select =
      database_->Prepare("SELECT request_hash, deployment_id FROM idempotency WHERE key = ?");
  if (!select) return std::move(select).error();
  auto row = select->Bind(1, key.key).Step();
  if (!row) return std::move(row).error();
  if (!*row) return std::optional<Acceptance>();
  Acceptance acceptance;
  bool same = select->Text(0) == key.request_hash;
  acceptance.verdict = same ? Acceptance::Verdict::kReplayed : Acceptance::Verdict::kKeyReused;
  acceptance.deployment = DeploymentId(select->Text(1));
  auto record = FindDeployment(acceptance.deployment);
  if (!record) return std::move(record).error();
  acceptance.record = std::move(*record);
  return std::optional(std::move(acceptance));
}

Result<void> Store::Supersede(const DeploymentId& waiting, const DeploymentId& by) {
  auto update = database_->Prepare(
      "UPDATE deployments SET status = 'SUPERSEDED', settled = 1, superseded_by = ?1, "
      "reason_code = 'superseded', reason_detail = ?2, finished_ns = ?3 WHERE id = ?4");
  if (!update) return std::move(update).error();
  std::string detail = Join("a newer deployment, ", by.text(), ", took its place in the queue");
  update->Bind(1, by.text()).Bind(2, detail).Bind(3, NowNs()).Bind(4, waiting.text());
  if (auto done = update->Run(); !done) return done;
  return AppendEvent(waiting, Status::kSuperseded, Step::kAccept, detail);
}

Result<void> Store::Insert(const ServiceId& service, const DeploymentId& id, const Spec& spec,
                           const DeployRequest& request) {
  auto insert = database_->Prepare(
      "INSERT INTO deployments (id, service_id, number, spec, spec_hash, cause, message, status, "
      "active, settled, step, step_spent_ns, total_spent_ns, warnings, created_ns) "
      "VALUES (?1, ?2, 1 + coalesce((SELECT max(number) FROM deployments WHERE service_id = ?2), "
      "0), ?3, ?4, 'api', ?5, 'PENDING', 0, 0, 'accept', 0, 0, '[]', ?6)");
  if (!insert) return std::move(insert).error();
  insert->Bind(1, id.text()).Bind(2, service.text()).Bind(3, SpecToJson(spec));
  insert->Bind(4, SpecHash(spec)).Bind(5, request.message).Bind(6, NowNs());
  if (auto done = insert->Run(); !done) return done;
  return AppendEvent(id, Status::kPending, Step::kAccept, "accepted");
}

Result<StopAcceptance> Store::Stop(const std::string& project, const std::string& service) {
  std::lock_guard guard(mutex_);
  StopAcceptance answer;
  auto transaction = Transaction::Begin(*database_);
  if (!transaction) return std::move(transaction).error();
  auto known = FindService(project, service);
  if (!known) return std::move(known).error();
  if (!*known) {
    answer.verdict = StopAcceptance::Verdict::kNotFound;
    return answer;
  }
  auto open = SelectDeployments("d.service_id = ? AND (d.active = 1 OR d.status = 'PENDING')",
                                {(*known)->id.text()});
  if (!open) return std::move(open).error();
  if (!open->empty()) {
    answer.verdict = StopAcceptance::Verdict::kInProgress;
    answer.deployment = std::move(open->front());
    return answer;
  }
  auto current = SelectDeployments("d.id = ? AND d.status IN ('HEALTHY', 'UNHEALTHY')",
                                   {(*known)->current.text()});
  if (!current) return std::move(current).error();
  if (current->empty()) {
    answer.verdict = StopAcceptance::Verdict::kNotRunning;
    return answer;
  }
  const DeploymentId id = current->front().id;
  auto update = database_->Prepare(
      "UPDATE deployments SET status = 'STOPPED', active = 1, settled = 0, step = 'stop', "
      "step_spent_ns = 0, previous_container_id = (SELECT id FROM containers WHERE deployment_id = "
      "?1 AND removed_ns IS NULL) WHERE id = ?1");
  if (!update) return std::move(update).error();
  if (auto done = update->Bind(1, id.text()).Run(); !done) return std::move(done).error();
  if (auto done = AppendEvent(id, Status::kStopped, Step::kStop, "stop requested"); !done) {
    return std::move(done).error();
  }
  auto stopped = FindDeployment(id);
  if (!stopped) return std::move(stopped).error();
  answer.deployment = std::move(*stopped);
  if (auto done = transaction->Commit(); !done) return std::move(done).error();
  return answer;
}

Result<std::vector<DeploymentRecord>> Store::Claim() {
  std::lock_guard guard(mutex_);
  auto transaction = Transaction::Begin(*database_);
  if (!transaction) return std::move(transaction).error();
  auto count = database_->Prepare("SELECT count(*) FROM deployments WHERE active = 1");
  if (!count) return std::move(count).error();
  if (auto row = count->Step(); !row) return std::move(row).error();
  std::int64_t room = options_.max_active_deployments - count->Integer(0);
  if (room <= 0) return std::vector<DeploymentRecord>();
  auto claimable = SelectDeployments(
      "d.status = 'PENDING' AND NOT EXISTS (SELECT 1 FROM deployments a WHERE a.service_id = "
      "d.service_id AND a.active = 1) ORDER BY d.created_ns, d.id LIMIT " +
          Join(room),
      {});
  if (!claimable) return std::move(claimable).error();
  for (DeploymentRecord& deployment : *claimable) {
    // The version to stop later is fixed here: whatever container the current one has now.
    auto previous = SelectContainers(
        "s.id = ? AND c.deployment_id = s.current_deployment_id AND c.removed_ns IS NULL",
        {deployment.service_id.text()});
    if (!previous) return std::move(previous).error();
    if (!previous->empty()) deployment.state.previous = previous->front().id;
    deployment.state.status = Status::kPreparing;
    deployment.state.step = Step::kClaim;
    deployment.started = clock_.Now();
    auto update = database_->Prepare(
        "UPDATE deployments SET status = 'PREPARING', active = 1, step = 'claim', started_ns = ?1, "
        "previous_container_id = nullif(?2, '') WHERE id = ?3");
    if (!update) return std::move(update).error();
    update->Bind(1, NanosecondsOf(*deployment.started)).Bind(2, deployment.state.previous.text());
    if (auto done = update->Bind(3, deployment.id.text()).Run(); !done) {
      return std::move(done).error();
    }
    if (auto done = AppendEvent(deployment.id, Status::kPreparing, Step::kClaim, "claimed");
        !done) {
      return std::move(done).error();
    }
  }
  if (auto done = transaction->Commit(); !done) return std::move(done).error();
  return claimable;
}

Result<void> Store::Record(const DeploymentId& id, const RolloutState& state,
                           std::string_view note) {
  std::lock_guard guard(mutex_);
  auto transaction = Transaction::Begin(*database_);
  if (!transaction) return std::move(transaction).error();
  auto before = FindDeployment(id);
  if (!before) return std::move(before).error();
  if (!*before) return Error(ErrorCode::kNotFound, Join("there is no deployment ", id.text()));
  const DeploymentRecord& deployment = **before;
  bool becomes_current = state.status == Status::kHealthy && !deployment.healthy;
  bool finishes = IsActive(deployment.state) && !IsActive(state);

  auto update = database_->Prepare(
      "UPDATE deployments SET status = ?1, active = ?2, settled = ?3, step = ?4, step_spent_ns = "
      "?5, total_spent_ns = ?6, previous_container_id = nullif(?7, ''), reason_code = nullif(?8, "
      "''), reason_detail = ?9, evidence = nullif(?10, ''), warnings = ?11, healthy_ns = ?12, "
      "finished_ns = ?13 WHERE id = ?14");
  if (!update) return std::move(update).error();
  LogTime now = clock_.Now();
  auto healthy = becomes_current ? std::optional(now) : deployment.healthy;
  auto finished = finishes && !deployment.finished ? std::optional(now) : deployment.finished;
  update->Bind(1, StatusName(state.status)).Bind(2, std::int64_t{IsActive(state)});
  update->Bind(3, std::int64_t{state.settled}).Bind(4, StepName(state.step));
  update->Bind(5, std::int64_t{state.step_spent.count()});
  update->Bind(6, std::int64_t{state.total_spent.count()}).Bind(7, state.previous.text());
  update->Bind(8, state.reason ? ReasonCodeName(state.reason->code) : std::string_view());
  update->Bind(9, state.reason ? std::string_view(state.reason->detail) : std::string_view());
  update->Bind(10, state.evidence ? EvidenceToJson(*state.evidence) : std::string());
  update->Bind(11, ListToJson(state.warnings));
  update->Bind(12, healthy ? std::optional(NanosecondsOf(*healthy)) : std::nullopt);
  update->Bind(13, finished ? std::optional(NanosecondsOf(*finished)) : std::nullopt);
  if (auto done = update->Bind(14, id.text()).Run(); !done) return done;

  if (!note.empty()) {
    if (auto done = AppendEvent(id, state.status, state.step, note); !done) return done;
  }
  if (becomes_current) {
    if (auto done = MakeCurrent(deployment); !done) return done;
  }
  if (finishes) {
    if (auto done = Prune(deployment.service_id); !done) return done;
  }
  return transaction->Commit();
}

Result<void> Store::MakeCurrent(const DeploymentRecord& deployment) {
  auto retired = SelectDeployments(
      "d.service_id = ? AND d.id <> ? AND d.status IN ('HEALTHY', 'UNHEALTHY', 'STOPPED')",
      {deployment.service_id.text(), deployment.id.text()});
  if (!retired) return std::move(retired).error();
  for (const DeploymentRecord& old : *retired) {
    auto update =
        database_->Prepare("UPDATE deployments SET status = 'RETIRED', settled = 1 WHERE id = ?");
    if (!update) return std::move(update).error();
    if (auto done = update->Bind(1, old.id.text()).Run(); !done) return done;
    if (auto done = AppendEvent(old.id, Status::kRetired, Step::kSettle,
                                Join("replaced by ", deployment.id.text()));
        !done) {
      return done;
    }
  }
  auto update = database_->Prepare(
      "UPDATE services SET current_deployment_id = ?, updated_ns = ? WHERE id = ?");
  if (!update) return std::move(update).error();
  update->Bind(1, deployment.id.text()).Bind(2, NowNs()).Bind(3, deployment.service_id.text());
  return update->Run();
}

Result<void> Store::AppendEvent(const DeploymentId& id, Status status, Step step,
                                std::string_view note) {
  auto insert = database_->Prepare(
      "INSERT INTO events (deployment_id, time_ns, status, step, note) VALUES (?, ?, ?, ?, ?)");
  if (!insert) return std::move(insert).error();
  insert->Bind(1, id.text()).Bind(2, NowNs()).Bind(3, StatusName(status)).Bind(4, StepName(step));
  return insert->Bind(5, note).Run();
}

Result<void> Store::Prune(const ServiceId& service) {
  // A deployment with a live container stays: its container must still be ended and removed.
  auto remove = database_->Prepare(
      "DELETE FROM deployments WHERE service_id = ?1 AND active = 0 AND status <> 'PENDING' "
      "AND id IS NOT (SELECT current_deployment_id FROM services WHERE id = ?1) "
      "AND NOT EXISTS (SELECT 1 FROM containers c WHERE c.deployment_id = deployments.id AND "
      "c.removed_ns IS NULL) "
      "AND number <= (SELECT max(number) FROM deployments WHERE service_id = ?1) - ?2");
  if (!remove) return std::move(remove).error();
  return remove->Bind(1, service.text()).Bind(2, options_.kept_deployments).Run();
}

Result<ContainerRecord> Store::Allocate(const DeploymentId& id) {
  std::lock_guard guard(mutex_);
  auto transaction = Transaction::Begin(*database_);
  if (!transaction) return std::move(transaction).error();
  auto existing = SelectContainers("c.deployment_id = ?", {id.text()});
  if (!existing) return std::move(existing).error();
  if (!existing->empty()) return std::move(existing->front());
  auto deployment = FindDeployment(id);
  if (!deployment) return std::move(deployment).error();
  if (!*deployment) return Error(ErrorCode::kNotFound, Join("there is no deployment ", id.text()));
  auto address = FreeAddress();
  if (!address) return std::move(address).error();

  ContainerId container = NewContainerId(clock_.Now());
  auto insert = database_->Prepare(
      "INSERT INTO containers (id, deployment_id, ordinal, driver, address, port, state, ready, "
      "restarts, detail, created_ns) VALUES (?, ?, 0, 'local', ?, ?, 'allocated', 0, 0, '', ?)");
  if (!insert) return std::move(insert).error();
  insert->Bind(1, container.text()).Bind(2, id.text()).Bind(3, *address);
  insert->Bind(4, std::int64_t{(*deployment)->spec.port}).Bind(5, NowNs());
  if (auto done = insert->Run(); !done) return std::move(done).error();
  auto made = SelectContainers("c.id = ?", {container.text()});
  if (!made) return std::move(made).error();
  if (auto done = transaction->Commit(); !done) return std::move(done).error();
  return std::move(made->front());
}

Result<std::string> Store::FreeAddress() {
  auto base = Meta("address_base");
  if (!base) return std::move(base).error();
  auto used = Meta("addresses_used");
  if (!used) return std::move(used).error();
  std::int64_t first = ParseInteger<std::int64_t>(*base).value_or(0);
  std::int64_t next = ParseInteger<std::int64_t>(*used).value_or(0);
  // Going round rather than taking the lowest keeps an address unused for long after its container
  // is gone, so that a late client meets nobody rather than somebody else.
  for (std::int64_t tries = 0; tries < kAddressCount; ++tries, ++next) {
    std::string address = AddressAt(first + next);
    auto taken =
        database_->Prepare("SELECT 1 FROM containers WHERE address = ? AND removed_ns IS NULL");
    if (!taken) return std::move(taken).error();
    auto row = taken->Bind(1, address).Step();
    if (!row) return std::move(row).error();
    if (*row) continue;
    if (auto done = SetMeta("addresses_used", Join(next + 1)); !done) {
      return std::move(done).error();
    }
    return address;
  }
  return Error(ErrorCode::kExhausted, "every address for local containers is taken");
}

Result<void> Store::UpdateContainer(const ContainerId& id, std::string_view state, bool ready,
                                    unsigned restarts, std::string_view detail) {
  std::lock_guard guard(mutex_);
  auto update = database_->Prepare(
      "UPDATE containers SET state = ?, ready = ?, restarts = ?, detail = ?, last_seen_ns = ? "
      "WHERE "
      "id = ? AND removed_ns IS NULL");
  if (!update) return std::move(update).error();
  update->Bind(1, state).Bind(2, std::int64_t{ready}).Bind(3, std::int64_t{restarts});
  return update->Bind(4, detail).Bind(5, NowNs()).Bind(6, id.text()).Run();
}

Result<void> Store::MarkRemoved(const ContainerId& id) {
  std::lock_guard guard(mutex_);
  auto update = database_->Prepare(
      "UPDATE containers SET state = 'removed', ready = 0, removed_ns = ? WHERE id = ? AND "
      "removed_ns IS NULL");
  if (!update) return std::move(update).error();
  return update->Bind(1, NowNs()).Bind(2, id.text()).Run();
}

Result<bool> Store::SetHealth(const DeploymentId& id, bool healthy, std::string_view note) {
  std::lock_guard guard(mutex_);
  auto transaction = Transaction::Begin(*database_);
  if (!transaction) return std::move(transaction).error();
  auto update =
      database_->Prepare("UPDATE deployments SET status = ?1 WHERE id = ?2 AND status = ?3");
  if (!update) return std::move(update).error();
  Status status = healthy ? Status::kHealthy : Status::kUnhealthy;
  Status other = healthy ? Status::kUnhealthy : Status::kHealthy;
  update->Bind(1, StatusName(status)).Bind(2, id.text()).Bind(3, StatusName(other));
  if (auto done = update->Run(); !done) return std::move(done).error();
  if (database_->changes() == 0) return false;
  if (auto done = AppendEvent(id, status, Step::kSettle, note); !done) {
    return std::move(done).error();
  }
  if (auto done = transaction->Commit(); !done) return std::move(done).error();
  return true;
}

Result<void> Store::CheckWritable() {
  std::lock_guard guard(mutex_);
  return SetMeta("checked_ns", Join(NowNs()));
}

}  // namespace dunlin::controller
