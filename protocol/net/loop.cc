#include "protocol/net/loop.h"

#include <algorithm>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/check.h"
#include "protocol/base/text.h"
#include "protocol/net/handle.h"
#include "protocol/net/signals.h"

namespace dunlin::net {
namespace {

constexpr double kLagBounds[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5};

using Tasks = std::vector<std::function<void()>>;

/// What keeps a loop from closing: "2 timer (active), 1 tcp (closing), 1 request".
std::string Leftovers(uv_loop_t* loop) {
  struct Kind {
    std::string name;
    std::size_t count;
  };
  std::vector<Kind> kinds;
  uv_walk(
      loop,
      [](uv_handle_t* handle, void* into) {
        const std::string_view state = uv_is_closing(handle)  ? " (closing)"
                                       : uv_is_active(handle) ? " (active)"
                                                              : " (idle)";
        std::string name = Join(uv_handle_type_name(handle->type), state);
        auto& all = *static_cast<std::vector<Kind>*>(into);
        auto found = std::ranges::find(all, name, &Kind::name);
        if (found == all.end()) found = all.insert(found, {std::move(name), 0});
        ++found->count;
      },
      &kinds);
  std::string text;
  for (const Kind& kind : kinds) text += Join(kind.count, " ", kind.name, ", ");
  return text + Join(loop->active_reqs.count, " requests");
}

}  // namespace

struct Loop::Impl {
  uv_loop_t loop;
  HandlePtr<uv_async_t> wake;
  std::unique_ptr<char[]> read_buffer;
  std::mutex mutex;
  Tasks tasks;  // guarded by mutex

  Tasks TakeTasks() {
    std::lock_guard lock(mutex);
    return std::exchange(tasks, {});
  }

  // Tasks posted meanwhile wait for the next turn, so that sockets get theirs.
  void RunTasks() {
    for (auto& task : TakeTasks()) {
      task();
      task = nullptr;  // what it owns goes before the next one runs
    }
  }
};

Loop::Loop(std::size_t read_bytes)
    : impl_(std::make_unique<Impl>()),
      raw_(&impl_->loop),
      read_bytes_(read_bytes),
      lag_(kLagBounds) {
  IgnoreBrokenPipes();
  Check(uv_loop_init(raw_) == 0, "cannot make an event loop");
  auto wake = std::make_unique<uv_async_t>();
  Check(uv_async_init(raw_, wake.get(),
                      [](uv_async_t* handle) {
                        if (handle->data != nullptr) static_cast<Impl*>(handle->data)->RunTasks();
                      }) == 0,
        "cannot make the wake-up of an event loop");
  impl_->wake.reset(wake.release());
  impl_->wake->data = impl_.get();
  uv_unref(reinterpret_cast<uv_handle_t*>(impl_->wake.get()));
}

Loop::~Loop() {
  // Tasks may own handles of this loop, and may post as they are destroyed.
  while (!impl_->TakeTasks().empty()) {
  }
  // The Post whose task ended this loop may not have returned yet.
  { std::lock_guard lock(impl_->mutex); }
  impl_->wake.reset();
  // Close callbacks run in the turn after uv_close; those of signals may need one more. Anything
  // still open after that has an owner who outlived the loop.
  int status = UV_EBUSY;
  for (int turn = 0; turn < 16 && status == UV_EBUSY; ++turn) {
    uv_run(raw_, UV_RUN_NOWAIT);
    status = uv_loop_close(raw_);
  }
  if (status == 0) return;
  const std::string what =
      Join("an event loop is destroyed before the objects made with it: ", Leftovers(raw_));
  Check(false, what.c_str());
}

void Loop::Run() {
  impl_->RunTasks();
  uv_run(raw_, UV_RUN_DEFAULT);
}

void Loop::RunOnce() {
  impl_->RunTasks();
  uv_run(raw_, UV_RUN_NOWAIT);
}

void Loop::Stop() { uv_stop(raw_); }

void Loop::Post(std::function<void()> task) {
  std::lock_guard lock(impl_->mutex);
  impl_->tasks.push_back(std::move(task));
  uv_async_send(impl_->wake.get());
}

std::span<char> Loop::read_buffer() {
  if (!impl_->read_buffer) {
    impl_->read_buffer = std::make_unique_for_overwrite<char[]>(read_bytes_);
  }
  return {impl_->read_buffer.get(), read_bytes_};
}

}  // namespace dunlin::net
