#pragma once

#include <cstdint>
#include <string_view>

namespace dunlin {

/// XXH3-64 of `bytes`: the one checksum of frames, WAL records and segments. Detects damage, not
/// tampering.
std::uint64_t Checksum(std::string_view bytes, std::uint64_t seed = 0);

}  // namespace dunlin
