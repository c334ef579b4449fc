#include "collector/store/dedup.h"

#include <cstring>

#include "tests/store/store_fixture.h"

namespace dunlin::store {
namespace {

AppendRequest Sequence(std::uint64_t sequence, std::uint64_t oldest_held = 1,
                       std::uint8_t boot = 1) {
  AppendRequest request;
  request.id = BatchId{IdOf(9), IdOf(boot), sequence, oldest_held};
  return request;
}

constexpr std::int64_t kNow = testing::ManualClock::kStartNs;

TEST_CASE("sequences are taken in order, once", "[store][dedup]") {
  DedupState state;
  DedupGroup group(state);
  CHECK(group.Decide(Sequence(2), kNow) == AppendOutcome::kGap);
  CHECK(group.Decide(Sequence(1), kNow) == AppendOutcome::kStored);
  CHECK(group.Decide(Sequence(1), kNow) == AppendOutcome::kDuplicate);  // queued counts
  CHECK(group.Decide(Sequence(2), kNow) == AppendOutcome::kStored);
  CHECK(state.NextSequence({IdOf(9), IdOf(1)}) == 1);  // nothing is durable yet
  state.Add(Sequence(1).id, {}, kNow);
  state.Add(Sequence(2).id, {}, kNow);
  CHECK(state.NextSequence({IdOf(9), IdOf(1)}) == 3);
  DedupGroup later(state);
  CHECK(later.Decide(Sequence(2), kNow) == AppendOutcome::kDuplicate);
  CHECK(later.Decide(Sequence(4), kNow) == AppendOutcome::kGap);
  CHECK(later.Decide(Sequence(1, 1, /*boot=*/2), kNow) == AppendOutcome::kStored);
}

TEST_CASE("sequences a sender no longer holds are not waited for", "[store][dedup]") {
  DedupState state;
  DedupGroup group(state);
  CHECK(group.Decide(Sequence(7, 8), kNow) == AppendOutcome::kStored);
  CHECK(group.Decide(Sequence(8, 5), kNow) == AppendOutcome::kStored);
  CHECK(group.Decide(Sequence(10, 9), kNow) == AppendOutcome::kGap);
  CHECK(group.Decide(Sequence(3, 1), kNow) == AppendOutcome::kDuplicate);
}

TEST_CASE("a batch that stands for a range takes the place of all of it", "[store][dedup]") {
  auto range = [](std::uint64_t first, std::uint64_t last) {
    AppendRequest request = Sequence(last);
    request.id->first_sequence = first;
    return request;
  };
  DedupState state;
  state.Add(Sequence(1).id, {}, kNow);
  {
    DedupGroup group(state);
    CHECK(group.Decide(range(3, 7), kNow) == AppendOutcome::kGap);  // 2 may still come
    CHECK(group.Decide(range(2, 7), kNow) == AppendOutcome::kStored);
    CHECK(group.Decide(range(2, 7), kNow) == AppendOutcome::kDuplicate);
    // Made wider since, it still covers what is expected.
    CHECK(group.Decide(range(2, 9), kNow) == AppendOutcome::kStored);
    CHECK(group.Decide(Sequence(5), kNow) == AppendOutcome::kDuplicate);
    CHECK(group.Decide(Sequence(10), kNow) == AppendOutcome::kStored);
  }
  state.Add(range(2, 9).id, {}, kNow);
  CHECK(state.NextSequence({IdOf(9), IdOf(1)}) == 10);
  CHECK(DedupGroup(state).Decide(range(4, 9), kNow) == AppendOutcome::kDuplicate);
}

TEST_CASE("a repeated body is a duplicate for ten minutes", "[store][dedup]") {
  DedupState state;
  AppendRequest request;
  request.content_hash = IdOf(4);
  {
    DedupGroup group(state);
    CHECK(group.Decide(request, kNow) == AppendOutcome::kStored);
    CHECK(group.Decide(request, kNow) == AppendOutcome::kDuplicate);
  }
  state.Add({}, request.content_hash, kNow);
  std::int64_t end = kNow + kContentMemory.count();
  CHECK(DedupGroup(state).Decide(request, end - 1) == AppendOutcome::kDuplicate);
  CHECK(DedupGroup(state).Decide(request, end) == AppendOutcome::kStored);
  state.Expire(end);
  CHECK(state.contents() == 0);
}

TEST_CASE("a batch without identity is always new", "[store][dedup]") {
  DedupState state;
  DedupGroup group(state);
  CHECK(group.Decide(AppendRequest(), kNow) == AppendOutcome::kStored);
  CHECK(group.Decide(AppendRequest(), kNow) == AppendOutcome::kStored);
}

TEST_CASE("deduplication state survives being written in pieces", "[store][dedup]") {
  DedupState state;
  DedupState copy;
  for (std::uint8_t round = 1; round <= 5; ++round) {
    state.Add(BatchId{IdOf(1), IdOf(round % 3), round, 1}, {}, kNow + round);
    state.Add({}, IdOf(round), kNow + round);
    REQUIRE(copy.Apply(state.TakeChanges()));
  }
  std::string whole;
  state.AppendAll(whole);
  DedupState third;
  REQUIRE(third.Apply(whole));
  for (const DedupState* other : {&copy, &third}) {
    CHECK(other->boots() == 3);
    CHECK(other->contents() == 5);
    for (std::uint8_t boot = 0; boot < 3; ++boot) {
      BootKey key{IdOf(1), IdOf(boot)};
      CHECK(other->NextSequence(key) == state.NextSequence(key));
    }
  }
  // What was taken over is not handed on as a change, or the manifest's copy would grow for ever.
  CHECK(third.TakeChanges() == DedupState().TakeChanges());
  CHECK_FALSE(third.Apply("\x01"));
}

TEST_CASE("boots are forgotten by age and by number", "[store][dedup]") {
  DedupState state;
  for (std::uint32_t i = 0; i < kMaxBoots + 10; ++i) {
    RandomId boot{};
    std::memcpy(boot.data(), &i, sizeof i);
    state.Add(BatchId{IdOf(1), boot, 5, 1}, {}, kNow + i);
  }
  state.Expire(kNow);
  CHECK(state.boots() == kMaxBoots);
  RandomId first{};
  CHECK(state.NextSequence({IdOf(1), first}) == 1);
  state.Expire(kNow + kMaxBoots + 10 + kBootMemory.count());
  CHECK(state.boots() == 0);
}

}  // namespace
}  // namespace dunlin::store
