#include "protocol/net/descriptor.h"

#include <fcntl.h>
#include <unistd.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "tests/net/test_pipe.h"
#include "tests/support/catch.h"
#include "tests/support/loop_runner.h"

namespace dunlin::net {
namespace {

using namespace std::chrono_literals;
using testing::RunUntil;

bool IsOpen(int fd) { return fcntl(fd, F_GETFD) >= 0; }

TEST_CASE("a descriptor closes what it owns, once", "[net][descriptor]") {
  TestPipe pipe;
  int fd = pipe.read.get();
  Descriptor moved = std::move(pipe.read);
  CHECK_FALSE(pipe.read);
  CHECK(IsOpen(fd));
  moved = std::move(pipe.write);
  CHECK_FALSE(IsOpen(fd));
  int released = moved.Release();
  moved.Reset();
  CHECK(IsOpen(released));
  close(released);
}

TEST_CASE("a watcher calls while there is something to read", "[net][descriptor]") {
  Loop loop;
  TestPipe pipe;
  int calls = 0;
  DescriptorWatcher watcher(loop, pipe.read.get(), [&] {
    if (++calls == 3) pipe.ReadSome();  // not read until then: level-triggered
  });
  pipe.Write("x");
  loop.RunOnce();
  CHECK(calls == 0);  // not started
  watcher.Start();
  RunUntil(loop, [&] { return calls == 3; });
  loop.RunOnce();
  CHECK(calls == 3);
  pipe.Write("y");
  RunUntil(loop, [&] { return calls > 3; });
}

TEST_CASE("a stopped watcher is silent until started again", "[net][descriptor]") {
  Loop loop;
  TestPipe pipe;
  int calls = 0;
  std::optional<DescriptorWatcher> watcher;
  watcher.emplace(loop, pipe.read.get(), [&] {
    ++calls;
    watcher->Stop();
  });
  watcher->Start();
  pipe.Write("x");
  loop.Run();  // a stopped watcher does not keep it going
  CHECK(calls == 1);
  watcher->Start();
  loop.Run();
  CHECK(calls == 2);
}

TEST_CASE("the end of a pipe counts as readable", "[net][descriptor]") {
  Loop loop;
  TestPipe pipe;
  ssize_t got = -1;
  std::optional<DescriptorWatcher> watcher;
  watcher.emplace(loop, pipe.read.get(), [&] {
    got = pipe.ReadSome();
    watcher.reset();
  });
  watcher->Start();
  pipe.write.Reset();
  loop.Run();
  CHECK(got == 0);
}

TEST_CASE("an error of a descriptor counts as readable, again and again", "[net][descriptor]") {
  Loop loop;
  TestPipe pipe;
  int calls = 0;
  // A write end whose reader is gone is in error (EPOLLERR), which libuv would stop watching.
  std::optional<DescriptorWatcher> watcher;
  watcher.emplace(loop, pipe.write.get(), [&] {
    if (++calls == 2) watcher.reset();
  });
  watcher->Start();
  pipe.read.Reset();
  loop.Run();
  CHECK(calls == 2);
}

TEST_CASE("a destroyed watcher does not call and frees its descriptor", "[net][descriptor]") {
  Loop loop;
  TestPipe pipe;
  int calls = 0;
  {
    DescriptorWatcher watcher(loop, pipe.read.get(), [&] { ++calls; });
    watcher.Start();
    pipe.Write("x");
  }
  loop.Run();
  CHECK(calls == 0);
  // The same number may be watched again at once.
  DescriptorWatcher again(loop, pipe.read.get(), [&] {
    ++calls;
    again.Stop();
  });
  again.Start();
  loop.Run();
  CHECK(calls == 1);
}

}  // namespace
}  // namespace dunlin::net
