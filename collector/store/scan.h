#pragma once

#include "collector/store/block_reader.h"
#include "collector/store/scan_pool.h"
#include "collector/store/store.h"
#include "collector/store/view.h"

namespace dunlin::store {

/// Answers one scan of a view; see Store::Scan. Blocks are searched on the pool's threads, `visit`
/// runs on the caller's.
Result<ScanStats> RunScan(const View& view, const ScanRequest& request, const Store::Visit& visit,
                          ScanPool& pool, BlockCache& cache);

}  // namespace dunlin::store
