#include "protocol/net/signals.h"

#include <signal.h>

#include "protocol/base/check.h"
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

}  // namespace

const SignalSet& SignalsIgnoredAtStart() {
  // Taken on the first call, so whatever changes a disposition calls it first.
  static const SignalSet ignored = SignalsIgnoredNow();
  return ignored;
}

struct SignalWatcher::Impl {
  HandlePtr<uv_signal_t> handle;
  std::function<void(int)> on_signal;
};

SignalWatcher::SignalWatcher(Loop& loop, int signal, std::function<void(int signal)> on_signal)
    : impl_(std::make_unique<Impl>()) {
  SignalsIgnoredAtStart();
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
  SignalsIgnoredAtStart();
  signal(SIGPIPE, SIG_IGN);
}

}  // namespace dunlin::net
