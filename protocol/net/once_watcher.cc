#include "protocol/net/once_watcher.h"

#include <fcntl.h>
#include <sys/epoll.h>

#include <cerrno>
#include <utility>

#include "protocol/base/check.h"

namespace dunlin::net {
namespace {

/// epoll(7): a descriptor that was reported under EPOLLONESHOT stays in the set, silent, until
/// EPOLL_CTL_MOD, which has nothing to allocate.
bool Control(int set, int operation, int fd, unsigned events) {
  epoll_event event{};
  event.events = events | EPOLLONESHOT;
  return epoll_ctl(set, operation, fd, &event) == 0;
}

Descriptor MakeSet() {
  Descriptor set(epoll_create1(EPOLL_CLOEXEC));
  if (!set && (errno == ENOSYS || errno == EPERM)) {  // a filter that does not know the newer call
    set = Descriptor(epoll_create(1));
    if (set) fcntl(set.get(), F_SETFD, FD_CLOEXEC);
  }
  return set;
}

}  // namespace

OnceWatcher::OnceWatcher(Loop& loop, int fd, std::function<void()> on_readable)
    : fd_(fd),
      set_(MakeSet()),
      set_watcher_(loop, set_.get(), [this, on_readable = std::move(on_readable)] {
        if (TakeReport()) on_readable();
      }) {
  Check(Control(set_.get(), EPOLL_CTL_ADD, fd_, 0), "descriptor cannot be watched");
}

OnceWatcher::~OnceWatcher() = default;

void OnceWatcher::Arm() {
  armed_ = true;
  if (!std::exchange(started_, true)) set_watcher_.Start();
  Check(Control(set_.get(), EPOLL_CTL_MOD, fd_, EPOLLIN), "descriptor cannot be watched again");
}

void OnceWatcher::Stop() {
  armed_ = started_ = false;
  set_watcher_.Stop();
}

/// False for a hang-up or an error while unarmed, which the kernel reports unasked, once.
bool OnceWatcher::TakeReport() {
  epoll_event event{};
  return epoll_wait(set_.get(), &event, 1, 0) == 1 && std::exchange(armed_, false);
}

}  // namespace dunlin::net
