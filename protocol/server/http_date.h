#pragma once

#include <string>

#include "protocol/base/clock.h"

namespace dunlin::server {

/// "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 section 5.6.7), for the Date field.
std::string FormatHttpDate(LogTime time);

}  // namespace dunlin::server
