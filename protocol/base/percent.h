#pragma once

#include <string>
#include <string_view>

namespace dunlin {

/// Percent-decodes; '+' becomes a space only in form text. A malformed escape is kept as it is.
std::string DecodePercent(std::string_view text, bool plus_is_space);
/// Escapes everything but unreserved characters (RFC 3986 section 2.3).
std::string EncodePercent(std::string_view text);

}  // namespace dunlin
