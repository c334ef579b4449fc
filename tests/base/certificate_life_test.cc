#include "protocol/base/certificate_life.h"

#include "tests/support/catch.h"

namespace dunlin {
namespace {

using namespace std::chrono_literals;

TEST_CASE("a certificate ends soon within its last week, and is over after its last second",
          "[base][certificate_life]") {
  const std::chrono::sys_seconds end(1'800'000'000s);
  CHECK(LifeOf(end, end - 8 * 24h) == CertificateLife::kGood);
  CHECK(LifeOf(end, end - 7 * 24h) == CertificateLife::kGood);
  CHECK(LifeOf(end, end - 7 * 24h + 1ns) == CertificateLife::kEndsSoon);
  CHECK(LifeOf(end, end) == CertificateLife::kEndsSoon);
  CHECK(LifeOf(end, end + 999'999'999ns) == CertificateLife::kEndsSoon);
  CHECK(LifeOf(end, end + 1s) == CertificateLife::kOver);
}

}  // namespace
}  // namespace dunlin
