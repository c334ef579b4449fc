#pragma once

#include <string>
#include <string_view>

#include "protocol/base/clock.h"
#include "protocol/base/result.h"

namespace dunlin {

/// "2026-11-20T17:40:00.000000000Z": UTC with nine decimals, so that texts sort as times do.
std::string FormatRfc3339(LogTime time);

/// RFC 3339 section 5.6: date, T or t or a space, time, optional fraction (beyond nanoseconds is
/// cut), Z or an offset. Years 1678-2261, what 64 bits of nanoseconds hold. Errors:
/// kInvalidArgument.
Result<LogTime> ParseRfc3339(std::string_view text);

}  // namespace dunlin
