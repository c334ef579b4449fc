#include "collector/store/count_segment.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "protocol/base/text.h"

namespace dunlin::store {
namespace {

class SegmentCount {
 public:
  SegmentCount(CountPlan& plan, const std::shared_ptr<const SegmentReader>& segment,
               std::span<const std::size_t> blocks, Tally& tally)
      : plan_(plan), segment_(segment), blocks_(blocks), tally_(tally) {
    for (const StreamPtr& stream : segment->streams()) {
      allowed_.push_back(plan.scan.all_allowed || plan.scan.allowed.at(stream.get()));
    }
  }

  void Run(ScanStats& stats, std::vector<CountBlock>& left) {
    bool filtered = !plan_.scan.matcher->trivial();
    bool counters_help = filtered ? !plan_.request.metadata.none() : !DirectoryIsEnough();
    if (counters_help) LoadCounters(stats);
    if (!filtered) {
      for (std::uint32_t stream = 0; stream < allowed_.size(); ++stream) CountStream(stream);
    }
    for (std::size_t block : blocks_) {
      CountBlock rest{segment_, block, {}, ShowsMetadata(segment_->blocks()[block])};
      bool any = false;
      for (const BlockStream& part : segment_->blocks()[block].streams) {
        rest.streams.push_back(CountPart(segment_->blocks()[block], part));
        any = any || rest.streams.back() != CountedRows::kNone;
      }
      if (any) left.push_back(std::move(rest));
    }
  }

 private:
  /// Whether the metadata of a stream's rows in a block can hold a label that `group_of` is shown;
  /// nothing: not known.
  std::optional<bool> ShowsMetadata(const BlockInfo& block, std::uint32_t stream) const {
    if (plan_.request.metadata.none() || block.Find(ColumnKind::kMetadata) == nullptr) return false;
    if (!counters_) return std::nullopt;
    return plan_.request.metadata.Has(kCountedLabel) || ShowsNames(stream);
  }

  /// The same for all streams that are asked for.
  std::optional<bool> ShowsMetadata(const BlockInfo& block) const {
    for (const BlockStream& part : block.streams) {
      if (!allowed_[part.stream]) continue;
      auto shows = ShowsMetadata(block, part.stream);
      if (!shows || *shows) return shows;
    }
    return false;
  }

  /// Whether a stream's metadata has a label that `group_of` is shown, apart from kCountedLabel.
  bool ShowsNames(std::uint32_t stream) const {
    const std::vector<std::uint32_t>& names = counters_->streams[stream].names;
    return std::any_of(names.begin(), names.end(), [&](std::uint32_t name) {
      return plan_.request.metadata.Has(counters_->names[name]);
    });
  }

  /// Whether the directory says all that is asked about a stream in a block.
  bool InDirectory(const BlockInfo& block, const BlockStream& part) const {
    if (!plan_.intervals.OfAll(part.span)) return false;
    if (plan_.request.bytes && block.streams.size() > 1) return false;  // known of all together
    return !ShowsMetadata(block, part.stream).value_or(true);
  }

  bool DirectoryIsEnough() const {
    return std::all_of(blocks_.begin(), blocks_.end(), [&](std::size_t index) {
      const BlockInfo& block = segment_->blocks()[index];
      return std::all_of(block.streams.begin(), block.streams.end(), [&](const BlockStream& part) {
        return !allowed_[part.stream] || InDirectory(block, part);
      });
    });
  }

  /// Counts a stream's rows in a block from the directory if that can be; answers which rows are
  /// left.
  CountedRows CountPart(const BlockInfo& block, const BlockStream& part) {
    auto interval = plan_.intervals.OfAll(part.span);
    if (!allowed_[part.stream] || interval == CountIntervals::kOutside) return CountedRows::kNone;
    if (!plan_.scan.matcher->trivial()) return CountedRows::kAll;
    if (Served(part.stream)) {
      return plan_.intervals.SplitsAnyOf(part.span) ? CountedRows::kInSplitBuckets
                                                    : CountedRows::kNone;
    }
    if (!InDirectory(block, part)) return CountedRows::kAll;
    Add(part.stream, LabelSet(), *interval,
        {part.rows, plan_.request.bytes ? block.line_bytes : 0});
    return CountedRows::kNone;
  }

