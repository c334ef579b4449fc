#include "agent/oom_watch.h"

#include "tests/support/catch.h"
#include "tests/support/manual_clock.h"

namespace dunlin::agent {
namespace {

using namespace std::chrono_literals;

TEST_CASE("a kill counted with the process's end explains it", "[agent][oom]") {
  testing::ManualClock clock;
  OomWatch watch;
  watch.Note(3, clock.Steady());
  clock.Advance(1h);
  CHECK(watch.Explains(4, clock.Steady()));
}

TEST_CASE("a SIGKILL without a kill counted came from somebody", "[agent][oom]") {
  testing::ManualClock clock;
  OomWatch watch;
  watch.Note(3, clock.Steady());
  CHECK_FALSE(watch.Explains(3, clock.Steady()));
}

TEST_CASE("a kill noticed shortly before the end explains it, an old one does not",
          "[agent][oom]") {
  testing::ManualClock clock;
  OomWatch watch;
  watch.Note(0, clock.Steady());
  watch.Note(1, clock.Steady());
  SECTION("the process took a moment to go") {
    clock.Advance(3s);
    CHECK(watch.Explains(1, clock.Steady()));
  }
  SECTION("it was a worker, and its master lived on") {
    clock.Advance(1min);
    CHECK_FALSE(watch.Explains(1, clock.Steady()));
  }
}

TEST_CASE("one kill explains one end", "[agent][oom]") {
  testing::ManualClock clock;
  OomWatch watch;
  watch.Note(0, clock.Steady());
  CHECK(watch.Explains(1, clock.Steady()));
  clock.Advance(1s);
  CHECK_FALSE(watch.Explains(1, clock.Steady()));
  CHECK(watch.Explains(2, clock.Steady()));
}

TEST_CASE("without a count nothing is claimed", "[agent][oom]") {
  testing::ManualClock clock;
  OomWatch watch;
  CHECK_FALSE(watch.Explains({}, clock.Steady()));
  CHECK_FALSE(watch.Explains(5, clock.Steady()));  // it may have been five all along
  watch.Note({}, clock.Steady());
  CHECK(watch.Explains(6, clock.Steady()));
}

}  // namespace
}  // namespace dunlin::agent
