#pragma once

#include <cstdint>
#include <string_view>

namespace dunlin {

/// CRC-32C (Castagnoli, RFC 3720 appendix B.4) of `bytes`, going on from `before`: the checksum of
/// the bytes in front, or a seed. Uses the processor's instruction where there is one. Any thread.
std::uint32_t Crc32c(std::string_view bytes, std::uint32_t before = 0);

/// The same from a table, for processors without the instruction.
std::uint32_t Crc32cFromTable(std::string_view bytes, std::uint32_t before = 0);

}  // namespace dunlin
