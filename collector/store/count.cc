#include "collector/store/count.h"

#include <algorithm>
#include <limits>
#include <mutex>
#include <set>
#include <utility>

#include "collector/store/count_segment.h"
#include "collector/store/count_unit.h"

namespace dunlin::store {
namespace {

class Count {
 public:
  Count(const View& view, const CountRequest& request, ScanPool& pool)
      : view_(view), request_(request), pool_(pool), plan_(request), total_(plan_.memory) {}

  Result<CountResult> Run() {
    auto matcher = LineMatcher::Create(request_.line_filters);
    if (!matcher) return std::move(matcher).error();
    plan_.scan.matcher = std::move(*matcher);
    ScanRequest scan;  // what the plan asks for its units
    scan.start_ns = request_.edges.front() + 1;
    scan.end_ns = request_.edges.back() + 1;
    scan.stream_matches = request_.stream_matches;
    plan_.scan.request = &scan;
    for (const Loss& loss : view_.losses) {
      if (loss.span.Overlaps(scan.start_ns, scan.end_ns)) warnings_.insert(loss.text);
    }
    CountUnits(PlanUnits(view_, plan_.scan, stats_));
    if (Cancelled()) return Error(ErrorCode::kCancelled, "the count was cancelled");
    if (plan_.memory.exceeded()) {
      return Error(ErrorCode::kExhausted, "counting needs too much memory");
    }
    stats_.rows_matched = total_.rows();
    stats_.warnings.assign(warnings_.begin(), warnings_.end());
    return CountResult{std::move(total_).Take(), std::move(stats_)};
  }

 private:
  /// A segment with the blocks that may hold rows asked for.
  struct SegmentUnits {
    std::shared_ptr<const SegmentReader> segment;  // shared: the view may be replaced meanwhile
    std::vector<std::size_t> blocks;
  };

  bool Cancelled() const {
    return request_.cancelled != nullptr && request_.cancelled->load(std::memory_order_relaxed);
  }

  /// Segments first: what they do not know themselves is then looked at block by block, and so are
  /// the heads' rows.
  void CountUnits(std::vector<ScanUnit> units) {
    std::vector<SegmentUnits> segments;
    std::vector<HeadSlice> slices;
    for (ScanUnit& unit : units) {
      if (!unit.segment) {
        slices.push_back(std::move(unit.slice));
        continue;
      }
      if (segments.empty() || segments.back().segment != unit.segment) {
        segments.push_back({unit.segment, {}});
      }
      segments.back().blocks.push_back(unit.block);
    }
    std::vector<CountBlock> blocks;
    InParallel(segments.size(), [&](std::size_t i, Tally& tally, ScanStats& stats) {
      std::vector<CountBlock> left;
      CountSegment(plan_, segments[i].segment, segments[i].blocks, tally, stats, left);
      std::lock_guard lock(mutex_);
      std::move(left.begin(), left.end(), std::back_inserter(blocks));
    });
    InParallel(blocks.size() + slices.size(), [&](std::size_t i, Tally& tally, ScanStats& stats) {
      if (i >= blocks.size()) return CountRowsOf(plan_, slices[i - blocks.size()], tally, stats);
      auto counted = CountRowsOf(plan_, blocks[i], tally, stats);
      if (!counted) stats.warnings.push_back(counted.error().message());
    });
  }

  template <typename Work>
  void InParallel(std::size_t count, Work work) {
    pool_.RunAll(count, [&](std::size_t i) {
      if (Cancelled() || plan_.memory.exceeded()) return;
      Tally tally(plan_.memory);
      ScanStats stats;
      work(i, tally, stats);
      std::lock_guard lock(mutex_);
      total_.Merge(tally);
      stats_.blocks_read += stats.blocks_read;
      stats_.rows_scanned += stats.rows_scanned;
      stats_.bytes_scanned += stats.bytes_scanned;
      warnings_.insert(stats.warnings.begin(), stats.warnings.end());
    });
  }

  const View& view_;
  const CountRequest& request_;
  ScanPool& pool_;
  CountPlan plan_;
  std::mutex mutex_;
  Tally total_;
  ScanStats stats_;
  std::set<std::string> warnings_;
};

}  // namespace

Result<CountResult> RunCount(const View& view, const CountRequest& request, ScanPool& pool) {
  const std::vector<std::int64_t>& edges = request.edges;
  // The end of what is scanned is the last edge plus one.
  if (edges.size() < 2 || edges.back() == std::numeric_limits<std::int64_t>::max() ||
      std::adjacent_find(edges.begin(), edges.end(), std::greater_equal()) != edges.end()) {
    return Error(ErrorCode::kInvalidArgument, "the edges of intervals must ascend");
  }
  return Count(view, request, pool).Run();
}

}  // namespace dunlin::store
