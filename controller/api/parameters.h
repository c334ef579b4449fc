#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "controller/api/problem.h"
#include "protocol/http/message.h"

namespace dunlin::controller {

/// A parameter's value, or what is wrong with it.
template <typename T>
using Parsed = std::variant<T, Problem>;

/// ?project=, "default" when absent.
Parsed<std::string> ReadProject(const http::Request& request);
/// ?wait= in whole seconds or as a duration, at most a minute; zero when absent.
Parsed<std::chrono::nanoseconds> ReadWait(const http::Request& request);
/// A whole number between `min` and `max`; `fallback` when absent.
Parsed<std::int64_t> ReadNumber(const http::Request& request, std::string_view name,
                                std::int64_t fallback, std::int64_t min, std::int64_t max);
/// The Idempotency-Key header: 1 to 255 printable characters; "" when absent.
Parsed<std::string> ReadIdempotencyKey(const http::Request& request);

}  // namespace dunlin::controller
