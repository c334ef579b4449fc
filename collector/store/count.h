#pragma once

#include "collector/store/scan_pool.h"
#include "collector/store/store.h"
#include "collector/store/view.h"

namespace dunlin::store {

/// Answers one count of a view; see Store::Count. Segments are counted on the pool's threads and on
/// the caller's.
Result<CountResult> RunCount(const View& view, const CountRequest& request, ScanPool& pool);

}  // namespace dunlin::store
