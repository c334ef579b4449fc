#pragma once

#include <optional>
#include <vector>

#include "collector/logql/ast.h"
#include "collector/logql/entry_counter.h"
#include "collector/logql/range_aggregation.h"
#include "collector/logql/read_plan.h"

namespace dunlin::logql {

/// The labels of an entry's metadata on which it depends whether stages keep an entry and to which
/// series it goes; nothing when a stage looks at the line, too. Without a grouping a series has all
/// labels.
std::optional<LabelNames> MetadataInPlay(const std::vector<Stage>& stages,
                                         const std::optional<Grouping>& grouping);

/// Evaluates a range aggregation from counts of the source; the answer is that of reading all
/// entries. Nothing when it has to be found by reading them: the source does not count, a stage
/// looks at lines, an entry is at fault, times leave the clock, or counts need too much memory.
/// Errors: those of EntryCounter::Count.
Result<std::optional<RangeAggregationOutput>> EvaluateByCounting(
    const RangeAggregation& aggregation, const std::optional<Grouping>& grouping,
    const RangeAggregationInput& input, const ReadPlan& plan);

}  // namespace dunlin::logql
