#include "controller/model/ids.h"

#include <array>
#include <cstdint>

#include "protocol/base/random.h"

namespace dunlin::controller {
namespace {

// Crockford's base 32 in lower case: without i, l, o and u, which people misread.
constexpr std::string_view kAlphabet = "0123456789abcdefghjkmnpqrstvwxyz";

}  // namespace

std::string NewIdText(std::string_view prefix, LogTime now) {
  std::string text(prefix);
  auto milliseconds = static_cast<std::uint64_t>(NanosecondsOf(now) / 1'000'000);
  for (int shift = 45; shift >= 0; shift -= 5) {
    text.push_back(kAlphabet[(milliseconds >> shift) & 31]);
  }
  std::array<unsigned char, 16> random{};  // five bits of each byte
  FillRandom(random.data(), random.size());
  for (unsigned char byte : random) text.push_back(kAlphabet[byte & 31U]);
  return text;
}

}  // namespace dunlin::controller
