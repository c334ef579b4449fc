#include "protocol/net/once_watcher.h"

#include <memory>
#include <optional>
#include <utility>

#include "tests/net/test_pipe.h"
#include "tests/support/catch.h"
#include "tests/support/loop_runner.h"

namespace dunlin::net {
namespace {

using testing::RunUntil;

TEST_CASE("a watcher that calls once is silent until armed again", "[net][descriptor]") {
  Loop loop;
  TestPipe pipe;
  int calls = 0;
  OnceWatcher watcher(loop, pipe.read.get(), [&] { ++calls; });
  pipe.Write("x");
  loop.RunOnce();
  CHECK(calls == 0);  // not armed
  watcher.Arm();
  RunUntil(loop, [&] { return calls == 1; });
  pipe.Write("y");
  for (int i = 0; i < 3; ++i) loop.RunOnce();
  CHECK(calls == 1);
  watcher.Arm();
  RunUntil(loop, [&] { return calls == 2; });
}

TEST_CASE("a watcher that calls once may be armed from its call", "[net][descriptor]") {
  Loop loop;
  TestPipe pipe;
  int calls = 0;
  std::optional<OnceWatcher> watcher;
  watcher.emplace(loop, pipe.read.get(), [&] {
    if (++calls < 3) watcher->Arm();  // not read: readable as before
    if (calls == 3) watcher->Stop();
  });
  watcher->Arm();
  pipe.Write("x");
  loop.Run();  // stopped, it does not keep the loop going
  CHECK(calls == 3);
  watcher->Arm();
  RunUntil(loop, [&] { return calls == 4; });
}

TEST_CASE("the end of a pipe is seen by a watcher that calls once, when it is armed",
          "[net][descriptor]") {
  Loop loop;
  TestPipe pipe;
  ssize_t got = -1;
  std::optional<OnceWatcher> watcher;
  watcher.emplace(loop, pipe.read.get(), [&] {
    got = pipe.ReadSome();
    if (got > 0) return;
    watcher.reset();
  });
  pipe.Write("x");
  watcher->Arm();
  RunUntil(loop, [&] { return got == 1; });
  pipe.write.Reset();
  for (int i = 0; i < 3; ++i) loop.RunOnce();
  CHECK(got == 1);
  watcher->Arm();
  loop.Run();
  CHECK(got == 0);
}

TEST_CASE("a watcher that calls once is stopped or destroyed without a call", "[net][descriptor]") {
  Loop loop;
  TestPipe pipe;
  int calls = 0;
  pipe.Write("x");
  {
    OnceWatcher watcher(loop, pipe.read.get(), [&] { ++calls; });
    watcher.Arm();
    SECTION("stopped") {
      watcher.Stop();
      loop.Run();
    }
    SECTION("destroyed") {}
  }
  loop.Run();
  CHECK(calls == 0);
}

}  // namespace
}  // namespace dunlin::net
