#pragma once

#include <memory>
#include <vector>

#include "collector/store/head.h"
#include "collector/store/manifest.h"
#include "collector/store/segment_reader.h"

namespace dunlin::store {

/// What a scan sees: heads and segments of one moment, in which every row is exactly once. Shared
/// because readers go on with what they took while the store replaces it.
struct View {
  std::vector<std::shared_ptr<const Head>> heads;
  std::shared_ptr<const std::vector<std::shared_ptr<const SegmentReader>>> segments;
  std::vector<Loss> losses;
};

}  // namespace dunlin::store
