#include "collector/store/lines/line_cutter.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "collector/store/lines/byte_classes.h"
#include "collector/store/lines/value_number.h"

namespace dunlin::store {
namespace {

constexpr std::uint32_t kShortestHex = 4;
constexpr int kRunsOfId = 3;
/// So many bytes behind the end of a line can be read.
constexpr std::size_t kPadding = 64;

std::uint64_t Load(const char* at) {
  std::uint64_t bytes;
  std::memcpy(&bytes, at, sizeof bytes);
  return bytes;
}

/// Sets the lowest `bits`, of which there are fewer than 64.
std::uint64_t LowBits(unsigned bits) { return (std::uint64_t{1} << bits) - 1; }

/// The 64 bits from `at` on.
std::uint64_t Window(const std::uint64_t* bits, std::size_t at) {
  const std::size_t word = at / 64;
  const unsigned shift = at % 64;
  return bits[word] >> shift | bits[word + 1] << 1 << (63 - shift);
}

/// Whether so many bits are set that a word is an id.
bool HasRunsOfId(std::uint64_t starts) {
  static_assert(kRunsOfId == 3);
  starts &= starts - 1;
  return (starts & (starts - 1)) != 0;
}

std::uint64_t Mix(std::uint64_t a, std::uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

constexpr std::uint64_t kSeed = 0x9E3779B97F4A7C15;
constexpr std::uint64_t kFactor = 0xD6E8FEB86659FD93;

static_assert(std::endian::native == std::endian::little, "LoadShort drops the bytes behind");

/// Of up to 8 bytes, the first the lowest; 8 bytes can be read.
std::uint64_t LoadShort(const char* at, std::size_t bytes) {
  constexpr std::array<std::uint64_t, 9> kMasks = {0,
                                                   0xFF,
                                                   0xFFFF,
                                                   0xFFFFFF,
                                                   0xFFFFFFFF,
                                                   0xFFFFFFFFFF,
                                                   0xFFFFFFFFFFFF,
                                                   0xFFFFFFFFFFFFFF,
                                                   0xFFFFFFFFFFFFFFFF};
  return Load(at) & kMasks[bytes];
}

std::uint64_t Hash(std::uint64_t hash, const char* at, std::size_t bytes) {
  for (; bytes > 8; bytes -= 8, at += 8) hash = Mix(hash ^ Load(at), kFactor);
  return Mix(hash ^ LoadShort(at, bytes), kFactor + 2 * bytes + 2);
}

/// Whether both have these bytes; up to 8 behind them are read.
bool Same(const char* a, const char* b, std::size_t bytes) {
  for (; bytes > 8; bytes -= 8, a += 8, b += 8) {
    if (Load(a) != Load(b)) return false;
  }
  return LoadShort(a, bytes) == LoadShort(b, bytes);
}

}  // namespace

/// The state of one line.
struct LineCutter::Run {
  /// [begin, end) of the line is a value; what is between it and the one before is fixed text.
  void Add(std::size_t begin, std::size_t end, ValueForm form) {
    if (next == stop) return;
    hash = Hash(hash, line + fixed, begin - fixed);
    const TextRange range{static_cast<std::uint32_t>(offset + begin),
                          static_cast<std::uint32_t>(end - begin)};
    std::uint64_t number = 0;
    if (form == ValueForm::kDecimal && range.bytes > kMostDecimalDigits) form = ValueForm::kText;
    if (form == ValueForm::kHex && range.bytes > kMostHexDigits) form = ValueForm::kText;
    if (form == ValueForm::kDecimal) number = ReadDecimal(line + begin, range.bytes);
    if (form == ValueForm::kHex) number = ReadHex(line + begin, range.bytes);
    *next++ = CutValue(range, form, number);
    fixed = end;
  }

  /// Each run of digits of a word that has `digits`.
  void AddRuns(std::size_t word, std::uint64_t digits) {
    while (digits != 0) {
      const auto begin = static_cast<unsigned>(std::countr_zero(digits));
      const auto bytes = static_cast<unsigned>(std::countr_one(digits >> begin));
      Add(word + begin, word + begin + bytes, ValueForm::kDecimal);
      digits &= ~(LowBits(bytes) << begin);
    }
  }

