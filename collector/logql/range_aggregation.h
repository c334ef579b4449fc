#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

#include "collector/logql/ast.h"
#include "collector/logql/entry_source.h"
#include "collector/logql/step_grid.h"
#include "collector/logql/vector_operations.h"
#include "protocol/base/result.h"

namespace dunlin::logql {

struct RangeAggregationInput {
  EntrySource& source;
  StepGrid grid;
  /// What the series may occupy; beyond it the answer is kExhausted.
  std::uint64_t max_bytes;
  const std::atomic<bool>* cancelled;
};

struct RangeAggregationOutput {
  StepVector vector;
  SourceStats stats;
};

/// Whether an aggregation is about bytes rather than entries.
bool CountsBytes(RangeOp op);
/// Its value for a window with so many entries or bytes.
double ValueOf(const RangeAggregation& aggregation, double amount);

/// Has the source count the entries of the log range, or reads it once, in no particular order and
/// without keeping entries. With a grouping, entries are counted per group, which is the sum over
/// the group's series.
Result<RangeAggregationOutput> EvaluateRangeAggregation(const RangeAggregation& aggregation,
                                                        const std::optional<Grouping>& grouping,
                                                        const RangeAggregationInput& input);

}  // namespace dunlin::logql
