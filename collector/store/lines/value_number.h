#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

namespace dunlin::store {

/// More could overflow.
inline constexpr std::uint32_t kMostDecimalDigits = 18;
inline constexpr std::uint32_t kMostHexDigits = 16;

namespace internal {

/// `count` bytes, 1 to 8, as an integer whose lowest byte is the last of them and whose other bytes
/// are zero; 8 bytes can be read.
inline std::uint64_t LoadLastLowest(const char* at, std::uint32_t count) {
  std::uint64_t bytes;
  std::memcpy(&bytes, at, sizeof bytes);
  if constexpr (std::endian::native == std::endian::little) bytes = __builtin_bswap64(bytes);
  return bytes >> (64 - 8 * count);
}

/// The number of up to 8 digits, each in a byte of its own, the last in the lowest.
inline std::uint64_t JoinDecimal(std::uint64_t digits) {
  digits = (digits & 0x000F000F000F000F) + (digits >> 8 & 0x000F000F000F000F) * 10;
  digits = (digits & 0x000000FF000000FF) + (digits >> 16 & 0x000000FF000000FF) * 100;
  return (digits & 0xFFFF) + (digits >> 32) * 10000;
}

inline std::uint64_t JoinHex(std::uint64_t digits) {
  // Letters are 0x61 to 0x66, digits 0x30 to 0x39: bit 6 tells them apart.
  digits = (digits & 0x0F0F0F0F0F0F0F0F) + (digits >> 6 & 0x0101010101010101) * 9;
  digits = (digits | digits >> 4) & 0x00FF00FF00FF00FF;
  digits = (digits | digits >> 8) & 0x0000FFFF0000FFFF;
  return (digits | digits >> 16) & 0xFFFFFFFF;
}

}  // namespace internal

/// The number written in `count` digits (1 to kMostDecimalDigits); up to 8 bytes behind them are
/// read.
inline std::uint64_t ReadDecimal(const char* at, std::uint32_t count) {
  using namespace internal;
  if (count <= 8) return JoinDecimal(LoadLastLowest(at, count));
  std::uint64_t number = JoinDecimal(LoadLastLowest(at, 8));
  if (count <= 16) {
    constexpr std::uint64_t kPowers[] = {1,      10,      100,      1000,     10000,
                                         100000, 1000000, 10000000, 100000000};
    return number * kPowers[count - 8] + JoinDecimal(LoadLastLowest(at + 8, count - 8));
  }
  number = number * 100000000 + JoinDecimal(LoadLastLowest(at + 8, 8));
  for (std::uint32_t i = 16; i < count; ++i) {
    number = number * 10 + static_cast<unsigned char>(at[i] - '0');
  }
  return number;
}

inline std::uint64_t HexDigit(char c) {
  return static_cast<unsigned char>(c <= '9' ? c - '0' : c - 'a' + 10);
}

/// The same for lower-case hexadecimal digits (1 to kMostHexDigits).
inline std::uint64_t ReadHex(const char* at, std::uint32_t count) {
  using namespace internal;
  if (count <= 8) return JoinHex(LoadLastLowest(at, count));
  return JoinHex(LoadLastLowest(at, 8)) << (4 * (count - 8)) |
         JoinHex(LoadLastLowest(at + 8, count - 8));
}

}  // namespace dunlin::store
