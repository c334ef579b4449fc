#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>

#include "agent/child_exits.h"
#include "agent/probe_target.h"
#include "protocol/base/result.h"
#include "protocol/net/loop.h"

namespace dunlin::agent {

/// One probe on its way. Destroying it cancels it: its callback does not run, its connection is
/// closed, its program killed. Loop thread only.
///
/// The callback runs exactly once, never before the start has returned, and at the latest when the
/// timeout is over. It may destroy the attempt. An Error is a failed probe and says why.
class ProbeAttempt {
 public:
  using OnDone = std::function<void(Result<void>)>;
  virtual ~ProbeAttempt() = default;
};

/// Passes when something accepts a connection.
std::unique_ptr<ProbeAttempt> AttemptTcp(net::Loop& loop, const TcpTarget& target,
                                         std::chrono::nanoseconds timeout,
                                         ProbeAttempt::OnDone on_done);

/// Passes when a GET is answered with a status from 200 to 399; a redirect is such an answer and
/// not followed. The body is read to its end, or to 64 KiB.
std::unique_ptr<ProbeAttempt> AttemptHttp(net::Loop& loop, const HttpTarget& target,
                                          std::chrono::nanoseconds timeout,
                                          ProbeAttempt::OnDone on_done);

/// Who runs an exec probe: the user that the process itself has.
struct ExecUser {
  std::optional<uid_t> uid;
  std::optional<gid_t> gid;
};

/// Passes when the program ends with 0. It has no input; of its output the last line is told when
/// it fails. It ends with all of its process group: what it leaves running there is killed. `exits`
/// outlives the attempt.
std::unique_ptr<ProbeAttempt> AttemptExec(net::Loop& loop, const ExecTarget& target,
                                          const ExecUser& user, ChildExits& exits,
                                          std::chrono::nanoseconds timeout,
                                          ProbeAttempt::OnDone on_done);

}  // namespace dunlin::agent
