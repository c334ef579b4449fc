#include "protocol/base/clock.h"

namespace dunlin {
namespace {

class MachineClock final : public Clock {
 public:
  LogTime Now() const override {
    return std::chrono::time_point_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now());
  }
  SteadyTime Steady() const override { return std::chrono::steady_clock::now(); }
};

}  // namespace

const Clock& SystemClock() {
  static const MachineClock clock;
  return clock;
}

}  // namespace dunlin
