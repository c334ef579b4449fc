#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <utility>
#include <variant>

#include "agent/probe_attempt.h"
#include "agent/probe_excerpt.h"
#include "protocol/base/text.h"
#include "protocol/base/units.h"
#include "protocol/net/child_process.h"
#include "protocol/net/descriptor.h"

namespace dunlin::agent {
namespace {

using std::chrono::nanoseconds;

/// Of an output its end is kept, where programs say what was wrong.
constexpr std::size_t kKeptBytes = 1_KiB;
/// What a pipe can hold when the program has ended.
constexpr std::size_t kMostLeftBytes = 64_KiB;

class ExecAttempt final : public ProbeAttempt {
 public:
  ExecAttempt(net::Loop& loop, const ExecTarget& target, const ExecUser& user, ChildExits& exits,
              nanoseconds timeout, OnDone on_done)
      : name_(target.command[0]),
        exits_(exits),
        on_done_(std::move(on_done)),
        timer_(loop, [this] { OnTimer(); }) {
    net::SpawnOptions options;
    options.arguments = target.command;
    options.uid = user.uid;
    options.gid = user.gid;
    options.input = net::ChildInput::kNothing;
    options.merge_outputs = true;
    options.pipe_bytes = 0;  // the usual size will do
    auto spawned = net::Spawn(options);
    if (auto* failure = std::get_if<net::SpawnFailure>(&spawned)) {
      not_started_ = std::move(failure->error);
      timer_.Start(nanoseconds(0));
      return;
    }
    auto& child = std::get<net::ChildProcess>(spawned);
    pid_ = child.pid;
    exits_.Await(pid_, [this](net::ExitStatus status) { OnExit(status); });
    output_ = std::move(child.standard_output);
    watcher_.emplace(loop, output_.get(), [this] { OnOutput(); });
    watcher_->Start();
    timer_.Start(timeout);
    timeout_ = timeout;
  }

  ~ExecAttempt() override { Kill(); }

 private:
  void OnTimer() {
    if (not_started_) return Finish(std::move(*not_started_));
    Kill();
    ReadRest();
    Finish(Failure(ErrorCode::kTimeout,
                   Join("has not ended within ", FormatDuration(timeout_), " and was killed")));
  }

  void OnExit(net::ExitStatus status) {
    // What it left running in its group would otherwise pile up, probe after probe. Its number is
    // still taken: the program is not reaped yet.
    kill(-pid_, SIGKILL);
    pid_ = 0;
    ReadRest();
    if (status == net::ExitStatus{}) return Finish({});
    Finish(Failure(ErrorCode::kUnavailable, status.signal != 0
                                                ? Join("was ended by signal ", status.signal)
                                                : Join("ended with ", status.code)));
  }

  void OnOutput() {
    if (Read() == 0) watcher_->Stop();
  }

  /// Bounded, because a descendant outside of the group may go on writing.
  void ReadRest() {
    std::size_t left = kMostLeftBytes;
    while (left > 0) {
      const ssize_t size = Read();
      if (size <= 0) return;
      left -= std::min(left, static_cast<std::size_t>(size));
    }
  }

  /// One read, so that a program that prints without end gets no more than its turn. 0 at the end,
  /// less when there is nothing.
  ssize_t Read() {
    std::array<char, 4096> buffer;
    ssize_t size = 0;
    do {
      size = read(output_.get(), buffer.data(), buffer.size());
    } while (size < 0 && errno == EINTR);
    if (size < 0) return errno == EAGAIN ? -1 : 0;
    said_.append(buffer.data(), static_cast<std::size_t>(size));
    if (said_.size() > kKeptBytes) said_.erase(0, said_.size() - kKeptBytes);
    return size;
  }

  Error Failure(ErrorCode code, std::string_view what) const {
    std::string_view said = LastLineOf(said_);
    return Error(code, Join(name_, " ", what, said.empty() ? "" : ": ", said));
  }

  void Kill() {
    if (pid_ == 0) return;
    kill(-pid_, SIGKILL);
    exits_.Ignore(pid_);
    pid_ = 0;
  }

  void Finish(Result<void> result) {
    timer_.Stop();
    watcher_.reset();
    OnDone done = std::move(on_done_);
    done(std::move(result));
  }

  std::string name_;
  ChildExits& exits_;
  OnDone on_done_;
  net::Timer timer_;
  nanoseconds timeout_{0};
  std::optional<Error> not_started_;
  pid_t pid_ = 0;  // while it is not reaped, and not given up
  net::Descriptor output_;
  std::optional<net::DescriptorWatcher> watcher_;
  std::string said_;
};

}  // namespace

std::unique_ptr<ProbeAttempt> AttemptExec(net::Loop& loop, const ExecTarget& target,
                                          const ExecUser& user, ChildExits& exits,
                                          nanoseconds timeout, ProbeAttempt::OnDone on_done) {
  return std::make_unique<ExecAttempt>(loop, target, user, exits, timeout, std::move(on_done));
}

}  // namespace dunlin::agent
