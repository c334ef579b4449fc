#pragma once

#include <functional>

#include "protocol/net/descriptor.h"
#include "protocol/net/loop.h"

namespace dunlin::net {

/// Watches a descriptor that the caller owns and keeps open until the watcher is destroyed. Calls
/// back once for each Arm(). To arm it again allocates nothing, in the kernel neither, where a
/// DescriptorWatcher's Start() does: in a memory cgroup at its limit that is an occasion to be
/// killed, even while the process that the kernel chose first is still giving its memory back. Loop
/// thread only. The callback may arm, stop or destroy the watcher.
class OnceWatcher {
 public:
  /// `fd` must be pollable (a pipe or socket). Starts stopped. Hang-ups and errors count as
  /// readable: the read tells.
  OnceWatcher(Loop& loop, int fd, std::function<void()> on_readable);
  ~OnceWatcher();
  OnceWatcher(const OnceWatcher&) = delete;
  OnceWatcher& operator=(const OnceWatcher&) = delete;

  void Arm();
  /// Calls no more, nor keeps the loop going, until armed again; which allocates, then.
  void Stop();

 private:
  bool TakeReport();

  int fd_;
  Descriptor set_;  // an epoll instance of one descriptor, readable while that is, if armed
  DescriptorWatcher set_watcher_;
  bool started_ = false;
  bool armed_ = false;
};

}  // namespace dunlin::net
