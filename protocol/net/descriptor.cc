#include "protocol/net/descriptor.h"

#include <unistd.h>

#include "protocol/base/check.h"
#include "protocol/net/handle.h"

namespace dunlin::net {

void Descriptor::Reset() {
  // Linux frees the number even when close reports an error, so it is never tried again.
  if (fd_ >= 0) close(Release());
}

struct DescriptorWatcher::Impl {
  HandlePtr<uv_poll_t> handle;
  std::function<void()> on_readable;

  static void OnPoll(uv_poll_t* poll, int status, int /*events*/) {
    auto* impl = static_cast<Impl*>(poll->data);
    if (impl == nullptr) return;
    // libuv stops watching a descriptor in error; the reader is to see the error instead.
    if (status < 0) uv_poll_start(poll, UV_READABLE, OnPoll);
    CallStored(poll, impl->on_readable);
  }
};

DescriptorWatcher::DescriptorWatcher(Loop& loop, int fd, std::function<void()> on_readable)
    : impl_(std::make_unique<Impl>()) {
  auto handle = std::make_unique<uv_poll_t>();
  Check(uv_poll_init(loop.raw(), handle.get(), fd) == 0, "descriptor cannot be watched");
  impl_->handle.reset(handle.release());
  impl_->handle->data = impl_.get();
  impl_->on_readable = std::move(on_readable);
}

DescriptorWatcher::~DescriptorWatcher() = default;

void DescriptorWatcher::Start() { uv_poll_start(impl_->handle.get(), UV_READABLE, Impl::OnPoll); }

void DescriptorWatcher::Stop() { uv_poll_stop(impl_->handle.get()); }

}  // namespace dunlin::net
