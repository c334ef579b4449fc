#pragma once

#include <string_view>

namespace dunlin {

/// Whether a secret is the expected one. Takes as long for any guess of the right length, so that
/// it cannot be found byte by byte.
bool EqualInConstantTime(std::string_view given, std::string_view expected);

}  // namespace dunlin
