#include "controller/api/documents.h"

#include "protocol/base/rfc3339.h"
#include "protocol/base/text.h"
#include "protocol/net/address.h"

namespace dunlin::controller {
namespace {

void WriteTime(JsonWriter& out, std::string_view name, const std::optional<LogTime>& time) {
  out.Key(name);
  if (time) {
    out.String(FormatRfc3339(*time));
  } else {
    out.Null();
  }
}

void WriteTextOrNull(JsonWriter& out, std::string_view name, std::string_view text) {
  out.Key(name);
  if (text.empty()) {
    out.Null();
  } else {
    out.String(text);
  }
}

void WriteInteger(JsonWriter& out, std::string_view name, const std::optional<int>& value) {
  out.Key(name);
  if (value) {
    out.Integer(*value);
  } else {
    out.Null();
  }
}

void WriteReason(JsonWriter& out, const std::optional<Reason>& reason) {
  out.Key("reason");
  if (!reason) return out.Null();
  out.BeginObject();
  out.Field("code", ReasonCodeName(reason->code));
  out.Field("detail", reason->detail);
  out.EndObject();
}

void WriteEvidence(JsonWriter& out, const std::optional<Evidence>& evidence) {
  out.Key("evidence");
  if (!evidence) return out.Null();
  out.BeginObject();
  WriteInteger(out, "exit_code", evidence->exit_code);
  WriteInteger(out, "signal", evidence->signal);
  WriteTextOrNull(out, "probe", evidence->probe);
  out.Key("last_logs");
  out.BeginArray();
  for (const std::string& line : evidence->last_logs) out.String(line);
  out.EndArray();
  out.EndObject();
}

void WriteService(JsonWriter& out, const ServiceRecord& service, bool with_spec) {
  bool has_current = !service.current.empty();
  out.BeginObject();
  out.Field("id", service.id.text());
  out.Field("name", service.name);
  out.Field("project", service.project);
  out.Field("status", StatusName(has_current ? service.current_status : service.latest_status));
  WriteTextOrNull(out, "current", service.current.text());
  WriteTextOrNull(out, "latest", service.latest.text());
  out.Field("latest_status", StatusName(service.latest_status));
  out.Field("revision", service.revision);
  if (with_spec) {
    out.Key("spec");
    out.Raw(SpecToJson(service.spec));
  }
  WriteTime(out, "created_at", service.created);
  WriteTime(out, "updated_at", service.updated);
  out.EndObject();
}

}  // namespace

void WriteContainer(JsonWriter& out, const ContainerRecord& container) {
  out.BeginObject();
  out.Field("id", container.id.text());
  out.Field("deployment", container.deployment.text());
  out.Field("service", container.service);
  out.Field("project", container.project);
  out.Field("driver", container.driver);
  out.Field("address", container.address);
  out.Key("port");
  if (container.port != 0) {
    out.Unsigned(container.port);
  } else {
    out.Null();
  }
  out.Field("state", container.state);
  out.Field("ready", container.ready);
  out.Field("restarts", container.restarts);
  WriteTextOrNull(out, "detail", container.detail);
  WriteTime(out, "created_at", container.created);
  WriteTime(out, "last_seen", container.last_seen);
  out.EndObject();
}

void WriteDeployment(JsonWriter& out, const DeploymentRecord& deployment) {
  const RolloutState& state = deployment.state;
  out.BeginObject();
  out.Field("id", deployment.id.text());
  out.Field("service", deployment.service);
  out.Field("project", deployment.project);
  out.Field("number", deployment.number);
  out.Field("status", StatusName(state.status));
  WriteTextOrNull(out, "outcome", OutcomeName(state.status));
  out.Field("step", StepName(state.step));
  out.Key("strategy");
  out.BeginObject();
  out.Field("requested", "auto");
  out.Field("used", "start_first");
  out.Field("why", "nothing that two versions could not share");
  out.EndObject();
  out.Field("spec_hash", deployment.spec_hash);
  out.Key("env_keys");
  out.BeginArray();
  for (const auto& [name, value] : deployment.spec.env) out.String(name);
  out.EndArray();
  out.Field("trigger", deployment.cause);
  out.Field("message", deployment.message);
  WriteTime(out, "created_at", deployment.created);
  WriteTime(out, "started_at", deployment.started);
  WriteTime(out, "healthy_at", deployment.healthy);
  WriteTime(out, "finished_at", deployment.finished);
  out.Field("settled", state.settled);
  WriteReason(out, state.reason);
  WriteEvidence(out, state.evidence);
  WriteTextOrNull(out, "superseded_by", deployment.superseded_by.text());
  out.Key("containers");
  out.BeginArray();
  for (const ContainerRecord& container : deployment.containers) WriteContainer(out, container);
  out.EndArray();
  out.Key("warnings");
  out.BeginArray();
  for (const std::string& warning : state.warnings) out.String(warning);
  out.EndArray();
  out.Key("links");
  out.BeginObject();
  out.Field("self", Join("/deployments/", deployment.id.text()));
  out.Field("events", Join("/deployments/", deployment.id.text(), "/events"));
  out.EndObject();
  out.EndObject();
}

std::string DeploymentDocument(const DeploymentRecord& deployment) {
  std::string text;
  JsonWriter out(text);
  WriteDeployment(out, deployment);
  return text;
}

std::string HistoryDocument(const std::vector<DeploymentRecord>& deployments, bool more) {
  std::string text;
  JsonWriter out(text);
  out.BeginObject();
  out.Key("deployments");
  out.BeginArray();
  for (const DeploymentRecord& deployment : deployments) WriteDeployment(out, deployment);
  out.EndArray();
  WriteTextOrNull(out, "next", more ? Join(deployments.back().number) : "");
  out.EndObject();
  return text;
}

std::string EventsDocument(const std::vector<EventRecord>& events) {
  std::string text;
  JsonWriter out(text);
  out.BeginObject();
  out.Key("events");
  out.BeginArray();
  for (const EventRecord& event : events) {
    out.BeginObject();
    out.Field("sequence", event.sequence);
    WriteTime(out, "time", event.time);
    out.Field("status", event.status);
    out.Field("step", event.step);
    out.Field("note", event.note);
    out.EndObject();
  }
  out.EndArray();
  out.EndObject();
  return text;
}

std::string ServicesDocument(const std::vector<ServiceRecord>& services) {
  std::string text;
  JsonWriter out(text);
  out.BeginObject();
  out.Key("services");
  out.BeginArray();
  for (const ServiceRecord& service : services) WriteService(out, service, /*with_spec=*/false);
  out.EndArray();
  out.EndObject();
  return text;
}

std::string ServiceDocument(const ServiceRecord& service) {
  std::string text;
  JsonWriter out(text);
  WriteService(out, service, /*with_spec=*/true);
  return text;
}

std::string ContainersDocument(const std::vector<ContainerRecord>& containers) {
  std::string text;
  JsonWriter out(text);
  out.BeginObject();
  out.Key("containers");
  out.BeginArray();
  for (const ContainerRecord& container : containers) WriteContainer(out, container);
  out.EndArray();
  out.EndObject();
  return text;
}

std::string ContainerDocument(const ContainerRecord& container) {
  std::string text;
  JsonWriter out(text);
  WriteContainer(out, container);
  return text;
}

std::string TargetsDocument(const std::vector<ContainerRecord>& containers,
                            std::uint16_t agent_port, bool agents_use_tls) {
  std::string text;
  JsonWriter out(text);
  out.BeginArray();
  for (const ContainerRecord& container : containers) {
    // Before its start there is nothing to scrape; one that has ended without being told to stays
    // on the list, so that up == 0 raises an alarm.
    if (container.state == "allocated" || container.state == "created") continue;
    out.BeginObject();
    out.Key("targets");
    out.BeginArray();
    out.String(net::HostPort{container.address, agent_port}.ToString());
    out.EndArray();
    out.Key("labels");
    out.BeginObject();
    if (agents_use_tls) out.Field("__scheme__", "https");
    out.Field("job", "dunlin-agent");
    out.Field("project", container.project);
    out.Field("service", container.service);
    out.Field("deployment", container.deployment.text());
    out.Field("container", container.id.text());
    out.EndObject();
    out.EndObject();
  }
  out.EndArray();
  return text;
}

}  // namespace dunlin::controller
