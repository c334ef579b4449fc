#include "collector/logql/window_sums.h"

#include <algorithm>

namespace dunlin::logql {

void WindowSums::Add(StepSpan span, std::int64_t amount, std::size_t step_count) {
  Cover(span, step_count);
  differences_[span.first - first_] += amount;
  differences_[span.last + 1 - first_] -= amount;
}

void WindowSums::Cover(StepSpan span, std::size_t step_count) {
  if (differences_.empty()) first_ = span.first;
  if (span.first < first_) {
    // Entries may come newest first: growing in proportion keeps that linear.
    std::size_t growth = std::max(first_ - span.first, std::min(first_, differences_.size()));
    differences_.insert(differences_.begin(), growth, 0);
    first_ -= growth;
  }
  std::size_t needed = span.last + 2 - first_;
  if (needed <= differences_.size()) return;
  if (needed > differences_.capacity()) {
    differences_.reserve(
        std::min(std::max(needed, 2 * differences_.size()), step_count + 1 - first_));
  }
  differences_.resize(needed, 0);
}

}  // namespace dunlin::logql
