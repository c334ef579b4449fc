#include <signal.h>
#include <sys/wait.h>

#include <cerrno>

#include "protocol/net/child_process.h"
#include "protocol/net/signals.h"

namespace dunlin::net {
namespace {

ExitStatus StatusOf(const siginfo_t& info) {
  if (info.si_code == CLD_EXITED) return {.code = info.si_status};
  return {.signal = info.si_status, .core_dumped = info.si_code == CLD_DUMPED};
}

}  // namespace

std::optional<int> TakeStop(pid_t child) {
  siginfo_t info{};
  while (waitid(P_PID, static_cast<id_t>(child), &info, WSTOPPED | WNOHANG) != 0) {
    if (errno != EINTR) return std::nullopt;
  }
  if (info.si_pid == 0) return std::nullopt;
  return info.si_status;
}

struct Reaper::Impl {
  std::function<void(pid_t, ExitStatus)> on_exit;
  std::unique_ptr<SignalWatcher> watcher;
  bool polling = false;
  bool* destroyed = nullptr;  // tells Poll

  ~Impl() {
    if (destroyed != nullptr) *destroyed = true;
  }

  void Poll() {
    if (polling) return;  // called from on_exit; the loop below goes on
    polling = true;
    bool gone = false;
    destroyed = &gone;
    // SIGCHLDs coalesce, so one may stand for many exits.
    for (;;) {
      siginfo_t info{};
      int status = waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT);
      if (status != 0 && errno == EINTR) continue;
      if (status != 0 || info.si_pid == 0) break;
      auto callback = std::move(on_exit);
      callback(info.si_pid, StatusOf(info));
      siginfo_t reaped{};
      while (waitid(P_PID, static_cast<id_t>(info.si_pid), &reaped, WEXITED | WNOHANG) != 0 &&
             errno == EINTR) {
      }
      if (gone) return;
      on_exit = std::move(callback);
    }
    destroyed = nullptr;
    polling = false;
  }
};

Reaper::Reaper(Loop& loop, std::function<void(pid_t, ExitStatus)> on_exit)
    : impl_(std::make_unique<Impl>()) {
  impl_->on_exit = std::move(on_exit);
  impl_->watcher =
      std::make_unique<SignalWatcher>(loop, SIGCHLD, [impl = impl_.get()](int) { impl->Poll(); });
}

Reaper::~Reaper() = default;

void Reaper::Poll() { impl_->Poll(); }

}  // namespace dunlin::net
