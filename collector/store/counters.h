#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "protocol/base/label_set.h"

/// Rows and bytes of a segment's streams by minute and level, so that they are counted without
/// reading any of its blocks (docs/segment-format.md, "Counters").
namespace dunlin::store {

/// The metadata label whose values are counted apart: every entry has it, with one of few values.
inline constexpr std::string_view kCountedLabel = "detected_level";

/// Bucket b holds the times t with b minutes < t <= b + 1 minutes: open to the left, as the windows
/// that are asked for are.
inline constexpr std::int64_t kBucketNs = 60'000'000'000;
std::int64_t BucketOf(std::int64_t time_ns);
/// The time before a bucket's first and its last; clamped to what a time can be.
std::int64_t BucketBegin(std::int64_t bucket);
std::int64_t BucketEnd(std::int64_t bucket);

struct CounterBucket {
  std::int64_t bucket = 0;
  std::uint64_t rows = 0;
  std::uint64_t line_bytes = 0;
};

/// The rows of a stream with one value of kCountedLabel, or with any.
struct CounterSeries {
  static constexpr std::uint32_t kAnyValue = 0xFFFF'FFFF;
  std::uint32_t value = 0;             // in SegmentCounters::values
  std::vector<CounterBucket> buckets;  // ascending
};

struct StreamCounters {
  std::vector<std::uint32_t> names;  // in SegmentCounters::names: of all its rows' metadata
  /// Together of all its rows: by value, or one of any value where that would not pay, or none
  /// where counters would not pay at all.
  std::vector<CounterSeries> series;
};

struct SegmentCounters {
  std::vector<std::string> names;       // of metadata labels, but for kCountedLabel
  std::vector<std::string> values;      // of kCountedLabel; empty: rows without it
  std::vector<StreamCounters> streams;  // in the order of the segment's stream table
};

void AppendCounters(std::string& out, const SegmentCounters& counters);
/// Nothing when the bytes are malformed.
std::optional<SegmentCounters> ReadCounters(std::string_view bytes);

/// Counts the rows of a segment while it is written.
class CountersBuilder {
 public:
  /// Forgets where metadata was seen: label sets of earlier rows may be gone.
  void BeginBlock();
  void Add(const LabelSet* stream, const LabelSet* metadata, std::int64_t time_ns,
           std::uint64_t line_bytes);
  /// Adds what another segment counted of a stream, in place of its rows.
  void Merge(const LabelSet* stream, const SegmentCounters& counters, const StreamCounters& part);

  /// The section for a segment with such a stream table; empty when none of them pays.
  std::string Encode(const std::vector<const LabelSet*>& streams);

 private:
  struct Stream {
    std::vector<std::uint32_t> names;  // ascending
    std::vector<CounterSeries> series;
    std::uint64_t rows = 0;
    std::uint64_t buckets = 0;
    bool any_value = false;  // one series for all
    bool given_up = false;
  };
  struct Place {
    Stream* stream = nullptr;
    std::size_t series = 0;
  };
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

  Place PlaceOf(const Key& key);
  static bool Pays(const Stream& stream);
  /// Joins the series of all values; if there is only that one already, gives up.
  static void Coarsen(Stream& stream);
  std::size_t SeriesOf(Stream& stream, std::string_view value);
  void AddName(Stream& stream, std::string_view name);
  void AddTo(const Place& place, const CounterBucket& more);

  std::vector<std::string> names_;
  std::vector<std::string> values_;
  std::unordered_map<const LabelSet*, Stream> streams_;  // addresses of its values stay
  std::unordered_map<Key, Place, Hash> places_;
  Key last_key_;  // neighbouring rows are mostly of one place
  Place last_;
};

}  // namespace dunlin::store
