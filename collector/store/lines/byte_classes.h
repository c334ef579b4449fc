#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace dunlin::store {

/// The bytes that occur in a text, by kind: what none of it holds need not be looked for.
enum ByteClass : std::uint8_t {
  kDecimalDigits = 1,
  kLowerHexLetters = 2,
  kOtherLowerLetters = 4,
  kUpperLetters = 8,
  kOtherBytes = 16,
};

namespace internal {
constexpr std::array<std::uint8_t, 256> MakeByteClasses() {
  std::array<std::uint8_t, 256> classes{};
  for (std::size_t c = 0; c < 256; ++c) {
    classes[c] = c >= '0' && c <= '9'   ? kDecimalDigits
                 : c >= 'a' && c <= 'f' ? kLowerHexLetters
                 : c >= 'g' && c <= 'z' ? kOtherLowerLetters
                 : c >= 'A' && c <= 'Z' ? kUpperLetters
                                        : kOtherBytes;
  }
  return classes;
}
inline constexpr std::array<std::uint8_t, 256> kByteClasses = MakeByteClasses();
}  // namespace internal

inline std::uint8_t ClassOf(char c) {
  return internal::kByteClasses[static_cast<unsigned char>(c)];
}
std::uint8_t ByteClassesOf(std::string_view bytes);

/// Bit n tells of the nth of 64 bytes.
struct ClassBits {
  std::uint64_t digits = 0;
  std::uint64_t hex_letters = 0;  // a-f
  std::uint64_t words = 0;        // letters and digits
  std::uint64_t slots = 0;        // the bytes 0 and 1, which mean slots in a template
};
ClassBits ClassBitsOf(const char* bytes);

}  // namespace dunlin::store
