#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "collector/logql/step_grid.h"

namespace dunlin::logql {

/// One total per step of one series, as differences between neighbouring steps: an amount that
/// counts at many steps is two additions. Occupies only the steps that were touched.
class WindowSums {
 public:
  /// Adds `amount` at every step of `span`, which lies within `step_count` steps.
  void Add(StepSpan span, std::int64_t amount, std::size_t step_count);

  /// Calls visit(step, total) for the touched steps in order, also where the total is zero.
  template <typename Visit>
  void ForEach(Visit visit) const {
    std::int64_t total = 0;
    // The last difference only ends the one before it.
    for (std::size_t i = 0; i + 1 < differences_.size(); ++i) {
      total += differences_[i];
      visit(first_ + i, total);
    }
  }

  std::uint64_t bytes() const { return differences_.capacity() * sizeof(std::int64_t); }

 private:
  void Cover(StepSpan span, std::size_t step_count);

  std::size_t first_ = 0;
  std::vector<std::int64_t> differences_;
};

}  // namespace dunlin::logql
