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
  /// After an attempt that came to nothing, or a connection that was of no use.
  Attempt AfterFailure();
  /// A connection has been of use: the bound begins anew.
  void Reset() { bound_ = options_.initial; }
  /// After such a connection broke: from the first collector again, soon.
  Attempt AfterBreak();
  /// After a connection was given up in good order, for this collector: at once.
  Attempt AfterDrain(std::size_t collector);
  /// After a collector said that this agent is not accepted without a change.
  Attempt AfterRefusal();

  /// A random time between three quarters of `interval` and all of it: for what every agent does
  /// now and then, and not all of them together.
  std::chrono::milliseconds Spread(std::chrono::milliseconds interval);

 private:
  std::chrono::milliseconds Jitter(std::chrono::milliseconds bound);

  std::size_t collectors_;
  RetryOptions options_;
  std::minstd_rand random_;
  std::size_t collector_ = 0;
  std::chrono::milliseconds bound_;
};

}  // namespace dunlin::shipper
