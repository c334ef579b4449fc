#include <utility>

#include "controller/state/evidence_text.h"
#include "controller/state/store.h"
#include "protocol/base/text.h"

namespace dunlin::controller {
namespace {

std::optional<LogTime> OptionalTime(const Statement& statement, int column) {
  auto time_ns = statement.OptionalInteger(column);
  if (!time_ns) return std::nullopt;
  return LogTimeOf(*time_ns);
}

/// A status this program does not know cannot be in a file whose schema it knows.
Status ReadStatus(const std::string& name) {
  auto status = StatusOf(name);
  Check(status.has_value(), "unknown status in the database");
  return *status;
}

Result<Spec> ReadSpec(const std::string& json) {
  auto spec = SpecFromJson(json);
  if (!spec) return Error(ErrorCode::kCorruption, "the database holds a spec that cannot be read");
  return std::move(*spec);
}

Result<Statement> PrepareWith(Database& database, const std::string& sql,
                              const std::vector<std::string>& parameters) {
  auto statement = database.Prepare(sql);
  if (!statement) return statement;
  int index = 0;
  for (const std::string& parameter : parameters) statement->Bind(++index, parameter);
  return statement;
}

}  // namespace

Result<std::vector<ServiceRecord>> Store::SelectServices(std::string_view where,
                                                         std::vector<std::string> parameters) {
  auto select = PrepareWith(
      *database_,
      Join("SELECT s.id, p.name, s.name, s.spec, s.revision, s.created_ns, s.updated_ns, "
           "current.id, current.status, latest.id, latest.status FROM services s "
           "JOIN projects p ON p.id = s.project_id "
           "LEFT JOIN deployments current ON current.id = s.current_deployment_id "
           "LEFT JOIN deployments latest ON latest.service_id = s.id AND latest.number = "
           "(SELECT max(number) FROM deployments WHERE service_id = s.id) WHERE ",
           where),
      parameters);
  if (!select) return std::move(select).error();
  std::vector<ServiceRecord> services;
  for (;;) {
    auto row = select->Step();
    if (!row) return std::move(row).error();
    if (!*row) return services;
    ServiceRecord service;
    service.id = ServiceId(select->Text(0));
    service.project = select->Text(1);
    service.name = select->Text(2);
    auto spec = ReadSpec(select->Text(3));
    if (!spec) return std::move(spec).error().Wrap(Join("service ", service.name));
    service.spec = std::move(*spec);
    service.revision = select->Integer(4);
    service.created = LogTimeOf(select->Integer(5));
    service.updated = LogTimeOf(select->Integer(6));
    service.current = DeploymentId(select->Text(7));
    if (!service.current.empty()) service.current_status = ReadStatus(select->Text(8));
    service.latest = DeploymentId(select->Text(9));
    if (!service.latest.empty()) service.latest_status = ReadStatus(select->Text(10));
    services.push_back(std::move(service));
  }
}

Result<std::vector<ContainerRecord>> Store::SelectContainers(std::string_view where,
                                                             std::vector<std::string> parameters) {
  auto select = PrepareWith(
      *database_,
      Join("SELECT c.id, c.deployment_id, p.name, s.name, d.status, d.active, "
           "s.current_deployment_id IS d.id, c.driver, c.address, c.port, c.state, c.ready, "
           "c.restarts, c.detail, c.created_ns, c.last_seen_ns, c.removed_ns FROM containers c "
           "JOIN deployments d ON d.id = c.deployment_id JOIN services s ON s.id = d.service_id "
           "JOIN projects p ON p.id = s.project_id WHERE ",
           where, " ORDER BY c.created_ns, c.id"),
      parameters);
  if (!select) return std::move(select).error();
  std::vector<ContainerRecord> containers;
  for (;;) {
    auto row = select->Step();
    if (!row) return std::move(row).error();
    if (!*row) return containers;
    ContainerRecord container;
    container.id = ContainerId(select->Text(0));
    container.deployment = DeploymentId(select->Text(1));
    container.project = select->Text(2);
    container.service = select->Text(3);
    container.deployment_status = ReadStatus(select->Text(4));
    container.deployment_active = select->Integer(5) != 0;
    container.current = select->Integer(6) != 0;
    container.driver = select->Text(7);
    container.address = select->Text(8);
    container.port = static_cast<std::uint16_t>(select->Integer(9));
    container.state = select->Text(10);
    container.ready = select->Integer(11) != 0;
    container.restarts = static_cast<unsigned>(select->Integer(12));
    container.detail = select->Text(13);
    container.created = LogTimeOf(select->Integer(14));
    container.last_seen = OptionalTime(*select, 15);
    container.removed = OptionalTime(*select, 16);
    containers.push_back(std::move(container));
  }
}

Result<std::vector<DeploymentRecord>> Store::SelectDeployments(
    std::string_view where, std::vector<std::string> parameters) {
  auto select = PrepareWith(
      *database_,
      Join("SELECT d.id, d.service_id, p.name, s.name, d.number, d.spec, d.spec_hash, d.cause, "
           "d.message, d.status, d.settled, d.step, d.step_spent_ns, d.total_spent_ns, "
           "d.previous_container_id, d.reason_code, d.reason_detail, d.evidence, d.warnings, "
           "d.superseded_by, d.created_ns, d.started_ns, d.healthy_ns, d.finished_ns, old.spec "
           "FROM deployments d JOIN services s ON s.id = d.service_id "
           "JOIN projects p ON p.id = s.project_id "
           "LEFT JOIN containers oc ON oc.id = d.previous_container_id "
           "LEFT JOIN deployments old ON old.id = oc.deployment_id WHERE ",
           where),
      parameters);
  if (!select) return std::move(select).error();
  std::vector<DeploymentRecord> deployments;
  for (;;) {
    auto row = select->Step();
    if (!row) return std::move(row).error();
    if (!*row) break;
    DeploymentRecord deployment;
    deployment.id = DeploymentId(select->Text(0));
    deployment.service_id = ServiceId(select->Text(1));
    deployment.project = select->Text(2);
    deployment.service = select->Text(3);
    deployment.number = select->Integer(4);
    auto spec = ReadSpec(select->Text(5));
    if (!spec) return std::move(spec).error().Wrap(Join("deployment ", deployment.id.text()));
    deployment.spec = std::move(*spec);
    deployment.spec_hash = select->Text(6);
    deployment.cause = select->Text(7);
    deployment.message = select->Text(8);
    RolloutState& state = deployment.state;
    state.status = ReadStatus(select->Text(9));
    state.settled = select->Integer(10) != 0;
    state.step = StepOf(select->Text(11)).value_or(Step::kAccept);
    state.step_spent = std::chrono::nanoseconds(select->Integer(12));
    state.total_spent = std::chrono::nanoseconds(select->Integer(13));
    state.previous = ContainerId(select->Text(14));
    if (std::string code = select->Text(15); !code.empty()) {
      state.reason = Reason{ReasonCodeOf(code).value_or(ReasonCode::kInternal), select->Text(16)};
    }
    if (std::string json = select->Text(17); !json.empty()) state.evidence = EvidenceFromJson(json);
    state.warnings = ListFromJson(select->Text(18));
    deployment.superseded_by = DeploymentId(select->Text(19));
    deployment.created = LogTimeOf(select->Integer(20));
    deployment.started = OptionalTime(*select, 21);
    deployment.healthy = OptionalTime(*select, 22);
    deployment.finished = OptionalTime(*select, 23);
    if (std::string json = select->Text(24); !json.empty()) {
      auto old = ReadSpec(json);
      if (!old) return std::move(old).error().Wrap(Join("deployment ", deployment.id.text()));
      deployment.previous_stop = old->stop;
    }
    deployments.push_back(std::move(deployment));
  }
  for (DeploymentRecord& deployment : deployments) {
    auto containers = SelectContainers("c.deployment_id = ?", {deployment.id.text()});
    if (!containers) return std::move(containers).error();
    deployment.containers = std::move(*containers);
    if (!deployment.containers.empty()) {
      deployment.state.container = deployment.containers.front().id;
    }
  }
  return deployments;
}

Result<std::optional<DeploymentRecord>> Store::FindDeployment(const DeploymentId& id) {
  auto found = SelectDeployments("d.id = ?", {id.text()});
  if (!found) return std::move(found).error();
  if (found->empty()) return std::optional<DeploymentRecord>();
  return std::optional(std::move(found->front()));
}

Result<std::optional<ServiceRecord>> Store::FindService(const std::string& project,
                                                        const std::string& service) {
  auto found = SelectServices("p.name = ? AND s.name = ?", {project, service});
  if (!found) return std::move(found).error();
  if (found->empty()) return std::optional<ServiceRecord>();
  return std::optional(std::move(found->front()));
}

Result<std::vector<DeploymentRecord>> Store::ActiveDeployments() {
  std::lock_guard guard(mutex_);
  return SelectDeployments("d.active = 1 ORDER BY d.created_ns, d.id", {});
}

Result<std::optional<DeploymentRecord>> Store::Deployment(const DeploymentId& id) {
  std::lock_guard guard(mutex_);
  return FindDeployment(id);
}

Result<std::optional<std::vector<DeploymentRecord>>> Store::History(
    const std::string& project, const std::string& service, std::int64_t limit,
    std::optional<std::int64_t> before) {
  std::lock_guard guard(mutex_);
  auto known = FindService(project, service);
  if (!known) return std::move(known).error();
  if (!*known) return std::optional<std::vector<DeploymentRecord>>();
  std::string where = "d.service_id = ?";
  if (before) where += Join(" AND d.number < ", *before);
  where += Join(" ORDER BY d.number DESC LIMIT ", limit);
  auto found = SelectDeployments(where, {(*known)->id.text()});
  if (!found) return std::move(found).error();
  return std::optional(std::move(*found));
}

Result<std::vector<EventRecord>> Store::Events(const DeploymentId& id, std::int64_t after) {
  std::lock_guard guard(mutex_);
  auto select = database_->Prepare(
      "SELECT sequence, time_ns, status, step, note FROM events WHERE deployment_id = ? AND "
      "sequence "
      "> ? ORDER BY sequence");
  if (!select) return std::move(select).error();
  select->Bind(1, id.text()).Bind(2, after);
  std::vector<EventRecord> events;
  for (;;) {
    auto row = select->Step();
    if (!row) return std::move(row).error();
    if (!*row) return events;
    events.push_back({select->Integer(0), id, LogTimeOf(select->Integer(1)), select->Text(2),
                      select->Text(3), select->Text(4)});
  }
}

Result<std::vector<ServiceRecord>> Store::Services(const std::string& project) {
  std::lock_guard guard(mutex_);
  if (project.empty()) return SelectServices("1 ORDER BY p.name, s.name", {});
  return SelectServices("p.name = ? ORDER BY s.name", {project});
}

Result<std::optional<ServiceRecord>> Store::Service(const std::string& project,
                                                    const std::string& service) {
  std::lock_guard guard(mutex_);
  return FindService(project, service);
}

Result<std::vector<ContainerRecord>> Store::LiveContainers() {
  std::lock_guard guard(mutex_);
  return SelectContainers("c.removed_ns IS NULL", {});
}

Result<std::vector<ContainerRecord>> Store::Orphans() {
  std::lock_guard guard(mutex_);
  return SelectContainers(
      "c.removed_ns IS NULL AND d.active = 0 AND (d.id IS NOT s.current_deployment_id OR "
      "d.status = 'STOPPED') AND NOT EXISTS (SELECT 1 FROM deployments a WHERE a.active = 1 AND "
      "a.previous_container_id = c.id)",
      {});
}

Result<std::optional<ContainerRecord>> Store::Container(const ContainerId& id) {
  std::lock_guard guard(mutex_);
  auto found = SelectContainers("c.id = ?", {id.text()});
  if (!found) return std::move(found).error();
  if (found->empty()) return std::optional<ContainerRecord>();
  return std::optional(std::move(found->front()));
}

}  // namespace dunlin::controller
