#pragma once

#include <chrono>
#include <functional>

#include "protocol/net/loop.h"
#include "tests/support/catch.h"

namespace dunlin::testing {

/// Runs `loop` until `done` holds, which is asked every millisecond; fails the test after `limit`.
inline void RunUntil(net::Loop& loop, const std::function<bool()>& done,
                     std::chrono::seconds limit = std::chrono::seconds(20)) {
  if (done()) return;
  bool late = false;
  net::Timer ask(loop, [&] {
    if (done()) loop.Stop();
  });
  net::Timer end(loop, [&] {
    late = true;
    loop.Stop();
  });
  ask.Start(std::chrono::milliseconds(1), std::chrono::milliseconds(1));
  end.Start(limit);
  loop.Run();
  INFO("waited for " << limit.count() << " s");
  REQUIRE_FALSE(late);
}

}  // namespace dunlin::testing
