#pragma once

#include <optional>
#include <string>
#include <vector>

#include "controller/model/deployment.h"
#include "controller/model/ids.h"
#include "controller/model/spec.h"
#include "protocol/base/clock.h"

namespace dunlin::controller {

struct ServiceRecord {
  ServiceId id;
  std::string project;
  std::string name;
  Spec spec;                                 // what the next deployment without a body runs
  std::int64_t revision = 0;                 // of the spec
  DeploymentId current;                      // empty: never HEALTHY yet
  Status current_status = Status::kPending;  // of `current`
  DeploymentId latest;
  Status latest_status = Status::kPending;
  LogTime created{};
  LogTime updated{};
};

struct ContainerRecord {
  ContainerId id;
  DeploymentId deployment;
  std::string project;
  std::string service;
  Status deployment_status = Status::kPending;
  bool deployment_active = false;
  bool current = false;  // of the service's current deployment
  std::string driver;
  std::string address;     // where its agent listens; the process is told as HOST
  std::uint16_t port = 0;  // of the process; 0: none
  std::string state;       // allocated, created, running, exited, unknown, removed
  bool ready = false;
  unsigned restarts = 0;
  std::string detail;
  LogTime created{};
  std::optional<LogTime> last_seen;
  std::optional<LogTime> removed;
};

struct DeploymentRecord {
  DeploymentId id;
  ServiceId service_id;
  std::string project;
  std::string service;
  std::int64_t number = 0;  // 1, 2, ... within its service
  Spec spec;
  std::string spec_hash;
  std::string cause;  // "api"
  std::string message;
  RolloutState state;
  StopPlan previous_stop;  // of the version it replaces
  DeploymentId superseded_by;
  LogTime created{};
  std::optional<LogTime> started;
  std::optional<LogTime> healthy;
  std::optional<LogTime> finished;
  std::vector<ContainerRecord> containers;
};

struct EventRecord {
  std::int64_t sequence = 0;
  DeploymentId deployment;
  LogTime time{};
  std::string status;
  std::string step;
  std::string note;
};

/// Lets a client repeat a request whose answer it did not get.
struct IdempotencyKey {
  std::string key;           // the client's; empty: none was given
  std::string request_hash;  // of all that the request asks for
};

/// What became of a deploy request.
struct Acceptance {
  enum class Verdict {
    kAccepted,    // stored as PENDING
    kNotFound,    // no such service, and the request has no command to make one
    kInvalid,     // `errors` says why
    kInProgress,  // mode reject, and `deployment` is under way
    kReplayed,    // accepted before under the same key, as `deployment`
    kKeyReused,   // the key stands for another request
  };
  Verdict verdict = Verdict::kAccepted;
  DeploymentId deployment;
  std::optional<DeploymentRecord> record;  // of one accepted or replayed, as it was stored
  DeploymentId superseded;                 // the one that waited before; empty: none did
  std::vector<FieldError> errors;
};

/// What became of a request to stop a service.
struct StopAcceptance {
  enum class Verdict {
    kAccepted,    // `deployment` is STOPPED and active until its container has ended
    kNotRunning,  // stopped already, or nothing has ever been HEALTHY
    kNotFound,
    kInProgress,  // `deployment` is under way or waits
  };
  Verdict verdict = Verdict::kAccepted;
  std::optional<DeploymentRecord> deployment;
};

}  // namespace dunlin::controller
