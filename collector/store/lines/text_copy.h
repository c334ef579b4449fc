#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace dunlin::store {

/// Copies a text that is likely to be short to `out`; returns its end there.
inline char* CopyText(char* out, const char* from, std::size_t bytes) {
  char* const end = out + bytes;
  if (bytes > 16) {
    std::memcpy(out, from, bytes);
  } else if (bytes >= 8) {
    std::uint64_t first;
    std::uint64_t last;
    std::memcpy(&first, from, 8);
    std::memcpy(&last, from + bytes - 8, 8);
    std::memcpy(out, &first, 8);
    std::memcpy(end - 8, &last, 8);
  } else if (bytes >= 4) {
    std::uint32_t first;
    std::uint32_t last;
    std::memcpy(&first, from, 4);
    std::memcpy(&last, from + bytes - 4, 4);
    std::memcpy(out, &first, 4);
    std::memcpy(end - 4, &last, 4);
  } else if (bytes > 0) {
    const char middle = from[bytes / 2];
    const char last = from[bytes - 1];
    *out = *from;
    out[bytes / 2] = middle;
    end[-1] = last;
  }
  return end;
}
inline char* CopyText(char* out, std::string_view text) {
  return CopyText(out, text.data(), text.size());
}

/// The same where so many bytes behind the text can be read, and overwritten behind its copy.
inline constexpr std::size_t kLooseBytes = 16;
inline char* CopyLoose(char* out, const char* from, std::size_t bytes) {
  std::memcpy(out, from, kLooseBytes);
  if (bytes > kLooseBytes) std::memcpy(out + kLooseBytes, from + kLooseBytes, bytes - kLooseBytes);
  return out + bytes;
}

namespace internal {
constexpr std::array<char, 200> MakeDigitPairs() {
  std::array<char, 200> pairs{};
  for (std::size_t i = 0; i < 100; ++i) {
    pairs[2 * i] = static_cast<char>('0' + i / 10);
    pairs[2 * i + 1] = static_cast<char>('0' + i % 10);
  }
  return pairs;
}
inline constexpr std::array<char, 200> kDigitPairs = MakeDigitPairs();
}  // namespace internal

/// Writes a number in `digits` decimal digits, leading zeros among them; returns their end.
inline char* WritePaddedDecimal(std::uint64_t number, std::uint32_t digits, char* out) {
  char* const end = out + digits;
  char* at = end;
  for (; at - out >= 2; number /= 100) {
    at -= 2;
    std::memcpy(at, &internal::kDigitPairs[number % 100 * 2], 2);
  }
  if (at > out) *out = static_cast<char>('0' + number % 10);
  return end;
}

/// Writes a number without leading zeros.
inline char* WriteDecimal(std::uint64_t number, char* out) {
  std::uint32_t digits = 1;
  for (std::uint64_t rest = number; rest >= 10; rest /= 100) digits += rest >= 100 ? 2 : 1;
  return WritePaddedDecimal(number, digits, out);
}

}  // namespace dunlin::store
