#include "shipper/retry_policy.h"

#include <algorithm>
#include <set>

#include "tests/support/catch.h"

namespace dunlin::shipper {
namespace {

using namespace std::chrono_literals;

TEST_CASE("the first attempt comes at once", "[shipper][retry]") {
  RetryPolicy policy(2, 1);
  CHECK(policy.First() == RetryPolicy::Attempt{0, 0ms});
}

TEST_CASE("every collector is tried before there is a pause", "[shipper][retry]") {
  RetryPolicy policy(3, 1);
  CHECK(policy.AfterFailure() == RetryPolicy::Attempt{1, 0ms});
  CHECK(policy.AfterFailure() == RetryPolicy::Attempt{2, 0ms});
  CHECK(policy.AfterFailure().collector == 0);
}

TEST_CASE("pauses are random below a bound that doubles up to the cap", "[shipper][retry]") {
  constexpr int kPolicies = 300;
  constexpr std::chrono::milliseconds kBounds[] = {500ms, 1s, 2s, 4s, 8s, 16s, 30s, 30s, 30s};
  std::array<std::chrono::milliseconds, std::size(kBounds)> longest{};
  std::array<std::chrono::milliseconds, std::size(kBounds)> shortest;
  shortest.fill(1h);
  for (int seed = 0; seed < kPolicies; ++seed) {
    RetryPolicy policy(1, static_cast<std::uint64_t>(seed) * 0x9E3779B97F4A7C15U);
    for (std::size_t round = 0; round < std::size(kBounds); ++round) {
      auto delay = policy.AfterFailure().delay;
      longest[round] = std::max(longest[round], delay);
      shortest[round] = std::min(shortest[round], delay);
    }
  }
  for (std::size_t round = 0; round < std::size(kBounds); ++round) {
    CAPTURE(round);
    CHECK(longest[round] <= kBounds[round]);
    CHECK(longest[round] > kBounds[round] * 9 / 10);
    CHECK(shortest[round] < kBounds[round] / 10);
  }
}

TEST_CASE("a connection that worked and broke is tried again soon, from the first collector",
          "[shipper][retry]") {
  RetryPolicy policy(2, 42);
  for (int i = 0; i < 21; ++i) policy.AfterFailure();
  auto attempt = policy.AfterBreak();
  CHECK(attempt.collector == 0);
  CHECK(attempt.delay <= 500ms);
  // And the bound begins anew.
  policy.AfterFailure();
  CHECK(policy.AfterFailure().delay <= 500ms);
}

TEST_CASE("a refusal is not asked about again soon", "[shipper][retry]") {
  RetryPolicy policy(1, 42);
  for (int i = 0; i < 100; ++i) {
    auto delay = policy.AfterRefusal().delay;
    CHECK(delay >= 15s);
    CHECK(delay <= 30s);
  }
}

TEST_CASE("different seeds spread", "[shipper][retry]") {
  std::set<std::chrono::milliseconds> delays;
  for (std::uint64_t seed = 1; seed <= 1000; ++seed) {
    delays.insert(RetryPolicy(1, seed << 32 | seed * 7919).AfterBreak().delay);
  }
  CHECK(delays.size() > 300);  // of 501 possible
}

}  // namespace
}  // namespace dunlin::shipper
