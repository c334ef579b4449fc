// The collector's wall clock is set while agents send: only what it says of times may differ.

#include <string>
#include <thread>
#include <vector>

#include "tests/store/store_fixture.h"

namespace dunlin::store {
namespace {

using namespace std::chrono_literals;

const LogTime kStart = LogTimeOf(testing::ManualClock::kStartNs);

/// What an agent sends: entries with times of its own.
AppendRequest Batch(std::uint64_t sequence) {
  AppendRequest request = RequestOf({{NanosecondsOf(kStart) + static_cast<std::int64_t>(sequence),
                                      StreamOf("web"),
                                      "line " + std::to_string(sequence),
                                      {}}});
  request.id = BatchId{IdOf(9), IdOf(1), sequence, 1};
  return request;
}

TEST_CASE("a collector's clock set forward an hour and back two stores all, once",
          "[store][clock]") {
  StoreFixture fixture;
  fixture.Open();
  std::uint64_t sequence = 0;
  for (auto offset : {0h, 1h, -1h, 0h}) {
    CAPTURE(offset.count());
    fixture.clock.SetWall(kStart + offset);
    for (int i = 0; i < 3; ++i) {
      ++sequence;
      auto stored = fixture.Append(Batch(sequence));
      REQUIRE(stored);
      CHECK(*stored == AppendOutcome::kStored);
      auto again = fixture.Append(Batch(sequence));
      REQUIRE(again);
      CHECK(*again == AppendOutcome::kDuplicate);
    }
    if (offset == 1h) fixture.Flush();
  }
  CHECK(fixture.ScanAll().size() == sequence);
  fixture.clock.SetWall(kStart - 1h);
  fixture.KillAndReopen();
  auto again = fixture.Append(Batch(sequence));
  REQUIRE(again);
  CHECK(*again == AppendOutcome::kDuplicate);
  CHECK(fixture.ScanAll().size() == sequence);
}

TEST_CASE("a head is written at its age although the clock was set back", "[store][clock]") {
  StoreFixture fixture;
  fixture.Open();
  fixture.Store1({{NanosecondsOf(kStart), StreamOf("web"), "quiet", {}}});
  fixture.clock.SetWall(kStart - 2h);
  fixture.clock.Advance(fixture.options.head_age + 1s);
  // The segment thread looks once a second.
  while (fixture.store().Stats().segments == 0) std::this_thread::yield();
  CHECK(fixture.ScanAll().size() == 1);
}

}  // namespace
}  // namespace dunlin::store
