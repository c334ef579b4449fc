#include "collector/store/counters.h"

#include <limits>

#include "protocol/base/coding.h"
#include "tests/store/store_fixture.h"
#include "tests/support/format_page.h"

namespace dunlin::store {
namespace {

constexpr std::int64_t kMinute = 60'000'000'000;

TEST_CASE("a bucket is open to the left and closed to the right", "[store][counters]") {
  for (std::int64_t minute : {-2, -1, 0, 1, 29'453'760}) {
    std::int64_t begin = minute * kMinute;
    CHECK(BucketBegin(minute) == begin);
    CHECK(BucketEnd(minute) == begin + kMinute);
    CHECK(BucketOf(begin) == minute - 1);
    CHECK(BucketOf(begin + 1) == minute);
    CHECK(BucketOf(begin + kMinute) == minute);
    CHECK(BucketOf(begin + kMinute + 1) == minute + 1);
  }
  for (auto time : {std::numeric_limits<std::int64_t>::min(), std::int64_t{0},
                    std::numeric_limits<std::int64_t>::max()}) {
    CHECK(BucketBegin(BucketOf(time)) <= time);
    CHECK(BucketEnd(BucketOf(time)) >= time);
  }
}

/// Counts of a stream by minute and level, as they are read back.
struct Built {
  CountersBuilder builder;
  LabelSet web = StreamOf("web");
  LabelSet db = StreamOf("db");
  LabelSet cache = StreamOf("cache");
  LabelSet info{{"detected_level", "info"}};
  LabelSet error{{"detected_level", "error"}, {"trace_id", "1"}};
  LabelSet none;

  std::uint64_t rows = 0;

