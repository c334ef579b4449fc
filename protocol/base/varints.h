#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "protocol/base/coding.h"

namespace dunlin {

/// Calls take(value) for each of the `count` varints that `bytes` consists of. False when there are
/// fewer or more, or one is malformed; `take` has then been called for some. For long columns:
/// several times as fast as reading one by one.
template <typename Take>
bool ForEachVarint(std::string_view bytes, std::size_t count, Take take) {
  const auto* at = reinterpret_cast<const unsigned char*>(bytes.data());
  const unsigned char* end = at + bytes.size();
  // Where the longest fits, its end need not be looked for byte by byte.
  for (; count > 0 && end - at >= static_cast<std::ptrdiff_t>(kMaxVarintBytes); --count) {
    // The bit that says "more" is left in the sum, and taken out with the byte that follows.
    std::uint64_t value = at[0];
    std::size_t size = 1;
    while (at[size - 1] >= 0x80) {
      if (size == kMaxVarintBytes) return false;
      value += (static_cast<std::uint64_t>(at[size]) - 1) << (7 * size);
      ++size;
    }
    // The tenth byte holds one bit; more would be lost.
    if (size == kMaxVarintBytes && at[size - 1] > 1) return false;
    at += size;
    take(value);
  }
  ByteReader rest(bytes.substr(bytes.size() - static_cast<std::size_t>(end - at)));
  for (; count > 0; --count) {
    auto value = rest.ReadVarint();
    if (!value) return false;
    take(*value);
  }
  return rest.empty();
}

}  // namespace dunlin
