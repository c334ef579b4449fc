#include "protocol/base/crc32c.h"

#include <array>

#include "protocol/base/coding.h"

#if defined(__x86_64__)
#include <nmmintrin.h>
#elif defined(__aarch64__)
#include <arm_acle.h>
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace dunlin {
namespace {

/// The polynomial 0x1EDC6F41, bits reversed.
constexpr std::uint32_t kPolynomial = 0x82F63B78;

/// What each value of the lowest byte adds to the remainder.
constexpr std::array<std::uint32_t, 256> kTable = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < table.size(); ++i) {
    std::uint32_t remainder = i;
    for (int bit = 0; bit < 8; ++bit) {
      remainder = (remainder >> 1) ^ ((remainder & 1) != 0 ? kPolynomial : 0);
    }
    table[i] = remainder;
  }
  return table;
}();

#if defined(__x86_64__)
bool HasInstruction() { return __builtin_cpu_supports("sse4.2") != 0; }

__attribute__((target("sse4.2"))) std::uint32_t Crc32cByInstruction(std::string_view bytes,
                                                                    std::uint32_t before) {
  std::uint64_t remainder = ~before;
  for (; bytes.size() >= 8; bytes.remove_prefix(8)) {
    remainder = _mm_crc32_u64(remainder, LoadFixed<std::uint64_t>(bytes.data()));
  }
  auto rest = static_cast<std::uint32_t>(remainder);
  for (char byte : bytes) rest = _mm_crc32_u8(rest, static_cast<unsigned char>(byte));
  return ~rest;
}
#elif defined(__aarch64__)
bool HasInstruction() { return (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0; }

__attribute__((target("+crc"))) std::uint32_t Crc32cByInstruction(std::string_view bytes,
                                                                  std::uint32_t before) {
  std::uint32_t remainder = ~before;
  for (; bytes.size() >= 8; bytes.remove_prefix(8)) {
    remainder = __crc32cd(remainder, LoadFixed<std::uint64_t>(bytes.data()));
  }
  for (char byte : bytes) remainder = __crc32cb(remainder, static_cast<unsigned char>(byte));
  return ~remainder;
}
#else
bool HasInstruction() { return false; }
std::uint32_t Crc32cByInstruction(std::string_view bytes, std::uint32_t before) {
  return Crc32cFromTable(bytes, before);
}
#endif

}  // namespace

std::uint32_t Crc32cFromTable(std::string_view bytes, std::uint32_t before) {
  std::uint32_t remainder = ~before;
  for (char byte : bytes) {
    remainder = (remainder >> 8) ^ kTable[(remainder ^ static_cast<unsigned char>(byte)) & 0xFF];
  }
  return ~remainder;
}

std::uint32_t Crc32c(std::string_view bytes, std::uint32_t before) {
  static const bool has_instruction = HasInstruction();
  return has_instruction ? Crc32cByInstruction(bytes, before) : Crc32cFromTable(bytes, before);
}

}  // namespace dunlin