  void Add(const LabelSet& stream, const LabelSet& metadata, std::int64_t minute, int count) {
    for (int i = 0; i < count; ++i) builder.Add(&stream, &metadata, minute * kMinute + 1 + i, 100);
    rows += static_cast<std::uint64_t>(count);
  }
  std::optional<SegmentCounters> Read() {
    std::string bytes = builder.Encode({&web, &db, &cache});
    if (bytes.empty()) return std::nullopt;
    auto counters = ReadCounters(bytes);
    REQUIRE(counters);
    return counters;
  }
};

TEST_CASE("rows are counted by stream, minute and level", "[store][counters]") {
  Built built;
  built.builder.BeginBlock();
  built.Add(built.web, built.info, 10, 50);
  built.Add(built.web, built.info, 12, 50);
  built.Add(built.web, built.error, 12, 2);
  built.builder.BeginBlock();
  built.Add(built.web, built.info, 10, 1);  // blocks may overlap
  built.Add(built.web, built.none, 9, 5);
  built.Add(built.db, built.none, 7, 1);
  auto counters = built.Read();
  REQUIRE(counters);
  CHECK(counters->values == std::vector<std::string>{"info", "error", ""});
  CHECK(counters->names == std::vector<std::string>{"trace_id"});
  REQUIRE(counters->streams.size() == 3);
  CHECK(counters->streams[0].names == std::vector<std::uint32_t>{0});
  REQUIRE(counters->streams[0].series.size() == 3);
  const CounterSeries& info = counters->streams[0].series[0];
  REQUIRE(info.buckets.size() == 2);
  CHECK(info.buckets[0].bucket == 10);
  CHECK(info.buckets[0].rows == 51);
  CHECK(info.buckets[0].line_bytes == 5100);
  CHECK(info.buckets[1].bucket == 12);
  CHECK(counters->streams[0].series[1].buckets[0].rows == 2);
  CHECK(counters->streams[0].series[2].buckets[0].bucket == 9);
  // A row in a minute is not worth a counter, but what its metadata could hold is known.
  CHECK(counters->streams[1].series.empty());
  CHECK(counters->streams[1].names.empty());
}

TEST_CASE("where levels apart would not pay they are counted together", "[store][counters]") {
  Built built;
  SECTION("few of each") {
    built.Add(built.web, built.info, 3, 20);
    built.Add(built.web, built.error, 3, 5);
    built.Add(built.web, built.error, 2, 12);
  }
  SECTION("found on the way") {
    std::vector<LabelSet> levels;
    for (int i = 0; i < 6; ++i) levels.push_back({{"detected_level", std::to_string(i)}});
    for (int minute = 0; minute < 100; ++minute) {
      for (const LabelSet& level : levels) built.Add(built.web, level, minute, 3);
    }
  }
  SECTION("values that are no levels") {
    for (int i = 0; i < 100; ++i) {
      LabelSet metadata{{"detected_level", std::to_string(i)}};
      built.builder.BeginBlock();
      built.Add(built.web, metadata, 1, 100);
    }
  }
  auto counters = built.Read();
  REQUIRE(counters);
  REQUIRE(counters->streams[0].series.size() == 1);
  const CounterSeries& all = counters->streams[0].series[0];
  CHECK(all.value == CounterSeries::kAnyValue);
  std::uint64_t rows = 0;
  for (const CounterBucket& bucket : all.buckets) {
    rows += bucket.rows;
    CHECK(bucket.line_bytes == bucket.rows * 100);
  }
  CHECK(rows == built.rows);
  for (std::size_t i = 1; i < all.buckets.size(); ++i) {
    CHECK(all.buckets[i - 1].bucket < all.buckets[i].bucket);
  }
}

TEST_CASE("the page of the format shows what is written", "[store][counters]") {
  constexpr std::int64_t kMinute0 = 29'453'760;
  Built built;
  LabelSet traced{{"detected_level", "info"}, {"trace_id", "1"}};
  LabelSet error{{"detected_level", "error"}};
  built.Add(built.web, traced, kMinute0, 40);
  built.Add(built.web, traced, kMinute0 + 2, 20);
  built.Add(built.web, error, kMinute0 + 2, 5);
  built.Add(built.db, error, kMinute0 + 1, 1);
  built.Add(built.cache, error, kMinute0 + 1, 8);
  built.Add(built.cache, built.info, kMinute0 + 1, 8);
  std::string page = testing::ReadSource("docs/segment-format.md");
  CHECK(testing::Hex(built.builder.Encode({&built.web, &built.db, &built.cache})) ==
        testing::Hex(testing::HexBlock(page, "counters")));
}

TEST_CASE("where no stream has many rows in a minute there are no counters", "[store][counters]") {
  Built built;
  SECTION("few") {
    for (int minute = 0; minute < 10; ++minute) built.Add(built.web, built.none, minute, 15);
  }
  SECTION("given up on the way") {
    for (int minute = 0; minute < 1000; ++minute) built.Add(built.web, built.none, minute, 1);
    built.Add(built.web, built.none, 1000, 10'000);
  }
  SECTION("names without end") {
    built.Add(built.db, built.none, 1, 100);
    for (int i = 0; i < 1000; ++i) {
      LabelSet metadata{{"name" + std::to_string(i), "x"}};
      built.builder.BeginBlock();
      built.Add(built.web, metadata, 1, 100);
    }
  }
  CHECK_FALSE(built.Read());
}

TEST_CASE("merging counters gives what counting all rows gives", "[store][counters]") {
  Built first;
  first.Add(first.web, first.info, 10, 20);
  first.Add(first.db, first.error, 10, 20);
  auto counted = first.Read();
  REQUIRE(counted);
  Built second;
  second.Add(second.web, second.error, 9, 20);
  second.Add(second.web, second.info, 10, 5);
  second.builder.Merge(&second.web, *counted, counted->streams[0]);
  second.builder.Merge(&second.db, *counted, counted->streams[1]);
  auto merged = second.Read();
  REQUIRE(merged);
  REQUIRE(merged->streams[0].series.size() == 2);
  CHECK(merged->streams[0].series[1].buckets.size() == 1);
  CHECK(merged->streams[0].series[1].buckets[0].rows == 25);
  REQUIRE(merged->streams[1].series.size() == 1);
  CHECK(merged->streams[1].series[0].buckets[0].rows == 20);
  CHECK(merged->streams[1].names.size() == 1);
  SECTION("and none when one part had none") {
    Built third;
    third.Add(third.web, third.info, 10, 20);
    third.builder.Merge(&third.web, *counted, StreamCounters{});
    CHECK_FALSE(third.Read());
  }
}

TEST_CASE("counters that were cut or changed do no harm", "[store][counters]") {
  Built built;
  built.Add(built.web, built.info, -10, 20);
  built.Add(built.web, built.error, 12, 20);
  built.Add(built.db, built.info, 100'000'000, 20);
  std::string bytes = built.builder.Encode({&built.web, &built.db, &built.cache});
  REQUIRE(ReadCounters(bytes));
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    CHECK_FALSE(ReadCounters(bytes.substr(0, size)));
    for (int change : {1, 0x40, 0x80, 0xFF}) {
      std::string changed = bytes;
      changed[size] = static_cast<char>(changed[size] ^ change);
      auto counters = ReadCounters(changed);
      if (!counters) continue;
      for (const StreamCounters& stream : counters->streams) {
        for (const CounterSeries& series : stream.series) {
          REQUIRE(series.value < counters->values.size());
        }
      }
    }
  }
  CHECK_FALSE(ReadCounters(bytes + "x"));
}

}  // namespace
}  // namespace dunlin::store