  void Add(std::uint32_t stream, const LabelSet& shown, std::size_t interval,
           const RowCount& count) {
    if (auto group = plan_.groups.Of(segment_->streams()[stream].get(), shown)) {
      tally_.Add(tally_.Group(*group), interval, count);
    }
  }

  /// Reads the counters, if there are any; damage is a warning, as the blocks say it all, too.
  void LoadCounters(ScanStats& stats) {
    if (!segment_->counters()) return;
    std::string bytes;
    auto read = segment_->Read(*segment_->counters(), bytes);
    if (read) {
      counters_ = ReadCounters(bytes);
      if (counters_ && AgreesWithDirectory(*counters_)) return;
      counters_.reset();
      read = Error(ErrorCode::kCorruption,
                   Join("segment ", segment_->path(), " is damaged: its counters"));
    }
    stats.warnings.push_back(
        Join(read.error().message(), ": its entries were counted one by one, and all of them"));
  }

  bool AgreesWithDirectory(const SegmentCounters& counters) const {
    if (counters.streams.size() != segment_->streams().size()) return false;
    std::vector<std::uint64_t> rows(counters.streams.size());
    for (const BlockInfo& block : segment_->blocks()) {
      for (const BlockStream& part : block.streams) rows[part.stream] += part.rows;
    }
    for (std::size_t stream = 0; stream < rows.size(); ++stream) {
      if (counters.streams[stream].series.empty()) continue;
      std::uint64_t counted = 0;
      for (const CounterSeries& series : counters.streams[stream].series) {
        for (const CounterBucket& bucket : series.buckets) counted += bucket.rows;
      }
      if (counted != rows[stream]) return false;
    }
    return true;
  }

  /// Whether a stream's rows are counted by the counters, but for buckets that edges split.
  bool Served(std::uint32_t stream) const {
    if (!plan_.scan.matcher->trivial() || !counters_ || ShowsNames(stream)) return false;
    const std::vector<CounterSeries>& series = counters_->streams[stream].series;
    if (series.empty()) return false;
    return series[0].value != CounterSeries::kAnyValue ||
           !plan_.request.metadata.Has(kCountedLabel);
  }

  void CountStream(std::uint32_t stream) {
    if (!allowed_[stream] || !Served(stream)) return;
    bool shows_value = plan_.request.metadata.Has(kCountedLabel);
    for (const CounterSeries& series : counters_->streams[stream].series) {
      LabelSet shown;
      if (shows_value) shown.Set(kCountedLabel, counters_->values[series.value]);
      CountSeries(stream, shown, series);
    }
  }

  void CountSeries(std::uint32_t stream, const LabelSet& shown, const CounterSeries& series) {
    IntervalCursor intervals(plan_.intervals);
    std::optional<std::size_t> group;
    bool known = false;
    for (const CounterBucket& bucket : series.buckets) {
      if (plan_.intervals.Splits(bucket.bucket)) continue;
      std::size_t interval = intervals.Of(BucketEnd(bucket.bucket));
      if (interval == CountIntervals::kOutside) continue;
      if (!known) group = plan_.groups.Of(segment_->streams()[stream].get(), shown);
      known = true;
      if (!group) return;
      RowCount count{bucket.rows, plan_.request.bytes ? bucket.line_bytes : 0};
      tally_.Add(tally_.Group(*group), interval, count);
    }
  }

  CountPlan& plan_;
  const std::shared_ptr<const SegmentReader>& segment_;
  const std::span<const std::size_t> blocks_;
  Tally& tally_;
  std::vector<bool> allowed_;  // per stream of the segment
  std::optional<SegmentCounters> counters_;
};

}  // namespace

void CountSegment(CountPlan& plan, const std::shared_ptr<const SegmentReader>& segment,
                  std::span<const std::size_t> blocks, Tally& tally, ScanStats& stats,
                  std::vector<CountBlock>& left) {
  SegmentCount(plan, segment, blocks, tally).Run(stats, left);
}

}  // namespace dunlin::store
