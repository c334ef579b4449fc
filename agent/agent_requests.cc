// What others ask of the process.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <csignal>

#include "agent/agent.h"
#include "protocol/base/text.h"

namespace dunlin::agent {

Result<void> Agent::Start() {
  if (supervisor_.state() != Supervisor::State::kBackingOff) {
    return Error(ErrorCode::kUnavailable,
                 Join("cannot start: the process is ", StateName(supervisor_.state()),
                      ", and only a pause before a restart can be ended"));
  }
  Perform(supervisor_.OnStartRequested(clock_.Steady()));
  return {};
}

Result<void> Agent::Restart(RestartCause cause) {
  if (!supervisor_.can_restart()) {
    return Error(ErrorCode::kUnavailable, "cannot restart: the agent is about to end");
  }
  Perform(supervisor_.OnRestartRequested(cause, clock_.Steady()));
  return {};
}

Result<void> Agent::Stop(std::optional<std::chrono::nanoseconds> grace) {
  Perform(supervisor_.OnStopRequested(grace, clock_.Steady()));
  return {};
}

Result<void> Agent::Signal(int signal) {
  if (signal < 1 || signal > SIGRTMAX) {
    return Error(ErrorCode::kInvalidArgument, Join("there is no signal ", signal));
  }
  if (tree_->leader() == 0) {
    return Error(ErrorCode::kUnavailable, "cannot signal: no process runs");
  }
  tree_->Send({signal, configuration_.stop_mode == StopMode::kLeader ? Supervisor::Target::kLeader
                                                                     : Supervisor::Target::kGroup});
  return {};
}

Result<void> Agent::Command(std::string_view line) {
  if (configuration_.standard_input != StandardInput::kPipe) {
    return Error(ErrorCode::kUnsupported,
                 "cannot pass on a command: the process's input is not ours (--stdin pipe)");
  }
  if (!process_input_) {
    return Error(ErrorCode::kUnavailable, "cannot pass on a command: no process runs");
  }
  // Up to this size a pipe takes all or nothing (pipe(7)), so half a command is never left there.
  if (line.size() >= PIPE_BUF || line.find('\n') != std::string_view::npos) {
    return Error(ErrorCode::kInvalidArgument,
                 Join("a command is one line of at most ", PIPE_BUF - 1, " bytes"));
  }
  const std::string text = Join(line, "\n");
  ssize_t written;
  do {
    written = write(process_input_.get(), text.data(), text.size());
  } while (written < 0 && errno == EINTR);
  if (written >= 0) return {};
  if (errno == EAGAIN) {
    return Error(ErrorCode::kExhausted,
                 "cannot pass on a command: the process has not read those before it");
  }
  return ErrnoError(errno, "cannot pass on a command");
}

Result<void> Agent::Drain() {
  if (tree_->leader() == 0) {
    return Error(ErrorCode::kUnavailable, "cannot drain: no process runs");
  }
  draining_ = true;
  return {};
}

}  // namespace dunlin::agent