  /// A word of fewer than 64 bytes with at least one digit.
  void AddWord(std::size_t word, unsigned bytes, std::uint64_t digits, std::uint64_t hex_letters) {
    const std::uint64_t all = LowBits(bytes);
    if (digits == all) {
      Add(word, word + bytes, ValueForm::kDecimal);
      return;
    }
    const std::uint64_t others = all & ~(digits | hex_letters);
    if (others == 2 && bytes > 2 && line[word] == '0' && line[word + 1] == 'x') {
      const bool decimal = (digits | 3) == all;
      Add(word + 2, word + bytes, decimal ? ValueForm::kDecimal : ValueForm::kHex);
    } else if (others == 0 && bytes >= kShortestHex) {
      Add(word, word + bytes, ValueForm::kHex);
    } else if (HasRunsOfId(digits & ~(digits << 1))) {
      Add(word, word + bytes, others == 0 ? ValueForm::kHex : ValueForm::kText);
    } else {
      AddRuns(word, digits);
    }
  }

  /// A word of any length.
  void AddLongWord(std::size_t word, std::size_t end) {
    unsigned classes = 0;
    unsigned before = 0;
    int digit_runs = 0;
    for (std::size_t at = word; at < end; ++at) {
      const unsigned now = ClassOf(line[at]);
      classes |= now;
      digit_runs += now == kDecimalDigits && before != kDecimalDigits;
      before = now;
    }
    const bool hex = (classes & ~unsigned{kDecimalDigits | kLowerHexLetters}) == 0;
    if (digit_runs >= kRunsOfId || (hex && digit_runs > 0)) {
      Add(word, end, ValueForm::kText);
      return;
    }
    for (std::size_t at = word; at < end; ++at) {
      if (ClassOf(line[at]) != kDecimalDigits) continue;
      const std::size_t begin = at;
      while (at < end && ClassOf(line[at]) == kDecimalDigits) ++at;
      Add(begin, at, ValueForm::kDecimal);
    }
  }

