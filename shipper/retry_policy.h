#pragma once

#include <chrono>
#include <cstdint>
#include <random>

namespace dunlin::shipper {

struct RetryOptions {
  std::chrono::milliseconds initial = std::chrono::milliseconds(500);
  std::chrono::milliseconds cap = std::chrono::seconds(30);
};

/// When, and to which collector, the next connection is tried: all of them in order, then a pause
/// of a random length ("full jitter") whose bound doubles from round to round, so that a thousand
/// agents do not return to a restarted collector at once. One thread; reads no clock.
class RetryPolicy {
 public:
  struct Attempt {
    std::size_t collector = 0;  // index into the list
    std::chrono::milliseconds delay{};
    friend bool operator==(const Attempt&, const Attempt&) = default;
  };

  /// `seed` decides the jitter.
  RetryPolicy(std::size_t collectors, std::uint64_t seed, RetryOptions options = {});

  /// The first attempt of all: the first collector, at once.
  Attempt First() { return {}; }
  /// After an attempt that never got as far as a welcome.
  Attempt AfterFailure();
  /// After a connection that had been welcomed broke: from the first collector again, soon.
  Attempt AfterBreak();
  /// After a collector said that this agent is not accepted without a change.
  Attempt AfterRefusal();

 private:
  std::chrono::milliseconds Jitter(std::chrono::milliseconds bound);

  std::size_t collectors_;
  RetryOptions options_;
  std::minstd_rand random_;
  std::size_t collector_ = 0;
  std::chrono::milliseconds bound_;
};

}  // namespace dunlin::shipper
