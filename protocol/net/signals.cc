#include "protocol/net/signals.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "protocol/base/check.h"
#include "protocol/base/text.h"
#include "protocol/net/child_start.h"
#include "protocol/net/handle.h"

namespace dunlin::net {
namespace {

SignalSet SignalsIgnoredNow() {
  SignalSet ignored;
  for (std::size_t signal = 1; signal < ignored.size(); ++signal) {
    struct sigaction action;
    if (sigaction(static_cast<int>(signal), nullptr, &action) == 0 &&
        action.sa_handler == SIG_IGN) {
      ignored.set(signal);
    }
  }
  return ignored;
}

/// Told of a SIGPIPE that somebody sent.
std::atomic<uv_async_t*> broken_pipe_listener{nullptr};

/// The kernel names the writer itself as the sender of the SIGPIPE that a failed write causes.
/// Async-signal-safe, as uv_async_send is (libuv's documentation of it).
void OnBrokenPipe(int, siginfo_t* info, void*) {
  const int error_number = errno;
  if (info->si_pid != getpid()) {
    if (uv_async_t* listener = broken_pipe_listener.load()) uv_async_send(listener);
  }
  errno = error_number;
}

/// Faults of this process's own: blocked, the kernel would end it without a word.
constexpr int kFaults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS};

void Unblock(int signal) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signal);
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

}  // namespace

const SignalSet& SignalsIgnoredAtStart() {
  // Taken on the first call, so whatever changes a disposition calls it first.
  static const SignalSet ignored = SignalsIgnoredNow();
  return ignored;
}

struct SignalWatcher::Impl {
  int signal;
  std::function<void(int)> on_signal;
  HandlePtr<uv_signal_t> handle;
  HandlePtr<uv_async_t> broken_pipe;  // in its place for SIGPIPE

  ~Impl() {
    if (!broken_pipe) return;
    IgnoreBrokenPipes();
    broken_pipe_listener = nullptr;
  }

  Result<void> Watch(Loop& loop) {
    auto watcher = std::make_unique<uv_signal_t>();
    Check(uv_signal_init(loop.raw(), watcher.get()) == 0, "cannot make a signal watcher");
    handle.reset(watcher.release());
    handle->data = this;
    const int status = uv_signal_start(
        handle.get(),
        [](uv_signal_t* raw, int number) {
          auto* impl = static_cast<Impl*>(raw->data);
          if (impl != nullptr) CallStored(raw, impl->on_signal, number);
        },
        signal);
    if (status == 0) return {};
    return Error(ErrorCode::kUnsupported,
                 Join("cannot watch signal ", signal, ": ", uv_strerror(status)));
  }

  void WatchBrokenPipes(Loop& loop) {
    auto listener = std::make_unique<uv_async_t>();
    Check(uv_async_init(loop.raw(), listener.get(),
                        [](uv_async_t* raw) {
                          auto* impl = static_cast<Impl*>(raw->data);
                          if (impl != nullptr) CallStored(raw, impl->on_signal, SIGPIPE);
                        }) == 0,
          "cannot make a signal watcher");
    broken_pipe.reset(listener.release());
    broken_pipe->data = this;
    Check(broken_pipe_listener.exchange(broken_pipe.get()) == nullptr,
          "SIGPIPE is watched already");
    struct sigaction action {};
    action.sa_sigaction = OnBrokenPipe;
    action.sa_flags = SA_SIGINFO | SA_RESTART;
    sigfillset(&action.sa_mask);
    sigaction(SIGPIPE, &action, nullptr);
  }
};

Result<std::unique_ptr<SignalWatcher>> SignalWatcher::Try(
    Loop& loop, int signal, std::function<void(int signal)> on_signal) {
  SignalsIgnoredAtStart();
  auto impl = std::make_unique<Impl>();
  impl->signal = signal;
  impl->on_signal = std::move(on_signal);
  if (signal == SIGPIPE) {
    impl->WatchBrokenPipes(loop);
  } else if (auto watched = impl->Watch(loop); !watched) {
    return std::move(watched).error();
  }
  Unblock(signal);
  return std::unique_ptr<SignalWatcher>(new SignalWatcher(std::move(impl)));
}

SignalWatcher::SignalWatcher(Loop& loop, int signal, std::function<void(int signal)> on_signal) {
  auto watcher = Try(loop, signal, std::move(on_signal));
  Check(watcher.has_value(), "signal can be watched");
  impl_ = std::move((*watcher)->impl_);
}

SignalWatcher::SignalWatcher(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SignalWatcher::~SignalWatcher() = default;

void IgnoreBrokenPipes() {
  SignalsIgnoredAtStart();
  signal(SIGPIPE, SIG_IGN);
}

void IgnoreTerminalStops() {
  SignalsIgnoredAtStart();
  signal(SIGTTIN, SIG_IGN);
  signal(SIGTTOU, SIG_IGN);
}

void HoldSignals() {
  sigset_t held;
  sigfillset(&held);
  for (int fault : kFaults) sigdelset(&held, fault);
  pthread_sigmask(SIG_SETMASK, &held, nullptr);
}

void ReleaseSignals() {
  sigset_t none;
  sigemptyset(&none);
  pthread_sigmask(SIG_SETMASK, &none, nullptr);
}

}  // namespace dunlin::net