  const char* line;
  std::uint32_t offset;  // of the line in the text
  std::size_t fixed = 0;
  std::uint64_t hash = kSeed;
  CutValue* next;
  const CutValue* stop;
};

/// Sets the bits of up to kMaxCutBytes; how many of them come before one that means a slot.
std::size_t LineCutter::Classify(const char* line, std::size_t bytes) {
  std::size_t end = bytes;
  std::size_t word = 0;
  for (std::size_t at = 0; at < end; at += 64, ++word) {
    const ClassBits bits = ClassBitsOf(line + at);
    const std::uint64_t valid =
        bytes - at < 64 ? LowBits(static_cast<unsigned>(bytes - at)) : ~0ULL;
    digits_[word] = bits.digits & valid;
    hex_letters_[word] = bits.hex_letters & valid;
    words_[word] = bits.words & valid;
    if ((bits.slots & valid) != 0) {
      end = at + static_cast<std::size_t>(std::countr_zero(bits.slots & valid));
      const std::uint64_t before = LowBits(static_cast<unsigned>(end - at));
      digits_[word] &= before;
      hex_letters_[word] &= before;
      words_[word] &= before;
    }
  }
  digits_[word] = hex_letters_[word] = words_[word] = 0;
  return end;
}

LineCut LineCutter::Cut(std::string_view text, TextRange range, CutValue* values,
                        std::size_t most_values) {
  const char* line = text.data() + range.offset;
  const std::size_t most = std::min<std::size_t>(range.bytes, kMaxCutBytes);
  if (text.size() - range.offset - most < kPadding) {
    padded_.assign(line, most);
    padded_.resize(most + kPadding);
    line = padded_.data();
  }
  const std::size_t size = Classify(line, most);
  // Cut in two at the limit, a word might be something else than the whole.
  const std::size_t limit = size == kMaxCutBytes && size < range.bytes ? size : SIZE_MAX;
  const CutValue* const last = values + kMaxValues - kRunsOfId;  // a word may add two
  Run run{line, range.offset, 0, kSeed, values, values + most_values};
  std::size_t at = 0;  // never inside a word
  std::size_t rest = most_values == 0 ? 0 : size;
  while (at < size && run.next != run.stop) {
    std::uint64_t digits = Window(digits_.data(), at);
    const std::uint64_t words = Window(words_.data(), at);
    const std::uint64_t hex_letters = Window(hex_letters_.data(), at);
    bool split = false;
    while (digits != 0) {
      const auto first = static_cast<unsigned>(std::countr_zero(digits));
      const std::uint64_t between = ~words & LowBits(first);
      const auto begin = static_cast<unsigned>(64 - std::countl_zero(between));
      const std::uint64_t behind = ~words >> first;
      if (behind == 0) {  // goes on behind the window
        split = begin > 0;
        at += begin;
        break;
      }
      const auto end = first + static_cast<unsigned>(std::countr_zero(behind));
      if (at + end >= limit || run.next > last) {
        rest = at + begin;
        break;
      }
      const unsigned bytes = end - begin;
      run.AddWord(at + begin, bytes, digits >> begin & LowBits(bytes),
                  hex_letters >> begin & LowBits(bytes));
      if (run.next == run.stop) {
        rest = run.fixed;
        break;
      }
      digits &= ~LowBits(end);
    }
    if (rest < size) break;
    if (split) continue;
    const auto tail = static_cast<unsigned>(std::countl_one(words));
    if (tail < 64 && digits == 0) {
      at += 64 - tail;
      continue;
    }
    // A word of 64 bytes or more begins here.
    std::size_t end = at + tail;
    while (end < size && (words_[end / 64] >> (end % 64) & 1) != 0) ++end;
    if (end >= limit || run.next > last) {
      rest = at;
      break;
    }
    run.AddLongWord(at, end);
    if (run.next == run.stop) rest = run.fixed;
    at = end;
  }
  LineCut cut;
  cut.has_rest = rest < range.bytes;
  run.stop = nullptr;
  if (cut.has_rest) run.Add(rest, range.bytes, ValueForm::kText);
  cut.hash = cut.has_rest ? ~run.hash : Hash(run.hash, line + run.fixed, range.bytes - run.fixed);
  cut.values = static_cast<std::uint32_t>(run.next - values);
  return cut;
}

void AppendTemplate(std::string_view text, TextRange line, const LineCut& cut,
                    std::span<const CutValue> values, std::string& out) {
  const char* at = text.data() + line.offset;
  for (const CutValue& value : values) {
    const char* const begin = text.data() + value.offset;
    out.append(at, begin);
    out.push_back(kValueSlot);
    at = begin + value.bytes();
  }
  out.append(at, text.data() + line.offset + line.bytes);
  if (cut.has_rest) out.back() = kTextSlot;
}

bool HasTemplate(std::string_view text, TextRange line, const LineCut& cut,
                 std::span<const CutValue> values, std::string_view known) {
  const char* at = text.data() + line.offset;
  const char* const text_end = text.data() + text.size();
  const char* expected = known.data();
  const char* const expected_end = known.data() + known.size();
  auto same = [&](const char* end) {
    const auto bytes = static_cast<std::size_t>(end - at);
    if (static_cast<std::size_t>(expected_end - expected) < bytes) return false;
    const bool equal = static_cast<std::size_t>(text_end - end) >= kTemplatePadding
                           ? Same(at, expected, bytes)
                           : std::memcmp(at, expected, bytes) == 0;
    expected += bytes;
    return equal;
  };
  for (const CutValue& value : values) {
    const char* const begin = text.data() + value.offset;
    if (!same(begin) || expected == expected_end) return false;
    const bool rest = cut.has_rest && &value == &values.back();
    if (*expected++ != (rest ? kTextSlot : kValueSlot)) return false;
    at = begin + value.bytes();
  }
  return same(text.data() + line.offset + line.bytes) && expected == expected_end;
}

}  // namespace dunlin::store
