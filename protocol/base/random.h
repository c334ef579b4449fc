#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace dunlin {

/// 128 random bits that name one agent, one boot of it, one file.
using RandomId = std::array<std::uint8_t, 16>;

/// Fills `size` bytes from the kernel's generator (getrandom, or /dev/urandom where seccomp forbids
/// it).
void FillRandom(void* bytes, std::size_t size);

RandomId NewRandomId();
std::uint64_t RandomU64();

/// 32 lower-case hexadecimal digits.
std::string ToHex(const RandomId& id);

}  // namespace dunlin
