#include "collector/store/count_unit.h"

#include <algorithm>
#include <numeric>
#include <unordered_map>

#include "collector/store/block_match.h"

namespace dunlin::store {
namespace {

/// When fewer than one row in so many can match by time and stream, looking at those lines alone
/// beats searching all.
constexpr std::uint64_t kSelectiveOneIn = 4;

/// The groups of a unit's rows, looked up once for each stream and, if it is shown, metadata.
class UnitGroups {
 public:
  UnitGroups(CountPlan& plan, Tally& tally, bool metadata_shown)
      : plan_(plan), tally_(tally), metadata_shown_(metadata_shown) {}

  /// None: the rows are not counted. `metadata` may be null when it is not shown.
  CountedGroup* Of(const LabelSet* stream, const LabelSet* metadata) {
    Key key{stream, metadata_shown_ ? metadata : nullptr};
    if (key == last_key_) return last_;
    auto [at, added] = known_.try_emplace(key, nullptr);
    if (added) {
      auto number = metadata_shown_ ? plan_.groups.OfWhole(stream, *metadata)
                                    : plan_.groups.Of(stream, LabelSet());
      if (number) at->second = &tally_.Group(*number);
    }
    last_key_ = key;
    last_ = at->second;
    return last_;
  }

 private:
  struct Key {
    const LabelSet* stream = nullptr;
    const LabelSet* metadata = nullptr;
    friend bool operator==(const Key&, const Key&) = default;
  };
  struct Hash {
    std::size_t operator()(const Key& key) const noexcept {
      return std::hash<const void*>()(key.stream) * 31 + std::hash<const void*>()(key.metadata);
    }
  };

  CountPlan& plan_;
  Tally& tally_;
  const bool metadata_shown_;
  std::unordered_map<Key, CountedGroup*, Hash> known_;
  Key last_key_;  // no row's: a stream is never null
  CountedGroup* last_ = nullptr;
};

/// A block while it is counted: columns are read when they turn out to be needed.
class BlockCount {
 public:
  BlockCount(CountPlan& plan, const CountBlock& unit, Tally& tally, ScanStats& stats)
      : plan_(plan),
        unit_(unit),
        tally_(tally),
        stats_(stats),
        block_(unit.segment, unit.block),
        info_(block_.info()),
        interval_(plan.intervals.OfAll(info_.span)) {}

  Result<void> Run() {
    ++stats_.blocks_read;
    stats_.rows_scanned += info_.rows;
    if (interval_ == CountIntervals::kOutside) return {};
    if (auto done = SelectRows(); !done) return done;
    if (rows_ && rows_->empty()) return {};
    if (auto done = LoadMetadata(); !done) return done;
    bool any_split = std::find(unit_.streams.begin(), unit_.streams.end(),
                               CountedRows::kInSplitBuckets) != unit_.streams.end();
    if (!interval_ || any_split) {
      if (auto done = block_.LoadTimes(); !done) return done;
    }
    UnitGroups groups(plan_, tally_, metadata_shown_);
    CountedGroup* group = nullptr;
    if (OneGroup(groups, group)) {
      if (group == nullptr) return {};
      if (auto done = LoadLengths(); !done) return done;
      CountTimes(*group);
      return {};
    }
    if (auto done = block_.LoadStreams(); !done) return done;
    if (auto done = LoadLengths(); !done) return done;
    CountEach(groups);
    return {};
  }

 private:
  bool Counts(std::uint32_t ref) const { return unit_.streams[ref] != CountedRows::kNone; }
  std::uint32_t RefOf(std::uint32_t row) const {
    return block_.stream_refs().empty() ? 0 : block_.stream_refs()[row];
  }
  const LabelSet* StreamOf(std::uint32_t ref) const {
    return unit_.segment->streams()[info_.streams[ref].stream].get();
  }

