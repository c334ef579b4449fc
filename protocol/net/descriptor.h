#pragma once

#include <functional>
#include <memory>

#include "protocol/net/loop.h"

namespace dunlin::net {

/// An owned file descriptor, closed when destroyed.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() { Reset(); }
  Descriptor(Descriptor&& other) noexcept : fd_(other.Release()) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    if (this != &other) {
      Reset();
      fd_ = other.Release();
    }
    return *this;
  }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int Release() {
    int fd = fd_;
    fd_ = -1;
    return fd;
  }
  void Reset();

 private:
  int fd_ = -1;
};

/// Watches a descriptor that the caller owns and keeps open until the watcher is destroyed.
/// Level-triggered; loop thread only. The callback may destroy the watcher.
class DescriptorWatcher {
 public:
  /// `fd` must be pollable (a pipe or socket) and becomes non-blocking. Starts stopped. Hang-ups
  /// and errors count as readable: the read tells.
  DescriptorWatcher(Loop& loop, int fd, std::function<void()> on_readable);
  ~DescriptorWatcher();
  DescriptorWatcher(const DescriptorWatcher&) = delete;
  DescriptorWatcher& operator=(const DescriptorWatcher&) = delete;

  void Start();
  void Stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dunlin::net
