#include "agent/allocator.h"

#include <malloc.h>

namespace dunlin::agent {
namespace {

/// Larger blocks are mappings of their own, gone when freed: the buffer of a batch, a long line.
constexpr int kMappedBytes = 256 * 1024;
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

}  // namespace dunlin::agent
