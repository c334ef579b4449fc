#include "agent/allocator.h"

#include <malloc.h>

namespace dunlin::agent {
namespace {

/// Larger blocks are mappings of their own, gone when freed: a sealed batch, a long line. Batches
/// of all sizes come and go in the queue; in the heap the gaps between them cost a quarter of it.
constexpr int kMappedBytes = 32 * 1024;
constexpr int kKeptBytes = 128 * 1024;
constexpr int kGrowthBytes = 32 * 1024;
constexpr int kMostMappings = 65536;

}  // namespace

void ConfigureAllocator() {
  mallopt(M_ARENA_MAX, 1);
  mallopt(M_PERTURB, 0);
  mallopt(M_MMAP_MAX, kMostMappings);
  // Given, these no longer grow with what the program frees.
  mallopt(M_MMAP_THRESHOLD, kMappedBytes);
  mallopt(M_TRIM_THRESHOLD, kKeptBytes);
  mallopt(M_TOP_PAD, kGrowthBytes);
}

void ReleaseFreeMemory() { malloc_trim(0); }

}  // namespace dunlin::agent
