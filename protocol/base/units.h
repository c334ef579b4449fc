#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "protocol/base/result.h"

namespace dunlin {

inline namespace literals {
consteval std::uint64_t operator""_KiB(unsigned long long n) { return n << 10; }
consteval std::uint64_t operator""_MiB(unsigned long long n) { return n << 20; }
consteval std::uint64_t operator""_GiB(unsigned long long n) { return n << 30; }
}  // namespace literals

/// A duration of flags and configuration: one or more number-unit pairs, units ns us ms s m h d w y
/// (d = 24 h, w = 7 d, y = 365 d), decimals allowed ("1h30m", "0.5s"); "0" needs no unit. Never
/// negative.
Result<std::chrono::nanoseconds> ParseDuration(std::string_view text);

/// The shortest form ParseDuration reads back: "1h30m", "250ms", "0s".
std::string FormatDuration(std::chrono::nanoseconds duration);

/// A size in bytes: a whole number, then nothing, B, or a unit: KiB MiB GiB TiB (1024) or kB KB MB
/// GB TB (1000).
Result<std::uint64_t> ParseSize(std::string_view text);

/// "512B", "4MiB", "1.5GiB": at most one decimal, for people.
std::string FormatSize(std::uint64_t bytes);

}  // namespace dunlin
