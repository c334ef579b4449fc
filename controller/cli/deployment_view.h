#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/clock.h"
#include "protocol/base/result.h"

namespace dunlin::cli {

struct ContainerView {
  std::string id;
  std::string address;
  std::int64_t port = 0;  // 0: none
  std::string state;
};

/// The controller's deployment document, as far as the command line shows it. Missing members are
/// empty.
struct DeploymentView {
  std::string id;
  std::string service;
  std::string project;
  std::int64_t number = 0;
  std::string status;
  std::string outcome;  // HEALTHY, FAILED, CANCELLED; empty: not decided yet
  std::string message;
  std::string reason_code;
  std::string reason_detail;
  std::optional<std::int64_t> exit_code;
  std::optional<std::int64_t> signal;
  std::string probe;  // what the last readiness probe met
  std::vector<std::string> last_logs;
  std::optional<LogTime> created;
  std::optional<LogTime> healthy;
  std::optional<LogTime> finished;
  bool settled = false;
  std::vector<ContainerView> containers;
  std::vector<std::string> warnings;
};

/// One line of a deployment's step log.
struct EventView {
  std::int64_t sequence = 0;  // later ones are greater
  std::optional<LogTime> time;
  std::string status;
  std::string step;
  std::string note;
};

/// One service of GET /services.
struct ServiceView {
  std::string name;
  std::string project;
  std::string status;  // of the current deployment; of the latest while none is
  std::string current;
  std::string latest;
  std::string latest_status;
  std::optional<LogTime> updated;
};

/// Errors: kCorruption when the answer is not what the controller sends.
Result<DeploymentView> ParseDeployment(std::string_view json);
Result<std::vector<DeploymentView>> ParseDeployments(std::string_view json);
Result<std::vector<EventView>> ParseEvents(std::string_view json);
Result<std::vector<ServiceView>> ParseServices(std::string_view json);

}  // namespace dunlin::cli
