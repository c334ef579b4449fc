#include "protocol/net/signals.h"

#include <signal.h>

#include <bitset>

#include "protocol/base/check.h"
#include "protocol/net/handle.h"

namespace dunlin::net {
namespace {

using SignalSet = std::bitset<_NSIG>;

SignalSet IgnoredNow() {
  SignalSet ignored;
  for (int signal = 1; signal < _NSIG; ++signal) {
    struct sigaction action;
    if (sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN) {
      ignored.set(static_cast<std::size_t>(signal));
    }
  }
  return ignored;
}

/// Taken on the first call, which therefore comes before the first change.
const SignalSet& IgnoredAtStart() {
  static const SignalSet ignored = IgnoredNow();
  return ignored;
}

}  // namespace

struct SignalWatcher::Impl {
  HandlePtr<uv_signal_t> handle;
  std::function<void(int)> on_signal;
};

SignalWatcher::SignalWatcher(Loop& loop, int signal, std::function<void(int signal)> on_signal)
    : impl_(std::make_unique<Impl>()) {
  IgnoredAtStart();
  auto handle = std::make_unique<uv_signal_t>();
  Check(uv_signal_init(loop.raw(), handle.get()) == 0, "cannot make a signal watcher");
  impl_->handle.reset(handle.release());
  impl_->handle->data = impl_.get();
  impl_->on_signal = std::move(on_signal);
  Check(uv_signal_start(
            impl_->handle.get(),
            [](uv_signal_t* watcher, int number) {
              auto* impl = static_cast<Impl*>(watcher->data);
              if (impl != nullptr) CallStored(watcher, impl->on_signal, number);
            },
            signal) == 0,
        "signal cannot be watched");
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signal);
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

SignalWatcher::~SignalWatcher() = default;

void IgnoreBrokenPipes() {
  IgnoredAtStart();
  signal(SIGPIPE, SIG_IGN);
}

bool WasIgnoredAtStart(int signal) {
  return signal > 0 && signal < _NSIG && IgnoredAtStart().test(static_cast<std::size_t>(signal));
}

}  // namespace dunlin::net
