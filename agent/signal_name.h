#pragma once

#include <optional>
#include <string_view>

namespace dunlin::agent {

/// A signal by name ("TERM", "SIGTERM", "RTMIN+3") or number, or nothing.
std::optional<int> ParseSignal(std::string_view text);

}  // namespace dunlin::agent
