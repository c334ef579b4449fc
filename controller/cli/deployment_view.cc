#include "controller/cli/deployment_view.h"

#include <simdjson.h>

#include "controller/cli/json_fields.h"
#include "protocol/base/rfc3339.h"
#include "protocol/base/text.h"

namespace dunlin::cli {
namespace {

using simdjson::dom::element;

Error NotUnderstood(std::string_view what) {
  return Error(ErrorCode::kCorruption, Join("the controller's answer is not understood: ", what));
}

std::optional<LogTime> TimeOf(element object, std::string_view name) {
  auto time = ParseRfc3339(TextOf(object, name));
  if (!time) return std::nullopt;
  return *time;
}

DeploymentView ReadDeployment(element object) {
  DeploymentView view;
  view.id = TextOf(object, "id");
  view.service = TextOf(object, "service");
  view.project = TextOf(object, "project");
  view.number = IntegerOf(object, "number").value_or(0);
  view.status = TextOf(object, "status");
  view.outcome = TextOf(object, "outcome");
  view.message = TextOf(object, "message");
  view.created = TimeOf(object, "created_at");
  view.healthy = TimeOf(object, "healthy_at");
  view.finished = TimeOf(object, "finished_at");
  view.settled = BoolOf(object, "settled").value_or(false);
  if (auto reason = ObjectOf(object, "reason")) {
    view.reason_code = TextOf(*reason, "code");
    view.reason_detail = TextOf(*reason, "detail");
  }
  if (auto evidence = ObjectOf(object, "evidence")) {
    view.exit_code = IntegerOf(*evidence, "exit_code");
    view.signal = IntegerOf(*evidence, "signal");
    view.probe = TextOf(*evidence, "probe");
    for (element line : ItemsOf(*evidence, "last_logs")) {
      std::string_view text;
      if (line.get(text) == simdjson::SUCCESS) view.last_logs.emplace_back(text);
    }
  }
  for (element item : ItemsOf(object, "containers")) {
    view.containers.push_back({TextOf(item, "id"), TextOf(item, "address"),
                               IntegerOf(item, "port").value_or(0), TextOf(item, "state")});
  }
  for (element item : ItemsOf(object, "warnings")) {
    std::string_view text;
    if (item.get(text) == simdjson::SUCCESS) view.warnings.emplace_back(text);
  }
  return view;
}

EventView ReadEvent(element object) {
  return {IntegerOf(object, "sequence").value_or(0), TimeOf(object, "time"),
          TextOf(object, "status"), TextOf(object, "step"), TextOf(object, "note")};
}

ServiceView ReadService(element object) {
  ServiceView view;
  view.name = TextOf(object, "name");
  view.project = TextOf(object, "project");
  view.status = TextOf(object, "status");
  view.current = TextOf(object, "current");
  view.latest = TextOf(object, "latest");
  view.latest_status = TextOf(object, "latest_status");
  view.updated = TimeOf(object, "updated_at");
  return view;
}

/// The objects of the array `name` of the document, each through `read`.
template <typename T>
Result<std::vector<T>> ReadList(std::string_view json, std::string_view name, T (*read)(element)) {
  simdjson::dom::parser parser;
  element root;
  auto error = parser.parse(json.data(), json.size()).get(root);
  if (error != simdjson::SUCCESS) return NotUnderstood(simdjson::error_message(error));
  simdjson::dom::array array;
  if (root[name].get(array) != simdjson::SUCCESS) return NotUnderstood(Join("no ", name));
  std::vector<T> views;
  for (element item : array) {
    if (item.is_object()) views.push_back(read(item));
  }
  return views;
}

}  // namespace

Result<DeploymentView> ParseDeployment(std::string_view json) {
  simdjson::dom::parser parser;
  element root;
  auto error = parser.parse(json.data(), json.size()).get(root);
  if (error != simdjson::SUCCESS) return NotUnderstood(simdjson::error_message(error));
  if (!root.is_object()) return NotUnderstood("not an object");
  DeploymentView view = ReadDeployment(root);
  if (view.id.empty() || view.status.empty()) return NotUnderstood("no id or status");
  return view;
}

Result<std::vector<DeploymentView>> ParseDeployments(std::string_view json) {
  return ReadList(json, "deployments", ReadDeployment);
}

Result<std::vector<EventView>> ParseEvents(std::string_view json) {
  return ReadList(json, "events", ReadEvent);
}

Result<std::vector<ServiceView>> ParseServices(std::string_view json) {
  return ReadList(json, "services", ReadService);
}

}  // namespace dunlin::cli
