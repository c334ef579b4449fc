#include "collector/ingest/read_gate.h"

#include <random>
#include <set>

#include "tests/support/catch.h"

namespace dunlin::ingest {
namespace {

using Ids = std::vector<ConnectionId>;

constexpr ConnectionId A{1};
constexpr ConnectionId B{2};
constexpr ConnectionId C{3};
constexpr ConnectionId D{4};

ReadGate::Limits SmallLimits() { return {100, 300, 10, 1000, 2}; }

TEST_CASE("a connection at its limit is not read until it holds half of it", "[ingest][gate]") {
  ReadGate gate(SmallLimits());
  gate.Add(A);
  gate.Add(B);
  gate.Charge(A, 99);
  CHECK(gate.MayRead(A));
  gate.Charge(A, 1);
  CHECK_FALSE(gate.MayRead(A));
  CHECK(gate.MayRead(B));
  CHECK_FALSE(gate.closed());
  gate.Release(A, 49);
  CHECK(gate.Open().empty());
  gate.Release(A, 1);
  CHECK(gate.Open() == Ids{A});
  CHECK(gate.MayRead(A));
  CHECK(gate.charged_bytes() == 50);
}

TEST_CASE("at the limit of all nobody is read, until half of it is free", "[ingest][gate]") {
  ReadGate gate(SmallLimits());
  for (ConnectionId id : {A, B, C, D}) gate.Add(id);
  gate.Charge(A, 90);
  gate.Charge(B, 90);
  CHECK(gate.pressed());
  gate.Charge(C, 200);  // one batch may go over
  CHECK(gate.closed());
  for (ConnectionId id : {A, B, C, D}) CHECK_FALSE(gate.MayRead(id));
  CHECK(gate.unread() == 4);
  gate.Add(ConnectionId{5});
  CHECK_FALSE(gate.MayRead(ConnectionId{5}));
  gate.Release(C, 200);
  CHECK(gate.closed());
  CHECK(gate.Open().empty());
  gate.Release(A, 30);
  CHECK_FALSE(gate.closed());
  // Who holds nothing had no turn yet and comes first; then a few at a time, as they stopped.
  CHECK(gate.Open() == Ids{D, A});
  CHECK(gate.Open() == Ids{B, ConnectionId{5}});
  CHECK(gate.Open() == Ids{C});
  CHECK(gate.Open().empty());
}

TEST_CASE("every connection gets its turn while a few would fill the room", "[ingest][gate]") {
  ReadGate gate({100, 300, 10, 1000, 2});
  constexpr std::uint64_t kConnections = 50;
  for (std::uint64_t i = 0; i < kConnections; ++i) gate.Add(ConnectionId{i});
  std::map<ConnectionId, int> turns;
  std::vector<std::pair<ConnectionId, std::uint64_t>> held;
  // Whoever may be read sends at once as much as it may.
  auto send = [&](ConnectionId id) {
    if (!gate.MayRead(id)) return;
    ++turns[id];
    gate.Charge(id, 90);
    held.emplace_back(id, 90);
  };
  for (std::uint64_t i = 0; i < kConnections; ++i) send(ConnectionId{i});
  for (int round = 0; round < 1000; ++round) {
    for (const auto& [id, bytes] : std::exchange(held, {})) gate.Release(id, bytes);
    for (Ids opened = gate.Open(); !opened.empty(); opened = gate.Open()) {
      for (ConnectionId id : opened) send(id);
    }
    CHECK(gate.charged_bytes() <= 300 + 90);
  }
  int least = 1000;
  int most = 0;
  for (std::uint64_t i = 0; i < kConnections; ++i) {
    least = std::min(least, turns[ConnectionId{i}]);
    most = std::max(most, turns[ConnectionId{i}]);
  }
  CHECK(least > 0);
  CHECK(most <= least * 2);
}

TEST_CASE("few large frames come in at once, the others wait in line", "[ingest][gate]") {
  ReadGate gate(SmallLimits());
  for (ConnectionId id : {A, B, C, D}) gate.Add(id);
  for (ConnectionId id : {A, B, C, D}) gate.SetPartialFrame(id, 11, 500);
  CHECK(gate.MayRead(A));
  CHECK(gate.MayRead(B));
  CHECK_FALSE(gate.MayRead(C));
  CHECK_FALSE(gate.MayRead(D));
  CHECK(gate.partial_bytes() == 44);
  CHECK(gate.ContestedPlaces() == Ids{A, B});
  CHECK(gate.Open().empty());
  gate.SetPartialFrame(A, 499, 500);  // a place is for the whole frame
  CHECK(gate.MayRead(A));
  SECTION("a frame that came whole frees its place") {
    gate.SetPartialFrame(A, 0, 0);
    CHECK(gate.Open() == Ids{C});
    CHECK_FALSE(gate.MayRead(D));
  }
  SECTION("so does a connection that ends") {
    gate.Remove(B);
    CHECK(gate.Open() == Ids{C});
    gate.Remove(C);
    CHECK(gate.Open() == Ids{D});
    CHECK(gate.ContestedPlaces().empty());
    CHECK(gate.partial_bytes() == 510);
  }
  SECTION("who ends while it waits is passed over") {
    gate.Remove(C);
    gate.SetPartialFrame(A, 3, 500);
    CHECK(gate.Open() == Ids{D});
  }
}

TEST_CASE("places are for bytes: many middling frames, or one that is larger than the limit",
          "[ingest][gate]") {
  ReadGate gate(SmallLimits());
  for (std::uint64_t id = 1; id <= 12; ++id) {
    gate.Add(ConnectionId{id});
    gate.SetPartialFrame(ConnectionId{id}, 11, 100);
    CHECK(gate.MayRead(ConnectionId{id}) == (id <= 10));
  }
  ConnectionId giant{13};
  gate.Add(giant);
  gate.SetPartialFrame(giant, 11, 5000);
  for (std::uint64_t id = 1; id <= 10; ++id) gate.SetPartialFrame(ConnectionId{id}, 0, 0);
  CHECK(gate.Open() == Ids{ConnectionId{11}, ConnectionId{12}});
  gate.SetPartialFrame(ConnectionId{11}, 0, 0);
  CHECK(gate.Open().empty());
  gate.SetPartialFrame(ConnectionId{12}, 0, 0);
  CHECK(gate.Open() == Ids{giant});
  gate.SetPartialFrame(ConnectionId{11}, 11, 100);
  CHECK_FALSE(gate.MayRead(ConnectionId{11}));
  // The next frame of the same connection has to wait behind it.
  gate.SetPartialFrame(giant, 20, 600);
  CHECK_FALSE(gate.MayRead(giant));
  CHECK(gate.Open() == Ids{ConnectionId{11}, giant});
}

TEST_CASE("those that have gone contest no place", "[ingest][gate]") {
  ReadGate gate(SmallLimits());
  for (ConnectionId id : {A, B, C}) gate.Add(id);
  for (ConnectionId id : {A, B, C}) gate.SetPartialFrame(id, 11, 500);
  CHECK(gate.ContestedPlaces() == Ids{A, B});
  gate.Remove(C);
  CHECK(gate.ContestedPlaces().empty());
}

TEST_CASE("a place and the total are both needed", "[ingest][gate]") {
  ReadGate gate(SmallLimits());
  for (ConnectionId id : {A, B, C}) gate.Add(id);
  gate.SetPartialFrame(A, 11, 500);
  gate.SetPartialFrame(B, 11, 500);
  gate.Charge(C, 300);
  gate.SetPartialFrame(C, 11, 500);
  REQUIRE(gate.closed());
  gate.Release(C, 300);
  CHECK(gate.Open() == Ids{A, B});
  CHECK(gate.Open().empty());
  CHECK_FALSE(gate.MayRead(C));
  gate.SetPartialFrame(B, 0, 0);
  CHECK(gate.Open() == Ids{C});
}

TEST_CASE("whatever happens, charges add up and nobody waits for ever", "[ingest][gate]") {
  std::mt19937_64 random(7);
  ReadGate gate(SmallLimits());
  std::set<ConnectionId> present;
  std::vector<std::pair<ConnectionId, std::uint64_t>> held;
  std::uint64_t total = 0;
  std::uint64_t next = 0;
  for (int step = 0; step < 20'000; ++step) {
    switch (random() % 6) {
      case 0: {
        ConnectionId id{next++};
        gate.Add(id);
        present.insert(id);
        break;
      }
      case 1: {
        if (present.size() < 5) break;
        auto id =
            *std::next(present.begin(), static_cast<std::ptrdiff_t>(random() % present.size()));
        gate.Remove(id);
        present.erase(id);
        break;
      }
      case 2:
      case 3: {
        if (present.empty()) break;
        auto id =
            *std::next(present.begin(), static_cast<std::ptrdiff_t>(random() % present.size()));
        if (!gate.MayRead(id)) break;
        std::uint64_t bytes = random() % 60;
        gate.Charge(id, bytes);
        held.emplace_back(id, bytes);
        total += bytes;
        gate.SetPartialFrame(id, random() % 20, 300);
        break;
      }
      default: {
        if (held.empty()) break;
        std::swap(held[random() % held.size()], held.back());
        gate.Release(held.back().first, held.back().second);
        total -= held.back().second;
        held.pop_back();
        gate.Open();
        break;
      }
    }
    REQUIRE(gate.charged_bytes() == total);
    REQUIRE(total < 300 + 60);
  }
  for (const auto& [id, bytes] : held) gate.Release(id, bytes);
  // Frames end when they are read.
  do {
    for (ConnectionId id : present) {
      if (gate.MayRead(id)) gate.SetPartialFrame(id, 0, 0);
    }
  } while (!gate.Open().empty());
  for (ConnectionId id : present) CHECK(gate.MayRead(id));
  CHECK(gate.charged_bytes() == 0);
  CHECK(gate.partial_bytes() == 0);
}

}  // namespace
}  // namespace dunlin::ingest
