#include "collector/store/gram_filter.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "protocol/base/check.h"
#include "protocol/base/coding.h"

namespace dunlin::store {
namespace {

/// The bits of half a MiB: a collector stays in the second-level cache.
constexpr unsigned kHashBits = 22;
constexpr unsigned kMostSampling = 8;
/// Bits for each gram, so that half of them are set.
constexpr double kBitsOfGram = 1.44;
/// With fewer bits, most grams would be there by chance: it tells more to keep every other gram.
constexpr double kFewestBitsOfGram = 0.7;
constexpr std::size_t kChunk = 64;

static_assert(kGramBytes == 6, "loads and masks below are of 6 bytes");

/// `six` bytes of a word, the first one lowest. 0x20 makes letters lower-case, and digits and
/// points have it.
std::uint32_t HashOf(std::uint64_t six) {
  six |= 0x2020'2020'2020;
  six *= 0x9E37'79B9'7F4A'7C15;
  six ^= six >> 32;
  six *= 0xD6E8'FEB8'6659'FD93;
  return static_cast<std::uint32_t>(six >> (64 - kHashBits));
}

/// Which of 64 bytes are digits, and so on: the first byte is the lowest bit.
struct Classes {
  std::uint64_t digits = 0;
  std::uint64_t letters = 0;
  std::uint64_t points = 0;
};

#ifdef __SSE2__

Classes ClassesOf(const char* chunk) {
  // Bytes less the first of a range, and moved so that signed comparison finds those within it.
  auto within = [](__m128i bytes, char first, int count) {
    const __m128i moved = _mm_add_epi8(bytes, _mm_set1_epi8(static_cast<char>(-128 - first)));
    return static_cast<std::uint64_t>(static_cast<unsigned>(
        _mm_movemask_epi8(_mm_cmplt_epi8(moved, _mm_set1_epi8(static_cast<char>(-128 + count))))));
  };
  Classes classes;
  for (unsigned i = 0; i < kChunk; i += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(chunk + i));
    const __m128i lower = _mm_or_si128(bytes, _mm_set1_epi8(0x20));
    classes.digits |= within(bytes, '0', 10) << i;
    classes.letters |= within(lower, 'a', 26) << i;
    classes.points |= within(bytes, '.', 1) << i;
  }
  return classes;
}

#else

Classes ClassesOf(const char* chunk) {
  Classes classes;
  for (unsigned i = 0; i < kChunk; ++i) {
    const char c = chunk[i];
    const char lower = static_cast<char>(c | 0x20);
    classes.digits |= std::uint64_t{c >= '0' && c <= '9'} << i;
    classes.letters |= std::uint64_t{lower >= 'a' && lower <= 'z'} << i;
    classes.points |= std::uint64_t{c == '.'} << i;
  }
  return classes;
}

#endif

/// Calls `found` with the hash of each gram of `text`.
template <typename Found>
void EachGram(std::string_view text, Found found) {
  // The grams that end in a chunk begin up to 5 bytes before it, and loads begin 2 bytes earlier.
  constexpr std::size_t kFront = 8;
  char room[kFront + kChunk];
  auto chunk_at = [&](std::size_t at) -> const char* {
    if (at >= kFront && at + kChunk <= text.size()) return text.data() + at;
    std::memset(room, 0, sizeof room);
    const std::size_t front = std::min(at, kFront);
    const std::size_t bytes = std::min(kChunk, text.size() - at);
    std::memcpy(room + kFront - front, text.data() + at - front, front + bytes);
    return room + kFront;
  };
  std::uint64_t words_before = 0;
  std::uint64_t digits_before = 0;
  Classes now;
  if (!text.empty()) now = ClassesOf(chunk_at(0));
  for (std::size_t at = 0; at < text.size(); at += kChunk) {
    Classes next;
    if (at + kChunk < text.size()) next = ClassesOf(chunk_at(at + kChunk));
    const std::uint64_t words = now.digits | now.letters |
                                (now.points & (now.digits << 1 | digits_before >> 63) &
                                 (now.digits >> 1 | next.digits << 63));
    std::uint64_t ends = words;
    for (unsigned back = 1; back < kGramBytes; ++back) {
      ends &= words << back | words_before >> (64 - back);
    }
    if (ends != 0) {
      const char* chunk = chunk_at(at);
      for (; ends != 0; ends &= ends - 1) {
        found(HashOf(LoadFixed<std::uint64_t>(chunk + std::countr_zero(ends) - 7) >> 16));
      }
    }
    words_before = words;
    digits_before = now.digits;
    now = next;
  }
}

/// Where in a filter of so many bits the bit of a gram is.
std::uint64_t PlaceOf(std::uint32_t hash, std::uint64_t bits) { return hash * bits >> kHashBits; }

}  // namespace