  /// With line filters, sets rows_ to what matches.
  Result<void> SelectRows() {
    const LineMatcher& matcher = *plan_.scan.matcher;
    if (matcher.trivial()) return {};
    std::uint32_t first = 0;
    std::uint32_t end = info_.rows;
    if (info_.span.min_ns <= plan_.intervals.first_edge() ||
        info_.span.max_ns > plan_.intervals.last_edge()) {
      if (auto done = block_.LoadTimes(); !done) return done;
      const std::int64_t* times = block_.columns().times;
      first = static_cast<std::uint32_t>(
          std::upper_bound(times, times + end, plan_.intervals.first_edge()) - times);
      end = static_cast<std::uint32_t>(
          std::upper_bound(times, times + end, plan_.intervals.last_edge()) - times);
    }
    std::uint64_t candidates = 0;
    for (std::uint32_t ref = 0; ref < info_.streams.size(); ++ref) {
      if (Counts(ref)) candidates += info_.streams[ref].rows;
    }
    candidates = std::min<std::uint64_t>(candidates, end - first);
    rows_.emplace();
    if (candidates == 0) return {};
    stats_.bytes_scanned += info_.line_bytes;
    if (candidates * kSelectiveOneIn >= info_.rows) {
      return SelectMatching(block_, matcher, {first, end}, *rows_);
    }
    if (auto done = block_.LoadStreams(); !done) return done;
    for (std::uint32_t row = first; row < end; ++row) {
      if (Counts(RefOf(row))) rows_->push_back(row);
    }
    return KeepMatching(block_, matcher, *rows_);
  }

  Result<void> LoadMetadata() {
    if (plan_.request.metadata.none() || info_.Find(ColumnKind::kMetadata) == nullptr) return {};
    metadata_shown_ = unit_.metadata_shown.value_or(false);
    if (!unit_.metadata_shown) {
      if (auto done = block_.LoadMetadataSets(); !done) return done;
      for (const LabelSet& set : block_.metadata_sets()) {
        metadata_shown_ =
            metadata_shown_ || std::any_of(set.begin(), set.end(), [&](const auto& l) {
              return plan_.request.metadata.Has(l.first);
            });
      }
    }
    if (!metadata_shown_) return {};
    return block_.LoadMetadata();
  }

  /// Whether the same is counted of all streams, in the same group: then they do not matter.
  bool OneGroup(UnitGroups& groups, CountedGroup*& group) const {
    if (metadata_shown_) return false;
    for (std::uint32_t ref = 0; ref < info_.streams.size(); ++ref) {
      if (unit_.streams[ref] != unit_.streams[0]) return false;
      CountedGroup* of_stream = groups.Of(StreamOf(ref), nullptr);
      if (ref > 0 && of_stream != group) return false;
      group = of_stream;
    }
    return true;
  }

  Result<void> LoadLengths() {
    if (!plan_.request.bytes) return {};
    if (plan_.scan.matcher->trivial()) stats_.bytes_scanned += info_.line_bytes;
    std::vector<std::uint32_t> all;
    if (!rows_) {
      all.resize(info_.rows);
      std::iota(all.begin(), all.end(), 0U);
    }
    return store::LoadLengths(block_, rows_ ? *rows_ : all, lengths_);
  }

  std::size_t size() const { return rows_ ? rows_->size() : info_.rows; }
  std::uint32_t RowAt(std::size_t at) const {
    return rows_ ? (*rows_)[at] : static_cast<std::uint32_t>(at);
  }

  void CountTimes(CountedGroup& group) {
    const std::int64_t* times = block_.columns().times;
    const bool split_only = unit_.streams[0] == CountedRows::kInSplitBuckets;
    for (std::size_t at = 0; at < size();) {
      std::size_t interval = interval_ ? *interval_ : plan_.intervals.Of(times[RowAt(at)]);
      std::size_t end = size();
      if (interval == CountIntervals::kOutside) {
        if (times[RowAt(at)] > plan_.intervals.last_edge()) return;
        at = FirstAfter(plan_.intervals.first_edge(), at);
        continue;
      }
      if (!interval_) end = FirstAfter(plan_.intervals.edges()[interval + 1], at);
      if (split_only) {
        const std::int64_t bucket = BucketOf(times[RowAt(at)]);
        end = std::min(end, FirstAfter(BucketEnd(bucket), at));
        if (!plan_.intervals.Splits(bucket)) {
          at = end;
          continue;
        }
      }
      RowCount count{end - at, 0};
      for (std::size_t i = at; i < end && !lengths_.empty(); ++i) count.line_bytes += lengths_[i];
      tally_.Add(group, interval, count);
      at = end;
    }
  }

