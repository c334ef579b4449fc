#include "shipper/retry_policy.h"

#include <algorithm>

#include "protocol/base/check.h"

namespace dunlin::shipper {

RetryPolicy::RetryPolicy(std::size_t collectors, std::uint64_t seed, RetryOptions options)
    : collectors_(collectors),
      options_(options),
      random_(static_cast<std::minstd_rand::result_type>(seed ^ (seed >> 32))),
      bound_(options.initial) {
  Check(collectors > 0, "a retry policy without collectors");
}

RetryPolicy::Attempt RetryPolicy::AfterFailure() {
  collector_ = (collector_ + 1) % collectors_;
  if (collector_ != 0) return {collector_, {}};
  std::chrono::milliseconds delay = Jitter(bound_);
  bound_ = std::min(bound_ * 2, options_.cap);
  return {collector_, delay};
}

RetryPolicy::Attempt RetryPolicy::AfterBreak() {
  collector_ = 0;
  Reset();
  return {collector_, Jitter(bound_)};
}

RetryPolicy::Attempt RetryPolicy::AfterDrain(std::size_t collector) {
  collector_ = collector;
  Reset();
  return {collector_, {}};
}

RetryPolicy::Attempt RetryPolicy::AfterRefusal() {
  collector_ = (collector_ + 1) % collectors_;
  if (collector_ != 0) return {collector_, {}};
  bound_ = options_.cap;
  // Not before half the cap: the answer will be the same until a person has acted.
  return {collector_, options_.cap / 2 + Jitter(options_.cap / 2)};
}

std::chrono::milliseconds RetryPolicy::Spread(std::chrono::milliseconds interval) {
  return interval - Jitter(interval / 4);
}

std::chrono::milliseconds RetryPolicy::Jitter(std::chrono::milliseconds bound) {
  return std::chrono::milliseconds(
      std::uniform_int_distribution<std::chrono::milliseconds::rep>(0, bound.count())(random_));
}

}  // namespace dunlin::shipper
