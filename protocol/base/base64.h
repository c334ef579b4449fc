#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace dunlin {

/// Appends `bytes` in base64 with padding (RFC 4648 section 4).
void AppendBase64(std::string& out, std::string_view bytes);

/// The bytes that `text` spells, or nothing when it is not padded base64.
std::optional<std::string> ParseBase64(std::string_view text);

}  // namespace dunlin
