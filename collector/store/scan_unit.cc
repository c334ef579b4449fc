#include "collector/store/scan_unit.h"

#include <algorithm>
#include <numeric>

#include "collector/store/block_match.h"

namespace dunlin::store {
namespace {

/// When fewer than one row in so many can match by time and stream, looking at those lines alone
/// beats searching the whole block.
constexpr std::uint64_t kSelectiveOneIn = 4;
/// When fewer than one row in so many matched, copying them out beats keeping the block.
constexpr std::uint64_t kSparseOneIn = 4;

bool InRange(const ScanRequest& request, std::int64_t time_ns) {
  return time_ns >= request.start_ns && time_ns < request.end_ns;
}

bool Inside(const ScanRequest& request, const TimeSpan& span) {
  return span.min_ns >= request.start_ns && span.max_ns < request.end_ns;
}

bool IsAllowed(ScanPlan& plan, const LabelSet* stream) {
  auto [at, added] = plan.allowed.try_emplace(stream, true);
  if (added && plan.request->stream_matches) {
    at->second = plan.request->stream_matches(*stream);
    if (!at->second) plan.all_allowed = false;
  }
  return at->second;
}

/// Rows in [first, end) that `allows` and the matcher accept.
template <typename Allows>
void SelectRows(const ScanPlan& plan, const RowColumns& columns, std::uint32_t first,
                std::uint32_t end, std::uint64_t candidates, Allows allows,
                std::vector<std::uint32_t>& rows) {
  const LineMatcher& matcher = *plan.matcher;
  if (matcher.trivial() || candidates * kSelectiveOneIn < columns.rows) {
    for (std::uint32_t row = first; row < end; ++row) {
      if (allows(row) && (matcher.trivial() || matcher.Matches(columns.Line(row)))) {
        rows.push_back(row);
      }
    }
    return;
  }
  matcher.Select(columns, rows);
  std::erase_if(rows, [&](std::uint32_t row) { return row < first || row >= end || !allows(row); });
}

void EvaluateSlice(const ScanPlan& plan, const ScanUnit& unit, UnitRows& out) {
  const RowColumns& columns = unit.slice.columns;
  bool inside = Inside(*plan.request, unit.span);
  auto allows = [&](std::uint32_t row) {
    if (!inside && !InRange(*plan.request, columns.times[row])) return false;
    return plan.all_allowed || plan.allowed.at(columns.streams[row]);
  };
  out.columns = columns;
  out.stats.rows_scanned += columns.rows;
  out.stats.bytes_scanned += columns.text.size();
  std::uint64_t candidates = columns.rows;
  if (!plan.all_allowed || !inside) {
    candidates = 0;
    for (std::uint32_t row = 0; row < columns.rows; ++row) candidates += allows(row) ? 1 : 0;
    if (candidates == 0) return;
  }
  SelectRows(plan, columns, 0, columns.rows, candidates, allows, out.rows);
  if (plan.request->order != Order::kUnordered) {
    // The head is in order of arrival.
    std::stable_sort(out.rows.begin(), out.rows.end(), [&](std::uint32_t a, std::uint32_t b) {
      return columns.times[a] < columns.times[b];
    });
  }
}

/// A few rows copied out of a block, so that the block need not stay.
struct CopiedRows {
  std::string text;
  std::vector<std::uint32_t> ends;
  std::vector<std::int64_t> times;
  std::vector<std::uint64_t> arrivals;
  std::vector<const LabelSet*> streams;
  std::vector<const LabelSet*> metadata;
  std::unordered_map<const LabelSet*, LabelSet> metadata_sets;
};

void CopyLines(const UnitRows& rows, CopiedRows& copied) {
  for (std::uint32_t row : rows.rows) {
    copied.text += rows.columns.Line(row);
    copied.ends.push_back(static_cast<std::uint32_t>(copied.text.size()));
    copied.text.push_back('\n');
  }
}

/// Copies what belongs to the lines that `copied` has already.
void CopyOut(std::shared_ptr<CopiedRows> copied, UnitRows& out) {
  for (std::uint32_t row : out.rows) {
    copied->times.push_back(out.columns.times[row]);
    copied->arrivals.push_back(out.columns.arrivals[row]);
    copied->streams.push_back(out.columns.streams[row]);
    const LabelSet* set = out.columns.metadata[row];
    // References to a node of an unordered_map stay valid while others are added.
    copied->metadata.push_back(&copied->metadata_sets.try_emplace(set, *set).first->second);
  }
  out.columns.rows = static_cast<std::uint32_t>(out.rows.size());
  out.columns.text = copied->text;
  out.columns.ends = copied->ends.data();
  out.columns.times = copied->times.data();
  out.columns.arrivals = copied->arrivals.data();
  out.columns.streams = copied->streams.data();
  out.columns.metadata = copied->metadata.data();
  std::iota(out.rows.begin(), out.rows.end(), 0U);
  out.memory_bytes = copied->text.size() + out.rows.size() * 40;
  out.owner = std::move(copied);
}

/// A block while it is searched: columns are read when they turn out to be needed.
class BlockSearch {
 public:
  BlockSearch(const ScanPlan& plan, const ScanUnit& unit)
      : plan_(plan), unit_(unit), info_(unit.segment->blocks()[unit.block]) {}

