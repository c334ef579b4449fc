#include "shipper/retry_policy.h"

#include <algorithm>
#include <set>
#include <vector>

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

TEST_CASE("a connection given up in good order is replaced at once, with the same collector",
          "[shipper][retry]") {
  RetryPolicy policy(3, 42);
  for (int i = 0; i < 21; ++i) policy.AfterFailure();
  CHECK(policy.AfterDrain(1) == RetryPolicy::Attempt{1, 0ms});
  // When that fails after all, the others follow.
  CHECK(policy.AfterFailure() == RetryPolicy::Attempt{2, 0ms});
  auto attempt = policy.AfterFailure();
  CHECK(attempt.collector == 0);
  CHECK(attempt.delay <= 500ms);
}

TEST_CASE("the bound begins anew once a connection was of use", "[shipper][retry]") {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    RetryPolicy policy(1, seed);
    for (int i = 0; i < 10; ++i) policy.AfterFailure();
    policy.Reset();
    CHECK(policy.AfterFailure().delay <= 500ms);
  }
}

TEST_CASE("what is done now and then is spread over a quarter of its interval",
          "[shipper][retry]") {
  std::chrono::milliseconds shortest = 1h, longest = 0ms;
  for (std::uint64_t seed = 1; seed <= 1000; ++seed) {
    auto time = RetryPolicy(1, seed << 32 | seed * 7919).Spread(10min);
    shortest = std::min(shortest, time);
    longest = std::max(longest, time);
  }
  CHECK(shortest >= 450s);
  CHECK(shortest < 455s);
  CHECK(longest <= 600s);
  CHECK(longest > 595s);
  CHECK(RetryPolicy(1, 1).Spread(0ms) == 0ms);
}

/// When each of a thousand agents is back after its collector was away for `outage`.
std::vector<std::chrono::milliseconds> Returns(std::chrono::milliseconds outage) {
  std::vector<std::chrono::milliseconds> returns;
  for (std::uint64_t agent = 0; agent < 1000; ++agent) {
    RetryPolicy policy(1, (agent + 1) * 0x9E3779B97F4A7C15U);
    std::chrono::milliseconds now = policy.AfterBreak().delay;
    while (now < outage) now += policy.AfterFailure().delay + 1ms;
    returns.push_back(now - outage);
  }
  std::ranges::sort(returns);
  return returns;
}

TEST_CASE("a thousand agents return to a restarted collector spread over the jitter window",
          "[shipper][retry]") {
  SECTION("after a restart that took no time") {
    auto returns = Returns(0ms);
    CHECK(returns.back() <= 500ms);
    CHECK(returns.back() > 450ms);
    // Each twentieth of the window gets about a twentieth of them: 50, give or take 4 deviations.
    for (auto from = 0ms; from < 500ms; from += 25ms) {
      CAPTURE(from.count());
      auto count = std::ranges::count_if(
          returns, [&](auto time) { return time >= from && time < from + 25ms; });
      CHECK(count > 50 - 28);
      CHECK(count < 50 + 28);
    }
  }
  SECTION("after a long one") {
    auto returns = Returns(5min);
    CHECK(returns.back() <= 30s);
    // A bound of 30 s: half are back within 15 s at the latest, and never more than a tenth of
    // them at the same second.
    CHECK(returns[500] <= 15s);
    for (auto from = 0ms; from < 30s; from += 1s) {
      CAPTURE(from.count());
      CHECK(std::ranges::count_if(
                returns, [&](auto time) { return time >= from && time < from + 1s; }) < 100);
    }
  }
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
