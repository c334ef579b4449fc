#pragma once

#include <string_view>

namespace dunlin::agent {

/// What of an answer or an output is worth telling with a failure.
inline constexpr std::size_t kMaxExcerptBytes = 200;

/// The first line of `text` with anything in it, without surrounding blanks, cut to
/// kMaxExcerptBytes. A view into `text`.
std::string_view FirstLineOf(std::string_view text);

/// The last such line.
std::string_view LastLineOf(std::string_view text);

}  // namespace dunlin::agent