  Result<void> Run(UnitRows& out) {
    std::shared_ptr<const BlockReader> cached;
    if (plan_.cache != nullptr) cached = plan_.cache->Get(unit_.segment.get(), unit_.block);
    if (cached) {
      CountAllowed(*cached);
      SetRange(cached->columns().times);
      Count(out.stats);
      SelectAllowed(*cached, out.rows);
      Truncate(out.rows);
      TakeText(std::move(cached), out);
      return {};
    }
    auto block = std::make_unique<BlockReader>(unit_.segment, unit_.block);
    ++out.stats.blocks_read;
    CountAllowed(*block);
    if (!Inside(*plan_.request, info_.span)) {
      if (auto done = block->LoadTimes(); !done) return done;
    }
    SetRange(block->columns().times);
    if (first_ >= end_) return {};
    Count(out.stats);
    // Most blocks hold no match: find that out before anything else is read.
    if (auto done = SelectLines(*block, out.rows); !done) return done;
    if (out.rows.empty()) return {};
    if (auto done = block->LoadRows(); !done) return done;
    if (!all_allowed_) {
      std::erase_if(out.rows, [&](std::uint32_t row) { return !Allows(*block, row); });
    }
    Truncate(out.rows);
    if (out.rows.empty()) return {};
    if (in_columns()) return TakeColumns(std::move(block), out);
    if (auto done = block->LoadText(); !done) return done;
    if (auto done = block->LoadEnds(); !done) return done;
    TakeText(std::move(block), out);
    return {};
  }

 private:
  void CountAllowed(const BlockReader& block) {
    all_allowed_ = true;
    for (const BlockStream& stream : block.info().streams) {
      bool allowed =
          plan_.all_allowed || plan_.allowed.at(unit_.segment->streams()[stream.stream].get());
      allowed_.push_back(allowed);
      all_allowed_ = all_allowed_ && allowed;
      if (allowed) candidates_ += stream.rows;
    }
  }

  void SetRange(const std::int64_t* times) {
    end_ = info_.rows;
    if (Inside(*plan_.request, info_.span)) return;
    const std::int64_t* end = times + info_.rows;
    first_ =
        static_cast<std::uint32_t>(std::lower_bound(times, end, plan_.request->start_ns) - times);
    end_ = static_cast<std::uint32_t>(std::lower_bound(times, end, plan_.request->end_ns) - times);
  }

  void Count(ScanStats& stats) const {
    stats.rows_scanned += info_.rows;
    stats.bytes_scanned += info_.line_bytes;
  }

  bool Allows(const BlockReader& block, std::uint32_t row) const {
    return all_allowed_ || allowed_[block.stream_refs()[row]];
  }

  bool in_columns() const { return info_.form() == BlockForm::kColumns; }

  /// The rows in range whose lines match, whatever their stream.
  Result<void> SelectLines(BlockReader& block, std::vector<std::uint32_t>& rows) {
    const LineMatcher& matcher = *plan_.matcher;
    if (matcher.trivial()) {
      rows.resize(end_ - first_);
      std::iota(rows.begin(), rows.end(), first_);
      return {};
    }
    const std::uint64_t candidates = std::min<std::uint64_t>(candidates_, end_ - first_);
    if (!in_columns() && candidates * kSelectiveOneIn < info_.rows) {
      if (auto done = block.LoadText(); !done) return done;
      if (auto done = block.LoadEnds(); !done) return done;
      if (auto done = block.LoadStreams(); !done) return done;
      SelectAllowed(block, rows);
      return {};
    }
    return SelectMatching(block, matcher, {first_, end_}, rows);
  }

  void SelectAllowed(const BlockReader& block, std::vector<std::uint32_t>& rows) const {
    SelectRows(
        plan_, block.columns(), first_, end_, std::min<std::uint64_t>(candidates_, end_ - first_),
        [&](std::uint32_t row) { return Allows(block, row); }, rows);
  }

