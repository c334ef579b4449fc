#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "collector/store/segment_reader.h"
#include "collector/store/store.h"

namespace dunlin::store {

/// What segments have to give way to. Zero stands for no limit.
struct RetentionRules {
  std::int64_t expired_before_ns = 0;  // segments whose newest entry is older
  std::uint64_t max_bytes = 0;         // of all segments
  std::uint64_t missing_bytes = 0;     // to be freed whatever the other rules say
};

struct Expired {
  std::shared_ptr<const SegmentReader> segment;  // shared with the queries that read it
  ExpiryReason reason;
};

/// The segments to remove, oldest first: always the oldest ones there are, so that what is left is
/// one stretch of time.
std::vector<Expired> SelectExpired(std::vector<std::shared_ptr<const SegmentReader>> segments,
                                   const RetentionRules& rules);

}  // namespace dunlin::store
