#include <algorithm>

#include "protocol/base/check.h"
#include "protocol/net/handle.h"
#include "protocol/net/loop.h"

namespace dunlin::net {
namespace {

constexpr std::uint64_t kNanosecondsPerMillisecond = 1'000'000;

// A timer's callback is on the stack of this thread, which runs one loop at a time.
thread_local bool firing = false;

std::uint64_t CeilMilliseconds(std::uint64_t ns) {
  return (ns + kNanosecondsPerMillisecond - 1) / kNanosecondsPerMillisecond;
}

std::uint64_t Positive(std::chrono::nanoseconds duration) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(duration.count(), 0));
}

}  // namespace

struct Timer::Impl {
  HandlePtr<uv_timer_t> handle;
  HandlePtr<uv_idle_t> next_turn;  // once it was needed
  std::function<void()> on_fire;
  Loop* loop = nullptr;
  std::uint64_t due_ms = 0;  // on libuv's clock; zero: the next turn, which cannot be late
  std::uint64_t repeat_ms = 0;

  void NoteLag() {
    if (due_ms == 0) return;
    const std::uint64_t due_ns = due_ms * kNanosecondsPerMillisecond;
    const std::uint64_t now_ns = uv_hrtime();
    loop->NoteLag(now_ns > due_ns ? static_cast<double>(now_ns - due_ns) / 1e9 : 0);
    if (uv_timer_get_repeat(handle.get()) != 0)
      due_ms = uv_now(handle->loop) + uv_timer_get_repeat(handle.get());
  }

  template <typename H>
  static void Fire(H* handle, Impl& impl) {
    firing = true;
    CallStored(handle, impl.on_fire);
    firing = false;
  }

  static void OnTimer(uv_timer_t* timer) {
    auto* impl = static_cast<Impl*>(timer->data);
    if (impl == nullptr) return;
    impl->NoteLag();
    Fire(timer, *impl);
  }

  static void OnNextTurn(uv_idle_t* idle) {
    auto* impl = static_cast<Impl*>(idle->data);
    if (impl == nullptr) return;
    uv_idle_stop(idle);
    // Armed before the callback, as libuv does it, so that the callback can stop it.
    if (impl->repeat_ms != 0) {
      uv_timer_start(impl->handle.get(), OnTimer, impl->repeat_ms, impl->repeat_ms);
    }
    Fire(idle, *impl);
  }

  void StartNextTurn() {
    if (!next_turn) {
      auto idle = std::make_unique<uv_idle_t>();
      Check(uv_idle_init(handle->loop, idle.get()) == 0, "cannot make a timer");
      next_turn.reset(idle.release());
      next_turn->data = this;
    }
    uv_timer_stop(handle.get());
    uv_idle_start(next_turn.get(), OnNextTurn);
  }

  void Stop() {
    uv_timer_stop(handle.get());
    if (next_turn) uv_idle_stop(next_turn.get());
  }
};

Timer::Timer(Loop& loop, std::function<void()> on_fire) : impl_(std::make_unique<Impl>()) {
  auto handle = std::make_unique<uv_timer_t>();
  Check(uv_timer_init(loop.raw(), handle.get()) == 0, "cannot make a timer");
  impl_->handle.reset(handle.release());
  impl_->handle->data = impl_.get();
  impl_->on_fire = std::move(on_fire);
  impl_->loop = &loop;
}

Timer::~Timer() = default;

void Timer::Start(std::chrono::nanoseconds delay, std::chrono::nanoseconds repeat) {
  impl_->Stop();
  impl_->due_ms = 0;
  impl_->repeat_ms = CeilMilliseconds(Positive(repeat));
  // libuv runs timers as long as one is due, so what a timer arms must come after sockets have had
  // their turn.
  if (firing && delay.count() <= 0) return impl_->StartNextTurn();
  uv_timer_t* handle = impl_->handle.get();
  std::uint64_t delay_ms = 0;
  if (delay.count() > 0) {
    // The loop's clock stands still during a turn and drops what is below a millisecond; count from
    // the real time, up to the first tick that is late enough.
    std::uint64_t due_ms = CeilMilliseconds(uv_hrtime() + Positive(delay));
    std::uint64_t now_ms = uv_now(handle->loop);
    delay_ms = due_ms > now_ms ? due_ms - now_ms : 0;
    if (firing) delay_ms = std::max<std::uint64_t>(delay_ms, 1);
    impl_->due_ms = now_ms + delay_ms;
  }
  uv_timer_start(handle, Impl::OnTimer, delay_ms, impl_->repeat_ms);
}

void Timer::Stop() { impl_->Stop(); }

bool Timer::active() const {
  return uv_is_active(reinterpret_cast<const uv_handle_t*>(impl_->handle.get())) != 0 ||
         (impl_->next_turn != nullptr &&
          uv_is_active(reinterpret_cast<const uv_handle_t*>(impl_->next_turn.get())) != 0);
}

}  // namespace dunlin::net
