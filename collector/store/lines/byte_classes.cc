#include "collector/store/lines/byte_classes.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace dunlin::store {

std::uint8_t ByteClassesOf(std::string_view bytes) {
  unsigned classes = 0;
  for (char c : bytes) classes |= ClassOf(c);
  return static_cast<std::uint8_t>(classes);
}

#ifdef __SSE2__
namespace {

/// Of 16 bytes, those from `first` on, `count` of them.
__m128i InRange(__m128i bytes, char first, char count) {
  const __m128i from_first = _mm_sub_epi8(bytes, _mm_set1_epi8(first));
  const __m128i last = _mm_set1_epi8(static_cast<char>(count - 1));
  return _mm_cmpeq_epi8(_mm_min_epu8(from_first, last), from_first);
}

std::uint64_t Mask(__m128i bytes) { return static_cast<unsigned>(_mm_movemask_epi8(bytes)); }

}  // namespace

ClassBits ClassBitsOf(const char* at) {
  ClassBits bits;
  for (unsigned shift = 0; shift < 64; shift += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at + shift));
    const __m128i digits = InRange(bytes, '0', 10);
    const __m128i letters = InRange(_mm_or_si128(bytes, _mm_set1_epi8('a' - 'A')), 'a', 26);
    bits.digits |= Mask(digits) << shift;
    bits.hex_letters |= Mask(InRange(bytes, 'a', 6)) << shift;
    bits.words |= Mask(_mm_or_si128(digits, letters)) << shift;
    bits.slots |= Mask(InRange(bytes, 0, 2)) << shift;
  }
  return bits;
}
#else
ClassBits ClassBitsOf(const char* at) {
  ClassBits bits;
  for (unsigned i = 0; i < 64; ++i) {
    const std::uint64_t bit = std::uint64_t{1} << i;
    const unsigned now = ClassOf(at[i]);
    if (now == kDecimalDigits) bits.digits |= bit;
    if (now == kLowerHexLetters) bits.hex_letters |= bit;
    if (now != kOtherBytes) bits.words |= bit;
    if (static_cast<unsigned char>(at[i]) <= 1) bits.slots |= bit;
  }
  return bits;
}
#endif

}  // namespace dunlin::store
