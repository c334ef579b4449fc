#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dunlin::controller {

using namespace std::chrono_literals;

/// When a container counts as ready.
struct Readiness {
  enum class Kind {
    kUptime,  // its process runs
    kHttp,    // GET http://address:port/path answers `status`
    kTcp,     // address:port accepts a connection
  };
  Kind kind = Kind::kUptime;
  std::string path = "/";
  std::uint16_t port = 0;  // 0: the service's own
  int status = 0;          // 0: any of 200-299
  std::chrono::nanoseconds interval = 1s;
  std::chrono::nanoseconds timeout = 5s;
  /// How long it must stay ready without a break before the deployment is HEALTHY.
  std::chrono::nanoseconds min_healthy = 5s;
  /// After this long without that, the deployment is FAILED.
  std::chrono::nanoseconds deadline = 60s;

  friend bool operator==(const Readiness&, const Readiness&) = default;
};

struct StopPlan {
  std::string signal = "TERM";
  std::chrono::nanoseconds grace = 10s;

  friend bool operator==(const StopPlan&, const StopPlan&) = default;
};

/// What a service shall run. Kept as JSON with the service and, frozen, with each deployment.
struct Spec {
  std::vector<std::string> command;
  std::map<std::string, std::string> env;
  std::string workdir;     // empty: the container's own folder
  std::string user;        // "UID" or "UID:GID"; empty: the controller's own
  std::uint16_t port = 0;  // where the process listens on its container's address; 0: nowhere
  Readiness readiness;
  StopPlan stop;
  std::map<std::string, std::string> labels;  // extra labels of its log streams

  friend bool operator==(const Spec&, const Spec&) = default;
};

/// What is wrong with one field of a request, for the `errors` list of the answer.
struct FieldError {
  std::string field;  // "readiness.path", "command[2]"; empty: the whole document
  std::string code;   // unknown_field, wrong_type, out_of_range, ...
  std::string detail;

  friend bool operator==(const FieldError&, const FieldError&) = default;
};

/// What to do when the service has a deployment under way.
enum class DeployMode {
  kQueue,   // wait; at most one waits, a newer one supersedes it
  kReject,  // answer 409
};

/// The fields of a deploy request that were given.
struct DeployRequest {
  std::optional<std::vector<std::string>> command;
  std::optional<std::map<std::string, std::string>> env;
  std::optional<std::string> workdir;
  std::optional<std::string> user;
  std::optional<std::uint16_t> port;
  std::optional<Readiness> readiness;
  std::optional<StopPlan> stop;
  std::optional<std::map<std::string, std::string>> labels;

  std::string message;
  DeployMode mode = DeployMode::kQueue;
};

struct ParsedDeployRequest {
  DeployRequest request;
  std::vector<FieldError> errors;  // empty: good
  bool malformed = false;          // not JSON at all, rather than a wrong field
};

/// Reads the body of PUT /deploys/{service}; an empty body is an empty request. Every wrong field
/// is reported, not only the first; unknown fields are wrong, so that typos are not ignored.
ParsedDeployRequest ParseDeployRequest(std::string_view json);

/// The spec that `request` asks for. With a command it stands for itself; without one it changes
/// `stored`: env and labels are added key by key, other fields replaced. Adds to `errors` what only
/// shows in the whole, such as a missing command.
Spec ApplyDeployRequest(const DeployRequest& request, const Spec* stored,
                        std::vector<FieldError>& errors);

/// One JSON text per value: equal specs have equal texts. ParseDeployRequest reads it back.
std::string SpecToJson(const Spec& spec);

/// Reads what SpecToJson wrote; nothing when it cannot be.
std::optional<Spec> SpecFromJson(std::string_view json);

/// 16 hexadecimal digits that change when the spec does.
std::string SpecHash(const Spec& spec);

/// [a-z0-9]([a-z0-9-]{0,36}[a-z0-9])?: project and service names, which become host names and
/// network aliases.
bool IsValidName(std::string_view name);

std::string_view ReadinessKindName(Readiness::Kind kind);

}  // namespace dunlin::controller
