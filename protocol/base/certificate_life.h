#pragma once

#include <chrono>

#include "protocol/base/clock.h"

namespace dunlin {

/// A certificate that ends within this time is renewed now: whoever has it says so.
inline constexpr std::chrono::seconds kExpiryWarning = std::chrono::days(7);

enum class CertificateLife { kGood, kEndsSoon, kOver };

/// Of one that is good up to `not_after`, that second included (RFC 5280 section 4.1.2.5).
inline CertificateLife LifeOf(std::chrono::sys_seconds not_after, LogTime now) {
  if (now >= not_after + std::chrono::seconds(1)) return CertificateLife::kOver;
  return not_after - now < kExpiryWarning ? CertificateLife::kEndsSoon : CertificateLife::kGood;
}

}  // namespace dunlin
