#include "protocol/net/handshake_places.h"

#include <utility>

#include "protocol/base/check.h"

namespace dunlin::net {

HandshakePlaces::PlacePtr HandshakePlaces::Take(SteadyTime now, std::function<void()> on_lost) {
  if (taken_.size() >= limit) {
    Place* oldest = taken_.front();
    if (now - oldest->since_ < patience) return nullptr;
    auto lose = std::move(oldest->on_lost_);
    lose();
    Check(taken_.size() < limit, "a lost place was kept");
  }
  return std::make_unique<Place>(*this, now, std::move(on_lost));
}

HandshakePlaces::Place::Place(HandshakePlaces& places, SteadyTime since,
                              std::function<void()> on_lost)
    : places_(places),
      since_(since),
      on_lost_(std::move(on_lost)),
      position_(places.taken_.insert(places.taken_.end(), this)) {}

HandshakePlaces::Place::~Place() { places_.taken_.erase(position_); }

}  // namespace dunlin::net
