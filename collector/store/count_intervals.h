#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "collector/store/counters.h"
#include "collector/store/head.h"

namespace dunlin::store {

/// The intervals (edges[i], edges[i + 1]] of a count. `edges` outlives it. Any thread.
class CountIntervals {
 public:
  static constexpr std::size_t kOutside = std::numeric_limits<std::size_t>::max();

  explicit CountIntervals(const std::vector<std::int64_t>& edges) : edges_(edges) {
    for (std::int64_t edge : edges) {
      std::int64_t bucket = BucketOf(edge);
      if (edge == BucketEnd(bucket)) continue;
      if (split_.empty() || split_.back() != bucket) split_.push_back(bucket);
    }
  }

  std::int64_t first_edge() const { return edges_.front(); }
  std::int64_t last_edge() const { return edges_.back(); }
  const std::vector<std::int64_t>& edges() const { return edges_; }

  /// The interval of a time, or kOutside.
  std::size_t Of(std::int64_t time_ns) const {
    if (time_ns <= edges_.front() || time_ns > edges_.back()) return kOutside;
    auto right = std::lower_bound(edges_.begin(), edges_.end(), time_ns);
    return static_cast<std::size_t>(right - edges_.begin()) - 1;
  }
  /// The interval of all times of a span, which may be kOutside; nothing when they are of several.
  std::optional<std::size_t> OfAll(const TimeSpan& span) const {
    if (span.max_ns <= edges_.front() || span.min_ns > edges_.back()) return kOutside;
    std::size_t first = Of(span.min_ns);
    if (first == kOutside || span.max_ns > edges_[first + 1]) return std::nullopt;
    return first;
  }
  /// Whether an edge lies between two times of the bucket: its rows are of several intervals.
  bool Splits(std::int64_t bucket) const {
    return std::binary_search(split_.begin(), split_.end(), bucket);
  }
  bool SplitsAnyOf(const TimeSpan& span) const {
    auto first = std::lower_bound(split_.begin(), split_.end(), BucketOf(span.min_ns));
    return first != split_.end() && *first <= BucketOf(span.max_ns);
  }

 private:
  const std::vector<std::int64_t>& edges_;
  std::vector<std::int64_t> split_;  // ascending
};

/// Finds the intervals of one time after another: neighbouring rows are mostly of the same.
class IntervalCursor {
 public:
  explicit IntervalCursor(const CountIntervals& intervals) : intervals_(intervals) {}

  std::size_t Of(std::int64_t time_ns) {
    if (time_ns > left_ && time_ns <= right_) return interval_;
    interval_ = intervals_.Of(time_ns);
    if (interval_ == CountIntervals::kOutside) {
      left_ = right_ = 0;
    } else {
      left_ = intervals_.edges()[interval_];
      right_ = intervals_.edges()[interval_ + 1];
    }
    return interval_;
  }

 private:
  const CountIntervals& intervals_;
  std::size_t interval_ = CountIntervals::kOutside;
  std::int64_t left_ = 0;  // nothing is in (0, 0]
  std::int64_t right_ = 0;
};

/// The same for whether a time is in a bucket that an edge splits.
class SplitCursor {
 public:
  explicit SplitCursor(const CountIntervals& intervals) : intervals_(intervals) {}

  bool Of(std::int64_t time_ns) {
    if (std::int64_t bucket = BucketOf(time_ns); bucket != bucket_) {
      bucket_ = bucket;
      split_ = intervals_.Splits(bucket);
    }
    return split_;
  }

 private:
  const CountIntervals& intervals_;
  std::int64_t bucket_ = std::numeric_limits<std::int64_t>::max();  // none of a time
  bool split_ = false;
};

}  // namespace dunlin::store
