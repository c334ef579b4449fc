#pragma once

#include <uv.h>

#include <memory>
#include <string_view>
#include <utility>

#include "protocol/base/result.h"

/// For this folder only: who owns libuv's memory, and what its error codes mean.
namespace dunlin::net {

/// Deleter for a heap-allocated, successfully initialised libuv handle. libuv uses the memory until
/// its close callback has run, so that callback frees it, not the owner.
struct HandleCloser {
  template <typename H>
  void operator()(H* handle) const noexcept {
    handle->data = nullptr;  // a late callback finds no owner
    uv_close(reinterpret_cast<uv_handle_t*>(handle),
             [](uv_handle_t* h) { delete reinterpret_cast<H*>(h); });
  }
};
template <typename H>
using HandlePtr = std::unique_ptr<H, HandleCloser>;

/// Runs the callback stored in `slot`, an object that the callback may destroy: it is moved out
/// first and put back only while `handle` still has its owner, unless replaced meanwhile. Returns
/// whether the owner is still there. Call it from a callback of `handle`, whose memory then
/// outlives the call.
template <typename H, typename Callback, typename... Args>
bool CallStored(const H* handle, Callback& slot, Args&&... args) {
  Callback callback = std::move(slot);
  slot = nullptr;
  if (callback) callback(std::forward<Args>(args)...);
  if (handle->data == nullptr) return false;
  if (!slot) slot = std::move(callback);
  return true;
}

/// The one translation of libuv's status codes, which are negated errnos here.
Error UvError(int status, std::string_view what);

}  // namespace dunlin::net
