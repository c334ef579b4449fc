#pragma once

#include <cstdint>

namespace dunlin::ingest {

/// Names one agent connection for the life of the process.
enum class ConnectionId : std::uint64_t {};

}  // namespace dunlin::ingest
