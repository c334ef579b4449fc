#include "collector/store/lines/line_cutter.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace dunlin::store {
namespace {

enum Class : unsigned char {
  kBetween = 0,
  kDigit = 1,
  kHexLetter = 2,  // a-f
  kLetter = 4,
  kReserved = 8,  // the bytes of the slots
};

constexpr std::array<unsigned char, 256> MakeClasses() {
  std::array<unsigned char, 256> classes{};
  for (int c = '0'; c <= '9'; ++c) classes[static_cast<std::size_t>(c)] = kDigit;
  for (int c = 'a'; c <= 'f'; ++c) classes[static_cast<std::size_t>(c)] = kHexLetter;
  for (int c = 'g'; c <= 'z'; ++c) classes[static_cast<std::size_t>(c)] = kLetter;
  for (int c = 'A'; c <= 'Z'; ++c) classes[static_cast<std::size_t>(c)] = kLetter;
  classes[static_cast<unsigned char>(kValueSlot)] = kReserved;
  classes[static_cast<unsigned char>(kTextSlot)] = kReserved;
  return classes;
}

constexpr std::array<unsigned char, 256> kClasses = MakeClasses();
constexpr unsigned kWord = kDigit | kHexLetter | kLetter;
constexpr std::size_t kShortestHex = 4;
constexpr int kRunsOfId = 3;

unsigned ClassOf(char c) { return kClasses[static_cast<unsigned char>(c)]; }

struct Word {
  const char* end;
  unsigned classes = 0;
  int digit_runs = 0;
};

Word ReadWord(const char* at, const char* end) {
  Word word{at};
  unsigned before = 0;
  for (; word.end < end; ++word.end) {
    const unsigned now = ClassOf(*word.end);
    if ((now & kWord) == 0) break;
    word.classes |= now;
    word.digit_runs += (now == kDigit) & (before != kDigit);
    before = now;
  }
  return word;
}

bool IsId(const Word& word, std::size_t bytes) {
  if (word.digit_runs >= kRunsOfId) return true;
  if ((word.classes & kLetter) != 0) return false;
  return word.classes == kDigit || bytes >= kShortestHex;
}

}  // namespace

std::string_view LineCutter::Cut(std::string_view text, TextRange line,
                                 std::vector<TextRange>& values) {
  const char* const base = text.data();
  const char* at = base + line.offset;
  const char* const line_end = at + line.bytes;
  const char* const end = at + std::min<std::size_t>(line.bytes, kMaxCutBytes);
  if (template_.size() < kMaxCutBytes + 2) template_.resize(kMaxCutBytes + 2);
  char* out = template_.data();
  const std::size_t most = values.size() + kMaxValues - kRunsOfId;  // a word may add two
  auto add = [&](const char* from, const char* to) {
    values.push_back(
        {static_cast<std::uint32_t>(from - base), static_cast<std::uint32_t>(to - from)});
  };
  auto copy = [&](const char* to) {
    std::memcpy(out, at, static_cast<std::size_t>(to - at));
    out += to - at;
    at = to;
  };
  while (at < end && values.size() < most) {
    const unsigned now = ClassOf(*at);
    if (now == kBetween) {
      *out++ = *at++;
      continue;
    }
    if (now == kReserved) break;
    Word word = ReadWord(at, end);
    // Cut in two at the limit, it might be something else than the whole.
    if (word.end == end && end != line_end) break;
    if ((word.classes & kDigit) == 0) {
      copy(word.end);
      continue;
    }
    if (*at == '0' && word.end - at > 2 && at[1] == 'x') {
      const Word rest = ReadWord(at + 2, word.end);
      if ((rest.classes & kLetter) == 0) {
        copy(at + 2);
        *out++ = kValueSlot;
        add(at, word.end);
        at = word.end;
        continue;
      }
    }
    if (IsId(word, static_cast<std::size_t>(word.end - at))) {
      *out++ = kValueSlot;
      add(at, word.end);
      at = word.end;
      continue;
    }
    while (at < word.end) {
      if (ClassOf(*at) != kDigit) {
        *out++ = *at++;
        continue;
      }
      const char* digits_end = at;
      while (digits_end < word.end && ClassOf(*digits_end) == kDigit) ++digits_end;
      *out++ = kValueSlot;
      add(at, digits_end);
      at = digits_end;
    }
  }
  if (at < line_end) {
    *out++ = kTextSlot;
    add(at, line_end);
  }
  return {template_.data(), static_cast<std::size_t>(out - template_.data())};
}

}  // namespace dunlin::store