  bool few(const UnitRows& out) const { return out.rows.size() * kSparseOneIn < info_.rows; }

  /// Of the rows of one block, none but the first `limit` in the order asked for is ever wanted.
  void Truncate(std::vector<std::uint32_t>& rows) const {
    const ScanRequest& request = *plan_.request;
    if (rows.size() <= request.limit) return;
    const auto drop = static_cast<std::ptrdiff_t>(rows.size() - request.limit);
    if (request.order == Order::kDescending) {
      rows.erase(rows.begin(), rows.begin() + drop);
    } else {
      rows.resize(request.limit);
    }
  }

  void TakeText(std::shared_ptr<const BlockReader> block, UnitRows& out) const {
    if (out.rows.empty()) return;
    out.columns = block->columns();
    if (plan_.cache != nullptr) plan_.cache->Put(unit_.segment.get(), unit_.block, block);
    if (few(out)) {
      auto copied = std::make_shared<CopiedRows>();
      CopyLines(out, *copied);
      CopyOut(std::move(copied), out);
      return;
    }
    out.memory_bytes = block->memory_bytes();
    out.owner = std::move(block);
  }

  /// Few lines are made at once; of many, those that are visited, when they are: most newest-first
  /// scans end in their first blocks.
  Result<void> TakeColumns(std::unique_ptr<BlockReader> block, UnitRows& out) const {
    if (few(out)) {
      if (auto done = block->LoadLines(); !done) return done;
      auto copied = std::make_shared<CopiedRows>();
      auto done = block->lines().AppendRows(out.rows, copied->text, copied->ends);
      if (!done) return done;
      out.columns = block->columns();
      CopyOut(std::move(copied), out);
      return {};
    }
    if (plan_.request->order == Order::kUnordered) {
      if (auto done = block->LoadText(); !done) return done;
    }
    block->ReleaseLines();
    out.columns = block->columns();
    out.memory_bytes = block->memory_bytes();
    if (out.columns.text.empty()) {
      out.in_columns = std::move(block);
    } else {
      out.owner = std::move(block);
    }
    return {};
  }

  const ScanPlan& plan_;
  const ScanUnit& unit_;
  const BlockInfo& info_;
  std::vector<bool> allowed_;  // per stream of the block
  bool all_allowed_ = true;
  std::uint64_t candidates_ = 0;  // rows of allowed streams
  std::uint32_t first_ = 0;       // rows inside the time range
  std::uint32_t end_ = 0;
};

}  // namespace

std::vector<ScanUnit> PlanUnits(const View& view, ScanPlan& plan, ScanStats& stats) {
  const ScanRequest& request = *plan.request;
  std::vector<ScanUnit> units;
  for (const auto& head : view.heads) {
    // Slices first: rows that come later may be of streams not seen here.
    std::vector<HeadSlice> slices = head->Slices(request.start_ns, request.end_ns);
    std::vector<StreamPtr> streams = head->streams();
    bool any = false;
    for (const StreamPtr& stream : streams) any = IsAllowed(plan, stream.get()) || any;
    if (!any) continue;
    for (HeadSlice& slice : slices) {
      TimeSpan span = slice.span;
      units.push_back({span, std::move(slice), nullptr, 0});
    }
  }
  for (const auto& segment : *view.segments) {
    if (!segment->facts().span.Overlaps(request.start_ns, request.end_ns)) continue;
    ++stats.segments;
    std::vector<bool> allowed;
    for (const StreamPtr& stream : segment->streams()) {
      allowed.push_back(IsAllowed(plan, stream.get()));
    }
    for (std::size_t i = 0; i < segment->blocks().size(); ++i) {
      const BlockInfo& block = segment->blocks()[i];
      bool wanted = std::any_of(block.streams.begin(), block.streams.end(), [&](const auto& part) {
        return allowed[part.stream] && part.span.Overlaps(request.start_ns, request.end_ns);
      });
      if (wanted) {
        units.push_back({block.span, {}, segment, i});
      } else {
        ++stats.blocks_pruned;
      }
    }
  }
  return units;
}

UnitRows EvaluateUnit(const ScanPlan& plan, const ScanUnit& unit) {
  UnitRows out;
  if (!unit.segment) {
    EvaluateSlice(plan, unit, out);
    return out;
  }
  if (auto done = BlockSearch(plan, unit).Run(out); !done) {
    out.rows.clear();
    out.owner.reset();
    out.stats.warnings.push_back(done.error().message());
  }
  return out;
}

}  // namespace dunlin::store
