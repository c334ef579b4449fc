#include "protocol/net/handshake_places.h"

#include <vector>

#include "tests/support/catch.h"

namespace dunlin::net {
namespace {

using namespace std::chrono_literals;

/// Somebody who holds a place until it is lost.
struct Holder {
  bool Ask(HandshakePlaces& places, SteadyTime now) {
    place = places.Take(now, [this] { place.reset(); });
    return place != nullptr;
  }
  HandshakePlaces::PlacePtr place;
};

TEST_CASE("a newcomer waits until a handshake is over", "[net][tls]") {
  HandshakePlaces places;
  places.limit = 2;
  SteadyTime now{};
  Holder first, second, third;
  CHECK(first.Ask(places, now));
  CHECK(second.Ask(places, now));
  CHECK_FALSE(third.Ask(places, now + 999ms));
  CHECK(places.taken() == 2);
  second.place.reset();
  CHECK(third.Ask(places, now + 999ms));
  CHECK(first.place);
}

TEST_CASE("who has held a place longest loses it to a newcomer, after a while", "[net][tls]") {
  HandshakePlaces places;
  places.limit = 2;
  SteadyTime now{};
  Holder first, second, third, fourth;
  CHECK(first.Ask(places, now));
  CHECK(second.Ask(places, now + 500ms));
  CHECK(third.Ask(places, now + 1s));
  CHECK_FALSE(first.place);
  CHECK(second.place);
  CHECK_FALSE(fourth.Ask(places, now + 1499ms));
  CHECK(fourth.Ask(places, now + 1500ms));
  CHECK_FALSE(second.place);
  CHECK(third.place);
  CHECK(places.taken() == 2);
}

}  // namespace
}  // namespace dunlin::net
