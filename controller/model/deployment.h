#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "controller/model/ids.h"

namespace dunlin::controller {

/// Where a deployment stands (docs/controller.md, "Statuses").
enum class Status {
  kPending,      // accepted, waits for its turn
  kPreparing,    // claimed; identity and address being fixed
  kStarting,     // its container is being created and started
  kVerifying,    // its container runs and is watched
  kSwitching,    // becoming the current version
  kHealthy,      // the current version
  kUnhealthy,    // the current version, not ready now
  kStopped,      // the current version, stopped on request
  kRetired,      // a later version took over
  kRollingBack,  // failed; what it started is being removed
  kFailed,
  kCancelling,
  kCancelled,
  kSuperseded,  // a newer one took its place in the queue
};

/// One step of a rollout; the log of steps and crash recovery speak of these.
enum class Step {
  kAccept,
  kClaim,
  kAllocate,
  kCreate,
  kStart,
  kVerify,
  kSwitch,
  kCommit,
  kStop,
  kSettle,
  kUndo,
};

enum class ReasonCode {
  kDriverUnavailable,
  kCreateFailed,
  kExecFailed,
  kContainerExited,
  kAgentUnreachable,
  kAgentIdentityMismatch,
  kHealthTimeout,
  kDeadlineExceeded,
  kCancelledByUser,
  kSuperseded,
  kInternal,
};

/// Why a deployment is not HEALTHY: a code for programs, a sentence for people.
struct Reason {
  ReasonCode code = ReasonCode::kInternal;
  std::string detail;

  friend bool operator==(const Reason&, const Reason&) = default;
};

/// What was seen of a failed version before it was removed.
struct Evidence {
  std::optional<int> exit_code;
  std::optional<int> signal;
  std::string probe;                   // what the last readiness probe met; empty: none was made
  std::vector<std::string> last_logs;  // oldest first, at most kMaxEvidenceLines

  friend bool operator==(const Evidence&, const Evidence&) = default;
};

inline constexpr std::size_t kMaxEvidenceLines = 50;

/// All that a rollout must remember to go on after a crash: stored before and after each effect.
struct RolloutState {
  Status status = Status::kPending;
  Step step = Step::kAccept;
  ContainerId container;  // of this version; empty until allocated
  /// To be stopped after the switch: the container of the version before. In STOPPED, its own.
  /// Empty: none.
  ContainerId previous;
  /// Time used up, not counting time without a controller: in the present step, and in all.
  std::chrono::nanoseconds step_spent{0};
  std::chrono::nanoseconds total_spent{0};
  std::optional<Reason> reason;
  std::optional<Evidence> evidence;
  std::vector<std::string> warnings;
  bool settled = false;  // nothing is left to do for the rollout

  friend bool operator==(const RolloutState&, const RolloutState&) = default;
};

/// "PENDING", "ROLLING_BACK".
std::string_view StatusName(Status status);
std::optional<Status> StatusOf(std::string_view name);

/// "claim", "verify".
std::string_view StepName(Step step);
std::optional<Step> StepOf(std::string_view name);

/// "health_timeout".
std::string_view ReasonCodeName(ReasonCode code);
std::optional<ReasonCode> ReasonCodeOf(std::string_view name);

/// HEALTHY, FAILED or CANCELLED once it is decided, for clients that know only those words; empty
/// before.
std::string_view OutcomeName(Status status);

/// Whether the rollout engine has work to do, the queue aside.
bool IsActive(const RolloutState& state);

}  // namespace dunlin::controller
