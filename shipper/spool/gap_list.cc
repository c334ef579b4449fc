#include "shipper/spool/gap_list.h"

#include <algorithm>

namespace dunlin::shipper {

void AddGap(std::vector<wire::Gap>& gaps, const wire::Gap& gap) {
  auto same = std::find_if(gaps.begin(), gaps.end(), [&gap](const wire::Gap& other) {
    return other.output == gap.output && other.reason == gap.reason;
  });
  if (same == gaps.end()) {
    gaps.push_back(gap);
    return;
  }
  same->lines += gap.lines;
  same->bytes += gap.bytes;
  same->time_ns = std::max(same->time_ns, gap.time_ns);
}

void AddGaps(std::vector<wire::Gap>& gaps, std::string_view reason, const Totals& totals) {
  for (std::size_t i = 0; i < kOutputs; ++i) {
    if (totals[i].lines == 0) continue;
    AddGap(gaps, {.time_ns = static_cast<std::uint64_t>(totals[i].last_time_ns),
                  .output = OutputAt(i),
                  .lines = totals[i].lines,
                  .bytes = totals[i].bytes,
                  .reason = std::string(reason)});
  }
}

}  // namespace dunlin::shipper
