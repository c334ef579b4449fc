#include "agent/oom_watch.h"

#include <utility>

namespace dunlin::agent {

void OomWatch::Note(std::optional<std::uint64_t> kills, SteadyTime now) {
  if (!kills) return;
  if (kills_ && *kills > *kills_) risen_ = now;
  kills_ = kills;
}

bool OomWatch::Explains(std::optional<std::uint64_t> kills, SteadyTime now) {
  Note(kills, now);
  auto risen = std::exchange(risen_, std::nullopt);
  return risen && now - *risen <= kWindow;
}

}  // namespace dunlin::agent