  /// The first place from `begin` on whose row is later than `time_ns`: rows are in order of time.
  std::size_t FirstAfter(std::int64_t time_ns, std::size_t begin) const {
    const std::int64_t* times = block_.columns().times;
    std::size_t end = size();
    while (begin < end) {
      std::size_t middle = begin + (end - begin) / 2;
      if (times[RowAt(middle)] > time_ns) {
        end = middle;
      } else {
        begin = middle + 1;
      }
    }
    return begin;
  }

  void CountEach(UnitGroups& groups) {
    RowColumns columns = block_.columns();
    IntervalCursor intervals(plan_.intervals);
    SplitCursor splits(plan_.intervals);
    for (std::size_t at = 0; at < size(); ++at) {
      std::uint32_t row = RowAt(at);
      CountedRows counted = unit_.streams[RefOf(row)];
      if (counted == CountedRows::kNone) continue;
      std::size_t interval = interval_ ? *interval_ : intervals.Of(columns.times[row]);
      if (interval == CountIntervals::kOutside) continue;
      if (counted == CountedRows::kInSplitBuckets && !splits.Of(columns.times[row])) continue;
      CountedGroup* group =
          groups.Of(columns.streams[row], metadata_shown_ ? columns.metadata[row] : nullptr);
      if (group == nullptr) continue;
      tally_.Add(*group, interval, {1, lengths_.empty() ? 0 : lengths_[at]});
    }
  }

  CountPlan& plan_;
  const CountBlock& unit_;
  Tally& tally_;
  ScanStats& stats_;
  BlockReader block_;
  const BlockInfo& info_;
  const std::optional<std::size_t> interval_;       // of all rows
  std::optional<std::vector<std::uint32_t>> rows_;  // that match; none: all
  std::vector<std::uint32_t> lengths_;              // of those lines, when bytes are counted
  bool metadata_shown_ = false;
};

}  // namespace

Result<void> CountRowsOf(CountPlan& plan, const CountBlock& block, Tally& tally, ScanStats& stats) {
  return BlockCount(plan, block, tally, stats).Run();
}

void CountRowsOf(CountPlan& plan, const HeadSlice& slice, Tally& tally, ScanStats& stats) {
  const RowColumns& columns = slice.columns;
  const LineMatcher& matcher = *plan.scan.matcher;
  auto whole = plan.intervals.OfAll(slice.span);
  if (whole == CountIntervals::kOutside) return;
  stats.rows_scanned += columns.rows;

  UnitGroups groups(plan, tally, !plan.request.metadata.none());
  IntervalCursor intervals(plan.intervals);
  const LabelSet* stream = nullptr;  // the latest
  bool allowed = false;
  auto interval_of = [&](std::uint32_t row) {
    if (columns.streams[row] != stream) {
      stream = columns.streams[row];
      allowed = plan.scan.all_allowed || plan.scan.allowed.at(stream);
    }
    if (!allowed) return CountIntervals::kOutside;
    return whole ? *whole : intervals.Of(columns.times[row]);
  };
  auto count = [&](std::uint32_t row) {
    std::size_t interval = interval_of(row);
    if (interval == CountIntervals::kOutside) return;
    CountedGroup* group = groups.Of(columns.streams[row], columns.metadata[row]);
    if (group == nullptr) return;
    std::uint64_t bytes = columns.ends[row] - columns.LineStart(row);
    tally.Add(*group, interval, {1, plan.request.bytes ? bytes : 0});
  };
  if (matcher.trivial()) {
    for (std::uint32_t row = 0; row < columns.rows; ++row) count(row);
    return;
  }
  std::vector<std::uint32_t> rows;
  for (std::uint32_t row = 0; row < columns.rows; ++row) {
    if (interval_of(row) != CountIntervals::kOutside) rows.push_back(row);
  }
  if (rows.empty()) return;
  stats.bytes_scanned += columns.text.size();
  if (rows.size() * kSelectiveOneIn < columns.rows) {
    std::erase_if(rows, [&](std::uint32_t row) { return !matcher.Matches(columns.Line(row)); });
  } else {
    rows.clear();
    matcher.Select(columns, rows);
  }
  for (std::uint32_t row : rows) count(row);
}

}  // namespace dunlin::store
