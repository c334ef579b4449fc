#include "controller/model/deployment.h"

#include <array>
#include <utility>

namespace dunlin::controller {
namespace {

template <typename Enum>
using Names = std::pair<Enum, std::string_view>;

constexpr std::array<Names<Status>, 14> kStatuses = {{
    {Status::kPending, "PENDING"},
    {Status::kPreparing, "PREPARING"},
    {Status::kStarting, "STARTING"},
    {Status::kVerifying, "VERIFYING"},
    {Status::kSwitching, "SWITCHING"},
    {Status::kHealthy, "HEALTHY"},
    {Status::kUnhealthy, "UNHEALTHY"},
    {Status::kStopped, "STOPPED"},
    {Status::kRetired, "RETIRED"},
    {Status::kRollingBack, "ROLLING_BACK"},
    {Status::kFailed, "FAILED"},
    {Status::kCancelling, "CANCELLING"},
    {Status::kCancelled, "CANCELLED"},
    {Status::kSuperseded, "SUPERSEDED"},
}};

constexpr std::array<Names<Step>, 11> kSteps = {{
    {Step::kAccept, "accept"},
    {Step::kClaim, "claim"},
    {Step::kAllocate, "allocate"},
    {Step::kCreate, "create"},
    {Step::kStart, "start"},
    {Step::kVerify, "verify"},
    {Step::kSwitch, "switch"},
    {Step::kCommit, "commit"},
    {Step::kStop, "stop"},
    {Step::kSettle, "settle"},
    {Step::kUndo, "undo"},
}};

constexpr std::array<Names<ReasonCode>, 11> kReasonCodes = {{
    {ReasonCode::kDriverUnavailable, "driver_unavailable"},
    {ReasonCode::kCreateFailed, "create_failed"},
    {ReasonCode::kExecFailed, "exec_failed"},
    {ReasonCode::kContainerExited, "container_exited"},
    {ReasonCode::kAgentUnreachable, "agent_unreachable"},
    {ReasonCode::kAgentIdentityMismatch, "agent_identity_mismatch"},
    {ReasonCode::kHealthTimeout, "health_timeout"},
    {ReasonCode::kDeadlineExceeded, "deadline_exceeded"},
    {ReasonCode::kCancelledByUser, "cancelled_by_user"},
    {ReasonCode::kSuperseded, "superseded"},
    {ReasonCode::kInternal, "internal"},
}};

template <typename List, typename Enum>
std::string_view NameOf(const List& list, Enum value) {
  for (const auto& [item, name] : list) {
    if (item == value) return name;
  }
  return "unknown";
}

template <typename Enum, typename List>
std::optional<Enum> ValueOf(const List& list, std::string_view name) {
  for (const auto& [item, item_name] : list) {
    if (item_name == name) return item;
  }
  return std::nullopt;
}

}  // namespace

std::string_view StatusName(Status status) { return NameOf(kStatuses, status); }
std::optional<Status> StatusOf(std::string_view name) { return ValueOf<Status>(kStatuses, name); }

std::string_view StepName(Step step) { return NameOf(kSteps, step); }
std::optional<Step> StepOf(std::string_view name) { return ValueOf<Step>(kSteps, name); }

std::string_view ReasonCodeName(ReasonCode code) { return NameOf(kReasonCodes, code); }
std::optional<ReasonCode> ReasonCodeOf(std::string_view name) {
  return ValueOf<ReasonCode>(kReasonCodes, name);
}

std::string_view OutcomeName(Status status) {
  switch (status) {
    case Status::kPending:
    case Status::kPreparing:
    case Status::kStarting:
    case Status::kVerifying:
    case Status::kSwitching:
    case Status::kRollingBack:
    case Status::kCancelling:
      return "";
    case Status::kHealthy:
    case Status::kUnhealthy:
    case Status::kStopped:
    case Status::kRetired:
      return "HEALTHY";
    case Status::kFailed:
      return "FAILED";
    case Status::kCancelled:
    case Status::kSuperseded:
      return "CANCELLED";
  }
  return "";
}

bool IsActive(const RolloutState& state) {
  switch (state.status) {
    case Status::kPreparing:
    case Status::kStarting:
    case Status::kVerifying:
    case Status::kSwitching:
    case Status::kRollingBack:
    case Status::kCancelling:
      return true;
    case Status::kHealthy:
    case Status::kUnhealthy:
    case Status::kStopped:
      return !state.settled;
    case Status::kPending:
    case Status::kRetired:
    case Status::kFailed:
    case Status::kCancelled:
    case Status::kSuperseded:
      return false;
  }
  return false;
}

}  // namespace dunlin::controller
