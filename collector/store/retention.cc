#include "collector/store/retention.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace dunlin::store {

std::vector<Expired> SelectExpired(std::vector<std::shared_ptr<const SegmentReader>> segments,
                                   const RetentionRules& rules) {
  std::uint64_t bytes = 0;
  for (const auto& segment : segments) bytes += segment->facts().file_bytes;
  std::sort(segments.begin(), segments.end(), [](const auto& a, const auto& b) {
    return a->facts().span.max_ns < b->facts().span.max_ns;
  });
  std::vector<Expired> expired;
  std::uint64_t freed = 0;
  for (auto& segment : segments) {
    const SegmentFacts& facts = segment->facts();
    std::optional<ExpiryReason> reason;
    if (rules.expired_before_ns != 0 && facts.span.max_ns < rules.expired_before_ns) {
      reason = ExpiryReason::kAge;
    } else if (rules.max_bytes != 0 && bytes - freed > rules.max_bytes) {
      reason = ExpiryReason::kSize;
    } else if (freed < rules.missing_bytes) {
      reason = ExpiryReason::kSpace;
    }
    if (!reason) break;
    freed += facts.file_bytes;
    expired.push_back({std::move(segment), *reason});
  }
  return expired;
}

}  // namespace dunlin::store
