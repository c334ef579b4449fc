#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace dunlin::agent {

/// A signal by name ("TERM", "SIGTERM", "RTMIN+3") or number, or nothing.
std::optional<int> ParseSignal(std::string_view text);

/// Indexed by signal number, 1 to SIGRTMAX.
using SignalCounts = std::array<std::uint64_t, 65>;

/// The name that ParseSignal reads: "TERM", "RTMIN+3"; the number where there is none.
std::string SignalName(int signal);

}  // namespace dunlin::agent
