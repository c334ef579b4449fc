#include "agent/probe_policy.h"

#include <vector>

#include "tests/support/catch.h"

namespace dunlin::agent {
namespace {

using namespace std::chrono_literals;
using Status = ProbePolicy::Status;

constexpr SteadyTime kBegin{1000s};

TEST_CASE("nothing is probed while there is no process", "[agent][probe]") {
  ProbePolicy policy({});
  CHECK(policy.status() == Status::kIdle);
  CHECK_FALSE(policy.next_probe());
  CHECK_FALSE(policy.OnResult(true, kBegin));
  CHECK(policy.status() == Status::kIdle);
  CHECK_FALSE(policy.next_probe());
}

TEST_CASE("probes start an interval apart and never overlap", "[agent][probe]") {
  ProbePolicy policy({.interval = 10s, .first_pause = 10s});
  policy.Begin(kBegin);
  REQUIRE(policy.next_probe() == kBegin + 10s);
  policy.OnProbeStarted(kBegin + 11s);
  CHECK_FALSE(policy.next_probe());
  policy.OnResult(true, kBegin + 12s);
  CHECK(policy.next_probe() == kBegin + 21s);
  // One that takes longer than the interval: the next begins when it has ended.
  policy.OnProbeStarted(kBegin + 21s);
  policy.OnResult(false, kBegin + 40s);
  CHECK(policy.next_probe() == kBegin + 40s);
}

TEST_CASE("a short first pause doubles up to the interval until a probe succeeds",
          "[agent][probe]") {
  ProbePolicy policy({.interval = 1s, .first_pause = 100ms});
  policy.Begin(kBegin);
  SteadyTime now = kBegin;
  auto fail = [&] {
    const auto pause = *policy.next_probe() - now;
    now = *policy.next_probe();
    policy.OnProbeStarted(now);
    policy.OnResult(false, now);
    return pause;
  };
  CHECK(fail() == 100ms);
  CHECK(fail() == 200ms);
  CHECK(fail() == 400ms);
  CHECK(fail() == 800ms);
  CHECK(fail() == 1s);
  CHECK(fail() == 1s);
  // The next run begins eagerly again; after its first success the interval holds.
  policy.Begin(now);
  CHECK(fail() == 100ms);
  now = *policy.next_probe();
  policy.OnProbeStarted(now);
  policy.OnResult(true, now);
  CHECK(*policy.next_probe() - now == 1s);
  CHECK(fail() == 1s);
}

TEST_CASE("a first pause over the interval is the interval", "[agent][probe]") {
  ProbePolicy policy({.interval = 50ms, .first_pause = 100ms});
  policy.Begin(kBegin);
  CHECK(policy.next_probe() == kBegin + 50ms);
}

TEST_CASE("failures within the start period do not count, until a success", "[agent][probe]") {
  ProbePolicy policy({.start_period = 60s, .interval = 10s, .failures = 2});
  policy.Begin(kBegin);
  CHECK_FALSE(policy.OnResult(false, kBegin + 10s));
  CHECK_FALSE(policy.OnResult(false, kBegin + 59s));
  CHECK(policy.failures_in_a_row() == 0);
  CHECK(policy.status() == Status::kStarting);
  SECTION("its end is the end of patience") {
    CHECK_FALSE(policy.OnResult(false, kBegin + 60s));
    CHECK(policy.OnResult(false, kBegin + 61s));
    CHECK(policy.status() == Status::kFailing);
  }
  SECTION("a success ends it early") {
    CHECK(policy.OnResult(true, kBegin + 59s));
    CHECK_FALSE(policy.OnResult(false, kBegin + 59s));
    CHECK(policy.OnResult(false, kBegin + 59s));
    CHECK(policy.status() == Status::kFailing);
  }
}

TEST_CASE("another run of the process knows nothing of the one before", "[agent][probe]") {
  ProbePolicy policy({.start_period = 5s, .interval = 1s, .failures = 2, .successes = 2});
  policy.Begin(kBegin);
  policy.OnResult(true, kBegin);
  policy.OnResult(false, kBegin);
  policy.End();
  CHECK(policy.status() == Status::kIdle);
  CHECK_FALSE(policy.next_probe());
  policy.Begin(kBegin + 100s);
  CHECK(policy.status() == Status::kStarting);
  CHECK(policy.failures_in_a_row() == 0);
  // Neither the success nor the failure of then counts, and the start period is on.
  CHECK_FALSE(policy.OnResult(true, kBegin + 101s));
  CHECK(policy.OnResult(true, kBegin + 101s));
  policy.End();
  policy.Begin(kBegin + 200s);
  CHECK_FALSE(policy.OnResult(false, kBegin + 201s));
  CHECK_FALSE(policy.OnResult(false, kBegin + 202s));
  CHECK(policy.status() == Status::kStarting);
}

/// What the whole history of a run says, told by looking at all of it: the last time that a
/// threshold was reached decides.
Status StatusByHistory(const std::vector<bool>& results, unsigned start_results, unsigned failures,
                       unsigned successes) {
  Status status = Status::kStarting;
  bool succeeded = false;
  for (std::size_t end = 1; end <= results.size(); ++end) {
    succeeded = succeeded || results[end - 1];
    unsigned same = 0;
    for (std::size_t i = end; i-- > 0 && results[i] == results[end - 1];) {
      const bool counts = results[i] || succeeded || i >= start_results;
      same += counts ? 1 : 0;
    }
    if (results[end - 1] && same >= successes) status = Status::kPassing;
    if (!results[end - 1] && same >= failures) status = Status::kFailing;
  }
  return status;
}

TEST_CASE("every sequence of results means what its history says", "[agent][probe]") {
  const unsigned failures = GENERATE(1u, 2u, 3u);
  const unsigned successes = GENERATE(1u, 2u, 3u);
  const unsigned start_results = GENERATE(0u, 1u, 3u);
  CAPTURE(failures, successes, start_results);
  constexpr int kLength = 9;
  int changes = 0;
  for (unsigned bits = 0; bits < 1u << kLength; ++bits) {
    CAPTURE(bits);
    // One result a second; the first so many are within the start period.
    ProbePolicy policy({.start_period = std::chrono::seconds(start_results),
                        .interval = 1s,
                        .first_pause = 1s,
                        .failures = failures,
                        .successes = successes});
    policy.Begin(kBegin);
    std::vector<bool> results;
    for (int i = 0; i < kLength; ++i) {
      const Status before = policy.status();
      results.push_back((bits >> i & 1) != 0);
      const bool changed = policy.OnResult(results.back(), kBegin + std::chrono::seconds(i));
      const Status want = StatusByHistory(results, start_results, failures, successes);
      // Few macros in the loop: each costs more than what it checks.
      if (policy.status() != want || changed != (before != want)) {
        FAIL("after " << i + 1 << " results");
      }
      changes += changed ? 1 : 0;
    }
  }
  CHECK(changes > 0);
}

}  // namespace
}  // namespace dunlin::agent
