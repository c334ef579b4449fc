#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "collector/store/block_reader.h"
#include "collector/store/line_matcher.h"
#include "collector/store/store.h"
#include "collector/store/view.h"

namespace dunlin::store {

/// One scan, made ready: what every unit is asked. Immutable while units are evaluated.
struct ScanPlan {
  const ScanRequest* request = nullptr;
  std::shared_ptr<const LineMatcher> matcher;
  BlockCache* cache = nullptr;  // none: blocks are not kept
  /// The predicate's answer for every stream of the view.
  std::unordered_map<const LabelSet*, bool> allowed;
  bool all_allowed = true;
};

/// The rows of one unit that satisfy the whole request, in order of (time, arrival).
struct UnitRows {
  RowColumns columns;  // without lines when `lines` is set
  std::vector<std::uint32_t> rows;
  /// Makes lines, where they are columns and columns.text is empty. For one scan alone.
  std::unique_ptr<BlockReader> in_columns;
  std::shared_ptr<const void> owner;  // shared with the block cache; none for rows of a head
  std::uint64_t memory_bytes = 0;     // that `owner` keeps
  ScanStats stats;                    // what finding them took; damage is a warning in it
};

/// A piece of work of a scan: one chunk of a head or one block of a segment.
struct ScanUnit {
  TimeSpan span;
  HeadSlice slice;                               // when segment is none
  std::shared_ptr<const SegmentReader> segment;  // shared: the view may be replaced meanwhile
  std::size_t block = 0;
};

/// The units of a view that may hold matching rows; fills in plan.allowed. Calls the predicate.
std::vector<ScanUnit> PlanUnits(const View& view, ScanPlan& plan, ScanStats& stats);

/// Any thread.
UnitRows EvaluateUnit(const ScanPlan& plan, const ScanUnit& unit);

}  // namespace dunlin::store