GramCollector::GramCollector() : bits_((std::size_t{1} << kHashBits) / 64) {}

void GramCollector::Clear() { std::fill(bits_.begin(), bits_.end(), 0); }

void GramCollector::Add(std::string_view text) {
  std::uint64_t* const bits = bits_.data();
  EachGram(text,
           [bits](std::uint32_t hash) { bits[hash / 64] |= std::uint64_t{1} << (hash % 64); });
}

std::string GramCollector::Encode(std::size_t most_bytes) const {
  Check(most_bytes >= 2, "bytes for a filter");
  std::size_t set = 0;
  for (std::uint64_t word : bits_) set += static_cast<std::size_t>(std::popcount(word));
  // How many grams it takes to set so many bits.
  constexpr double kAll = 1 << kHashBits;
  const double grams = -kAll * std::log1p(-std::min(static_cast<double>(set), kAll - 1) / kAll);
  const double most_bits = static_cast<double>(most_bytes - 1) * 8;
  unsigned sampling = 0;
  double sampled = grams;
  while (sampling < kMostSampling && sampled * kFewestBitsOfGram > most_bits) {
    sampled /= 2;
    ++sampling;
  }
  const double bits = std::min(most_bits, sampled * kBitsOfGram);
  const std::size_t bytes = std::min(most_bytes - 1, static_cast<std::size_t>(bits / 8) + 1);
  std::string filter(1 + bytes, '\0');
  filter[0] = static_cast<char>(sampling);
  const std::uint32_t skip_mask = (std::uint32_t{1} << sampling) - 1;
  for (std::size_t i = 0; i < bits_.size(); ++i) {
    for (std::uint64_t word = bits_[i]; word != 0; word &= word - 1) {
      const auto hash =
          static_cast<std::uint32_t>(i * 64) + static_cast<std::uint32_t>(std::countr_zero(word));
      if ((hash & skip_mask) != 0) continue;
      const std::uint64_t place = PlaceOf(hash, bytes * 8);
      char& byte = filter[1 + place / 8];
      byte = static_cast<char>(byte | 1 << (place % 8));
    }
  }
  return filter;
}

LiteralGrams::LiteralGrams(std::string_view literal) {
  EachGram(literal, [this](std::uint32_t hash) { hashes_.push_back(hash); });
  std::sort(hashes_.begin(), hashes_.end());
  hashes_.erase(std::unique(hashes_.begin(), hashes_.end()), hashes_.end());
}

Result<GramFilter> GramFilter::Open(std::string_view bytes) {
  if (bytes.size() < 2 || static_cast<unsigned char>(bytes[0]) > kMostSampling) {
    return Error(ErrorCode::kCorruption, "damaged filter of grams");
  }
  return GramFilter((std::uint32_t{1} << bytes[0]) - 1, bytes.substr(1));
}

bool GramFilter::MayContain(const LiteralGrams& literal) const {
  const std::uint64_t bits = std::uint64_t{bits_.size()} * 8;
  return std::all_of(literal.hashes().begin(), literal.hashes().end(), [&](std::uint32_t hash) {
    if ((hash & skip_mask_) != 0) return true;
    const std::uint64_t place = PlaceOf(hash, bits);
    return (static_cast<unsigned char>(bits_[place / 8]) >> (place % 8) & 1) != 0;
  });
}

}  // namespace dunlin::store
