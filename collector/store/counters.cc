#include "collector/store/counters.h"

#include <algorithm>
#include <limits>
#include <tuple>

#include "protocol/base/coding.h"

namespace dunlin::store {
namespace {

/// Fewer rows in a bucket make counters that take more than a hundredth of the segment
/// (docs/segment-format.md, "Counters").
constexpr std::uint64_t kMinRowsPerBucket = 16;
/// A stream is looked at while it is counted whenever it has so many buckets of few rows, which
/// bounds what they take in memory.
constexpr std::uint64_t kManyBuckets = 64;
constexpr std::uint64_t kFewRowsPerBucket = 4;
/// More are no levels, and not told apart.
constexpr std::size_t kMaxValues = 32;
/// More, and the names alone are a burden: the segment gets no counters.
constexpr std::size_t kMaxNames = 256;

constexpr std::int64_t kMaxBucket = std::numeric_limits<std::int64_t>::max() / kBucketNs;

std::int64_t Minutes(std::int64_t bucket) {
  std::int64_t time_ns = 0;
  if (!__builtin_mul_overflow(bucket, kBucketNs, &time_ns)) return time_ns;
  return bucket < 0 ? std::numeric_limits<std::int64_t>::min()
                    : std::numeric_limits<std::int64_t>::max();
}

std::uint32_t IndexOf(std::vector<std::string>& texts, std::string_view text) {
  auto found = std::find(texts.begin(), texts.end(), text);
  if (found == texts.end()) found = texts.emplace(texts.end(), text);
  return static_cast<std::uint32_t>(found - texts.begin());
}

/// Ascending, each bucket once.
void Tidy(std::vector<CounterBucket>& buckets) {
  auto before = [](const CounterBucket& a, const CounterBucket& b) { return a.bucket < b.bucket; };
  if (!std::is_sorted(buckets.begin(), buckets.end(), before)) {
    std::sort(buckets.begin(), buckets.end(), before);
  }
  auto kept = buckets.begin();
  for (auto next = buckets.begin(); next != buckets.end(); ++next) {
    if (next == kept) continue;
    if (next->bucket == kept->bucket) {
      kept->rows += next->rows;
      kept->line_bytes += next->line_bytes;
    } else {
      *++kept = *next;
    }
  }
  if (!buckets.empty()) buckets.erase(kept + 1, buckets.end());
}

void AppendTexts(std::string& out, const std::vector<std::string>& texts) {
  AppendVarint(out, texts.size());
  for (const std::string& text : texts) AppendLengthPrefixed(out, text);
}

std::vector<std::string> ReadTexts(ByteReader& reader) {
  std::vector<std::string> texts;
  std::uint64_t count = reader.ReadVarint().value_or(0);
  for (std::uint64_t i = 0; i < count && !reader.failed(); ++i) {
    texts.emplace_back(reader.ReadLengthPrefixed().value_or(""));
  }
  return texts;
}

void AppendSeries(std::string& out, const CounterSeries& series, std::int64_t base,
                  std::size_t values) {
  AppendVarint(out, series.value == CounterSeries::kAnyValue ? values : series.value);
  AppendVarint(out, series.buckets.size());
  // Column by column: gaps are mostly zero, and bytes resemble each other.
  std::int64_t next = base;
  for (const CounterBucket& bucket : series.buckets) {
    AppendVarint(out, static_cast<std::uint64_t>(bucket.bucket - next));
    next = bucket.bucket + 1;
  }
  for (const CounterBucket& bucket : series.buckets) AppendVarint(out, bucket.rows);
  for (const CounterBucket& bucket : series.buckets) AppendVarint(out, bucket.line_bytes);
}

std::optional<CounterSeries> ReadSeries(ByteReader& reader, std::int64_t base, std::size_t values) {
  CounterSeries series;
  std::uint64_t value = reader.ReadVarint().value_or(0);
  std::uint64_t count = reader.ReadVarint().value_or(0);
  // Each bucket takes three bytes or more: a damaged count asks for no memory.
  if (value > values || count > reader.rest().size() / 3) return std::nullopt;
  series.value = value == values ? CounterSeries::kAnyValue : static_cast<std::uint32_t>(value);
  series.buckets.resize(count);
  std::int64_t next = base;
  for (CounterBucket& bucket : series.buckets) {
    std::uint64_t gap = reader.ReadVarint().value_or(0);
    if (next > kMaxBucket || gap > static_cast<std::uint64_t>(kMaxBucket - next)) {
      return std::nullopt;
    }
    bucket.bucket = next + static_cast<std::int64_t>(gap);
    next = bucket.bucket + 1;
  }
  for (CounterBucket& bucket : series.buckets) bucket.rows = reader.ReadVarint().value_or(0);
  for (CounterBucket& bucket : series.buckets) bucket.line_bytes = reader.ReadVarint().value_or(0);
  return series;
}

std::optional<StreamCounters> ReadStream(ByteReader& reader, std::int64_t base,
                                         const SegmentCounters& counters) {
  StreamCounters stream;
  std::uint64_t names = reader.ReadVarint().value_or(0);
  for (std::uint64_t i = 0; i < names && !reader.failed(); ++i) {
    std::uint64_t name = reader.ReadVarint().value_or(0);
    if (name >= counters.names.size()) return std::nullopt;
    stream.names.push_back(static_cast<std::uint32_t>(name));
  }
  std::uint64_t count = reader.ReadVarint().value_or(0);
  for (std::uint64_t i = 0; i < count && !reader.failed(); ++i) {
    auto series = ReadSeries(reader, base, counters.values.size());
    if (!series) return std::nullopt;
    stream.series.push_back(std::move(*series));
  }
  return stream;
}

}  // namespace

std::int64_t BucketOf(std::int64_t time_ns) {
  std::int64_t quotient = time_ns / kBucketNs;
  return time_ns % kBucketNs > 0 ? quotient : quotient - 1;
}

std::int64_t BucketBegin(std::int64_t bucket) { return Minutes(bucket); }

std::int64_t BucketEnd(std::int64_t bucket) { return Minutes(bucket + 1); }

void AppendCounters(std::string& out, const SegmentCounters& counters) {
  std::int64_t base = std::numeric_limits<std::int64_t>::max();
  for (const StreamCounters& stream : counters.streams) {
    for (const CounterSeries& series : stream.series) {
      if (!series.buckets.empty()) base = std::min(base, series.buckets.front().bucket);
    }
  }
  AppendVarint(out, kBucketNs / 1'000'000'000);
  AppendVarint(out, ZigZag(base));
  AppendLengthPrefixed(out, kCountedLabel);
  AppendTexts(out, counters.values);
  AppendTexts(out, counters.names);
  AppendVarint(out, counters.streams.size());
  for (const StreamCounters& stream : counters.streams) {
    AppendVarint(out, stream.names.size());
    for (std::uint32_t name : stream.names) AppendVarint(out, name);
    AppendVarint(out, stream.series.size());
    for (const CounterSeries& series : stream.series)
      AppendSeries(out, series, base, counters.values.size());
  }
}

std::optional<SegmentCounters> ReadCounters(std::string_view bytes) {
  ByteReader reader(bytes);
  std::uint64_t seconds = reader.ReadVarint().value_or(0);
  std::int64_t base = UnZigZag(reader.ReadVarint().value_or(0));
  std::string_view label = reader.ReadLengthPrefixed().value_or("");
  if (seconds != kBucketNs / 1'000'000'000 || label != kCountedLabel || base < -kMaxBucket - 2) {
    return std::nullopt;
  }
  SegmentCounters counters;
  counters.values = ReadTexts(reader);
  counters.names = ReadTexts(reader);
  std::uint64_t streams = reader.ReadVarint().value_or(0);
  for (std::uint64_t i = 0; i < streams && !reader.failed(); ++i) {
    auto stream = ReadStream(reader, base, counters);
    if (!stream) return std::nullopt;
    counters.streams.push_back(std::move(*stream));
  }
  if (reader.failed() || !reader.empty()) return std::nullopt;
  return counters;
}

bool CountersBuilder::Pays(const Stream& stream) {
  return stream.buckets > 0 && stream.rows >= stream.buckets * kMinRowsPerBucket;
}

void CountersBuilder::Coarsen(Stream& stream) {
  if (stream.any_value) {
    stream.given_up = true;
    stream.series.clear();
    return;
  }
  stream.any_value = true;
  CounterSeries all{CounterSeries::kAnyValue, {}};
  for (CounterSeries& series : stream.series) {
    all.buckets.insert(all.buckets.end(), series.buckets.begin(), series.buckets.end());
    series.buckets = {};
  }
  Tidy(all.buckets);
  stream.buckets = all.buckets.size();
  stream.series.assign(1, std::move(all));
}

std::size_t CountersBuilder::SeriesOf(Stream& stream, std::string_view value) {
  if (stream.any_value) return 0;
  std::uint32_t index = IndexOf(values_, value);
  if (values_.size() > kMaxValues) {
    values_.pop_back();
    Coarsen(stream);
    return 0;
  }
  for (std::size_t i = 0; i < stream.series.size(); ++i) {
    if (stream.series[i].value == index) return i;
  }
  stream.series.push_back({index, {}});
  return stream.series.size() - 1;
}

void CountersBuilder::AddName(Stream& stream, std::string_view name) {
  if (names_.size() > kMaxNames) return;
  std::uint32_t index = IndexOf(names_, name);
  auto place = std::lower_bound(stream.names.begin(), stream.names.end(), index);
  if (place == stream.names.end() || *place != index) stream.names.insert(place, index);
}

CountersBuilder::Place CountersBuilder::PlaceOf(const Key& key) {
  auto [at, added] = places_.try_emplace(key);
  if (added) {
    at->second.stream = &streams_[key.stream];
    at->second.series = SeriesOf(*at->second.stream, key.metadata->Get(kCountedLabel));
    for (const auto& [name, value] : *key.metadata) {
      if (name != kCountedLabel) AddName(*at->second.stream, name);
    }
  }
  return at->second;
}

void CountersBuilder::AddTo(const Place& place, const CounterBucket& more) {
  Stream& stream = *place.stream;
  stream.rows += more.rows;
  if (stream.given_up) return;
  // What was found before values were joined is a number in what there is no more.
  const std::size_t series = stream.any_value ? 0 : place.series;
  std::vector<CounterBucket>& buckets = stream.series[series].buckets;
  if (!buckets.empty() && buckets.back().bucket == more.bucket) {
    buckets.back().rows += more.rows;
    buckets.back().line_bytes += more.line_bytes;
    return;
  }
  buckets.push_back(more);
  ++stream.buckets;
  if (stream.buckets > kManyBuckets && stream.rows < stream.buckets * kFewRowsPerBucket) {
    Coarsen(stream);
  }
}

void CountersBuilder::BeginBlock() {
  places_.clear();
  last_key_ = {};
}

void CountersBuilder::Add(const LabelSet* stream, const LabelSet* metadata, std::int64_t time_ns,
                          std::uint64_t line_bytes) {
  Key key{stream, metadata};
  if (key != last_key_) {
    last_ = PlaceOf(key);
    last_key_ = key;
  }
  AddTo(last_, {BucketOf(time_ns), 1, line_bytes});
}

void CountersBuilder::Merge(const LabelSet* stream, const SegmentCounters& counters,
                            const StreamCounters& part) {
  Stream& into = streams_[stream];
  for (std::uint32_t name : part.names) AddName(into, counters.names[name]);
  if (part.series.empty()) {
    into.any_value = true;
    Coarsen(into);
  }
  for (const CounterSeries& series : part.series) {
    const bool any_value = series.value == CounterSeries::kAnyValue;
    if (any_value && !into.any_value) Coarsen(into);
    Place place{&into, any_value ? 0 : SeriesOf(into, counters.values[series.value])};
    for (const CounterBucket& bucket : series.buckets) AddTo(place, bucket);
  }
}

std::string CountersBuilder::Encode(const std::vector<const LabelSet*>& streams) {
  if (names_.size() > kMaxNames) return {};
  SegmentCounters counters;
  bool any = false;
  for (const LabelSet* labels : streams) {
    Stream& stream = streams_[labels];
    StreamCounters& out = counters.streams.emplace_back();
    out.names = stream.names;
    for (CounterSeries& series : stream.series) Tidy(series.buckets);
    stream.buckets = 0;
    for (CounterSeries& series : stream.series) stream.buckets += series.buckets.size();
    if (!Pays(stream) && !stream.any_value) Coarsen(stream);
    if (!Pays(stream)) continue;
    out.series = std::move(stream.series);
    any = true;
  }
  counters.names = std::move(names_);
  counters.values = std::move(values_);
  std::string out;
  if (any) AppendCounters(out, counters);
  return out;
}

}  // namespace dunlin::store
