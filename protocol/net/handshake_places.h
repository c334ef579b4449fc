#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <list>
#include <memory>

#include "protocol/base/clock.h"

/// For this folder only.
namespace dunlin::net {

/// Bounds how many handshakes hold memory at a time. When every place is taken, a newcomer waits,
/// until one is free or has been held for `patience`: then whoever has held one longest loses it.
/// So peers that never finish keep others waiting, and do not keep them out. Loop thread only;
/// outlives the places. Reads no clock.
class HandshakePlaces {
 public:
  class Place;
  using PlacePtr = std::unique_ptr<Place>;

  std::size_t limit = 256;
  std::chrono::milliseconds patience = std::chrono::seconds(1);

  /// Null when there is none now; ask again. `on_lost` runs at most once and has to destroy the
  /// place.
  PlacePtr Take(SteadyTime now, std::function<void()> on_lost);
  std::size_t taken() const { return taken_.size(); }

 private:
  std::list<Place*> taken_;  // by age, oldest first
};

/// Given back when it is destroyed.
class HandshakePlaces::Place {
 public:
  Place(HandshakePlaces& places, SteadyTime since, std::function<void()> on_lost);
  ~Place();
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;

 private:
  friend class HandshakePlaces;
  HandshakePlaces& places_;
  SteadyTime since_;
  std::function<void()> on_lost_;
  std::list<Place*>::iterator position_;
};

}  // namespace dunlin::net
