#pragma once

namespace dunlin::agent {

/// One arena, and memory given back soon. Says so of every setting, because MALLOC_* and
/// GLIBC_TUNABLES, which are meant for the process, have reached the C library before main.
void ConfigureAllocator();

/// Gives every free page back to the system. Small batches that waited through an outage leave a
/// heap full of holes, below something that stays.
void ReleaseFreeMemory();

}  // namespace dunlin::agent
