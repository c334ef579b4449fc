#pragma once

#include <cstddef>
#include <cstdint>

namespace dunlin::collector {

/// Raises this process's limit of file descriptors as far as the system lets it: each connection
/// takes one. Returns what it is then.
std::uint64_t RaiseDescriptorLimit();

/// How many agents can be connected, of `wanted`, when there are so many descriptors. Some are kept
/// for what is not an agent: a store that cannot open its files for want of descriptors loses more
/// than a connection.
std::size_t AgentsWithin(std::uint64_t descriptors, std::size_t wanted);

/// How many descriptors it takes that `wanted` agents can be connected.
std::uint64_t DescriptorsFor(std::size_t wanted);

}  // namespace dunlin::collector
