#include "shipper/token_bucket.h"

#include "tests/support/catch.h"

namespace dunlin::shipper {
namespace {

using namespace std::chrono_literals;

SteadyTime At(std::chrono::nanoseconds time) { return SteadyTime(time); }

TEST_CASE("a bucket gives a second's worth at once, then the rate", "[shipper][rate-limit]") {
  TokenBucket bucket(1000);
  bucket.Refill(At(5s));
  for (int i = 0; i < 10; ++i) CHECK(bucket.Take(100));
  CHECK_FALSE(bucket.Take(1));
  bucket.Refill(At(5s + 100ms));
  CHECK(bucket.Take(100));
  CHECK_FALSE(bucket.Take(1));
  // A silence earns no more than a full bucket.
  bucket.Refill(At(1h));
  for (int i = 0; i < 10; ++i) CHECK(bucket.Take(100));
  CHECK_FALSE(bucket.Take(1));
}

TEST_CASE("what is larger than the bucket passes, and is paid back", "[shipper][rate-limit]") {
  TokenBucket bucket(1000);
  bucket.Refill(At(1s));
  CHECK(bucket.Take(5000));
  bucket.Refill(At(4s));
  CHECK_FALSE(bucket.Take(1));
  bucket.Refill(At(5s + 1ms));
  CHECK(bucket.Take(1));
}

TEST_CASE("over a long time no more than the rate passes", "[shipper][rate-limit]") {
  TokenBucket bucket(10'000);
  std::uint64_t passed = 0;
  for (int ms = 1; ms <= 60'000; ++ms) {
    bucket.Refill(At(1s + std::chrono::milliseconds(ms)));
    for (int i = 0; i < 3; ++i) passed += bucket.Take(37) ? 37 : 0;
  }
  CHECK(passed <= 610'100);
  CHECK(passed >= 600'000);
}

TEST_CASE("a clock that stands still or goes back gives nothing", "[shipper][rate-limit]") {
  TokenBucket bucket(10);
  bucket.Refill(At(100s));
  CHECK(bucket.Take(10));
  bucket.Refill(At(50s));
  bucket.Refill(At(100s));
  CHECK_FALSE(bucket.Take(1));
}

}  // namespace
}  // namespace dunlin::shipper
