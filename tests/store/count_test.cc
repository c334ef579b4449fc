// Counts against a brute-force evaluation of the same request over the same entries, in every state
// that entries can be in.
#include "collector/store/count.h"

#include <algorithm>
#include <limits>
#include <map>
#include <numeric>
#include <set>

#include "collector/store/segment_reader.h"
#include "collector/store/segment_writer.h"
#include "protocol/base/text.h"
#include "tests/store/scan_oracle.h"
#include "tests/store/store_fixture.h"

namespace dunlin::store {
namespace {

constexpr std::int64_t kMinute = 60'000'000'000;
constexpr std::int64_t kStart = testing::ManualClock::kStartNs;

/// Counts by what tells groups apart.
using Counts = std::map<std::string, std::vector<RowCount>>;
/// The name of a group; nothing: its rows are not counted.
using Naming = std::function<std::optional<std::string>(const LabelSet&, const LabelSet&)>;

std::optional<std::string> ByBoth(const LabelSet& stream, const LabelSet& shown) {
  return Join(stream.ToString(), shown.ToString());
}

LabelNames Listed(std::vector<std::string> names) {
  return {LabelNames::Kind::kListed, std::move(names)};
}

Counts Expected(const std::vector<TestEntry>& entries, const CountRequest& request,
                const Naming& name_of) {
  std::vector<OracleFilter> filters(request.line_filters.begin(), request.line_filters.end());
  Counts counts;
  for (const TestEntry& entry : entries) {
    if (request.stream_matches && !request.stream_matches(entry.stream)) continue;
    if (!std::all_of(filters.begin(), filters.end(),
                     [&](const auto& filter) { return filter.Accepts(entry.line); })) {
      continue;
    }
    LabelSet shown;
    for (const auto& [name, value] : entry.metadata) {
      if (request.metadata.Has(name)) shown.Set(name, value);
    }
    auto name = name_of(entry.stream, shown);
    if (!name) continue;
    for (std::size_t i = 0; i + 1 < request.edges.size(); ++i) {
      if (entry.time_ns <= request.edges[i] || entry.time_ns > request.edges[i + 1]) continue;
      std::vector<RowCount>& intervals = counts[*name];
      intervals.resize(request.edges.size() - 1);
      ++intervals[i].rows;
      if (request.bytes) intervals[i].line_bytes += entry.line.size();
    }
  }
  return counts;
}

class CountFixture : public StoreFixture {
 public:
  Counts Count(const CountRequest& request, const Naming& name_of = ByBoth) {
    return CountBy([this](const CountRequest& asked) { return store().Count(asked); }, request,
                   name_of);
  }

  using Counting = std::function<Result<CountResult>(const CountRequest&)>;
  Counts CountBy(const Counting& counting, CountRequest request, const Naming& name_of = ByBoth) {
    std::vector<std::string> names;
    bool running = false;
    request.group_of = [&](const LabelSet& stream,
                           const LabelSet& shown) -> std::optional<std::size_t> {
      Check(!std::exchange(running, true), "one call at a time");
      auto name = name_of(stream, shown);
      std::optional<std::size_t> number;
      if (name) {
        auto found = std::find(names.begin(), names.end(), *name);
        if (found == names.end()) found = names.insert(names.end(), *name);
        number = static_cast<std::size_t>(found - names.begin());
      }
      running = false;
      return number;
    };
    auto result = counting(request);
    if (!result) FAIL(result.error().message());
    count_stats = result->stats;
    Counts counts;
    for (std::size_t number = 0; number < result->groups.size(); ++number) {
      const CountedGroup& group = result->groups[number];
      std::vector<RowCount> intervals(request.edges.size() - 1);
      bool any = false;
      for (std::size_t i = 0; i < group.intervals.size(); ++i) {
        intervals.at(group.first + i) = group.intervals[i];
        any = any || group.intervals[i].rows > 0;
      }
      if (any) counts[names.at(number)] = intervals;
    }
    return counts;
  }

  ScanStats count_stats;
};

/// Entries that make counters pay, and meet the borders of their buckets.
std::vector<TestEntry> DenseBatch(Generator& generator) {
  std::vector<TestEntry> entries;
  std::size_t minutes = 1 + generator.Below(5);
  std::int64_t base = kStart + static_cast<std::int64_t>(generator.Below(4)) * 10 * kMinute;
  std::size_t service = generator.Below(3);
  for (std::size_t count = generator.Below(250); count > 0; --count) {
    TestEntry entry;
    entry.time_ns = base + static_cast<std::int64_t>(generator.Below(minutes)) * kMinute;
    entry.time_ns += generator.Pick(std::vector<std::int64_t>{
        0, 1, -1, 1'000'000'000, 30'000'000'000, 30'000'000'001, kMinute - 1});
    entry.stream = StreamOf(std::vector<std::string>{"web", "db", "cache"}[service],
                            generator.Below(4) == 0 ? "c1" : "c2");
    if (generator.Below(4) != 0) {
      entry.metadata.Set("detected_level", generator.Below(3) == 0 ? "error" : "info");
    }
    if (service == 1 && generator.Below(20) == 0) {
      entry.metadata.Set("trace_id", std::to_string(generator.Below(1000)));
    }
    if (service == 2 && generator.Below(30) == 0) entry.metadata.Set("service", "other");
    entry.line = generator.Line();
    entries.push_back(std::move(entry));
  }
  return entries;
}

CountRequest RandomRequest(Generator& generator) {
  CountRequest request;
  std::int64_t first = kStart - 3 * kMinute;
  if (generator.Below(2) == 0) first += static_cast<std::int64_t>(generator.Below(30)) * kMinute;
  std::int64_t step = generator.Pick(std::vector<std::int64_t>{
      kMinute, 5 * kMinute, 60 * kMinute, 30'000'000'000, 90'000'000'000, 7'000'000'001});
  if (generator.Below(3) == 0) first += generator.Below(2) == 0 ? 1 : 30'000'000'000;
  request.edges.push_back(first);
  for (std::size_t count = 1 + generator.Below(60); count > 0; --count) {
    request.edges.push_back(request.edges.back() + step);
    if (generator.Below(8) == 0) request.edges.push_back(request.edges.back() + 1);
  }
  request.stream_matches = generator.Request().stream_matches;
  if (generator.Below(2) == 0) request.line_filters = generator.Filters();
  request.bytes = generator.Below(2) == 0;
  request.metadata = generator.Pick(std::vector<LabelNames>{
      {},
      {},
      Listed({"detected_level"}),
      Listed({"service"}),
      Listed({"trace_id", "detected_level"}),
      Listed({"nothing"}),
      {LabelNames::Kind::kAllBut, {}},
      {LabelNames::Kind::kAllBut, {"trace_id"}},
      {LabelNames::Kind::kAllBut, {"detected_level"}},
  });
  return request;
}

Naming RandomNaming(Generator& generator) {
  return generator.Pick(std::vector<Naming>{
      ByBoth,
      [](const LabelSet&, const LabelSet&) { return "all"; },
      [](const LabelSet& stream, const LabelSet&) { return std::string(stream.Get("service")); },
      [](const LabelSet&, const LabelSet& shown) { return shown.ToString(); },
      [](const LabelSet& stream, const LabelSet& shown) -> std::optional<std::string> {
        if (shown.Get("detected_level") == "error") return std::nullopt;
        return std::string(stream.Get("container"));
      },
      [](const LabelSet& stream, const LabelSet&) -> std::optional<std::string> {
        if (stream.Get("service") == "web") return std::nullopt;
        return "some";
      },
  });
}

TEST_CASE("counts agree with a brute-force oracle in every state", "[store][count]") {
  auto seed = GENERATE(range(1, 13));
  Generator generator(static_cast<std::uint64_t>(seed));
  CountFixture fixture;
  fixture.options.head_bytes = 64'000;
  fixture.options.wal_file_bytes = 32'000;
  fixture.Open();
  std::vector<TestEntry> oracle;
  std::size_t counted = 0;
  std::uint64_t unread = 0;
  for (int step = 0; step < 50; ++step) {
    switch (generator.Below(12)) {
      case 0:
        fixture.Flush();
        break;
      case 1:
        fixture.CrashAndReopen();
        break;
      case 2:
        fixture.Close();
        fixture.Open();
        break;
      default: {
        auto entries = generator.Below(4) == 0 ? generator.Batch() : DenseBatch(generator);
        fixture.Store1(entries);
        oracle.insert(oracle.end(), entries.begin(), entries.end());
        break;
      }
    }
    for (int i = 0; i < 5; ++i) {
      CountRequest request = RandomRequest(generator);
      Naming name_of = RandomNaming(generator);
      std::string filters;
      for (const LineFilter& filter : request.line_filters) {
        filters += Join(filter.negated ? " not " : " ", filter.pattern, ",");
      }
      std::string names;
      for (const std::string& name : request.metadata.names) names += name + ",";
      CAPTURE(seed, step, request.edges, filters, request.bytes, names,
              static_cast<int>(request.metadata.kind));
      Counts want = Expected(oracle, request, name_of);
      REQUIRE(fixture.Count(request, name_of) == want);
      CHECK(fixture.count_stats.warnings.empty());
      counted += want.size();
      if (fixture.count_stats.rows_matched > fixture.count_stats.rows_scanned) ++unread;
    }
  }
  CHECK(counted > 300);
  CHECK(unread > 2);  // the counters were of use
}

/// Two streams of one service for an hour, forty lines a minute each.
std::vector<TestEntry> AnHour() {
  std::vector<TestEntry> entries;
  for (int i = 0; i < 2400; ++i) {
    std::int64_t time_ns = kStart + 1 + i * 1'500'000'000LL;
    for (const std::string container : {"c1", "c2"}) {
      entries.push_back({time_ns, StreamOf("web", container), "line " + std::to_string(i),
                         LabelSet{{"detected_level", i % 5 == 0 ? "error" : "info"}}});
    }
  }
  return entries;
}

std::vector<std::int64_t> Steps(std::int64_t first, std::int64_t step, int count) {
  std::vector<std::int64_t> edges;
  for (int i = 0; i <= count; ++i) edges.push_back(first + i * step);
  return edges;
}

std::uint64_t RowsOf(const Counts& counts) {
  std::uint64_t rows = 0;
  for (const auto& [name, intervals] : counts) {
    for (const RowCount& count : intervals) rows += count.rows;
  }
  return rows;
}

TEST_CASE("whole minutes are counted without reading a block", "[store][count]") {
  CountFixture fixture;
  fixture.Open();
  auto entries = AnHour();
  fixture.Store1(entries);
  fixture.Flush();
  CountRequest request;
  request.bytes = true;
  request.edges = Steps(kStart, kMinute, 60);
  SECTION("by stream") {}
  SECTION("by level") { request.metadata = Listed({"detected_level"}); }
  SECTION("by all metadata") { request.metadata = {LabelNames::Kind::kAllBut, {}}; }
  SECTION("of some streams") {
    request.stream_matches = [](const LabelSet& labels) { return labels.Get("container") == "c1"; };
  }
  CHECK(fixture.Count(request) == Expected(entries, request, ByBoth));
  CHECK(fixture.count_stats.blocks_read == 0);
  CHECK(fixture.count_stats.rows_scanned == 0);
  CHECK(fixture.count_stats.segments == 1);
}

TEST_CASE("a whole block inside one interval is counted from the directory", "[store][count]") {
  CountFixture fixture;
  fixture.Open();
  // Too few in a minute for counters, and no metadata.
  std::vector<TestEntry> entries;
  for (int i = 0; i < 50; ++i) {
    entries.push_back({kStart + i * kMinute, StreamOf("web"), std::to_string(i), {}});
  }
  fixture.Store1(entries);
  fixture.Flush();
  CountRequest request;
  request.bytes = true;
  request.edges = {kStart - 1, kStart + 60 * kMinute, kStart + 61 * kMinute};
  CHECK(fixture.Count(request) == Expected(entries, request, ByBoth));
  CHECK(fixture.count_stats.blocks_read == 0);
  request.edges.insert(request.edges.begin() + 1, kStart + 20 * kMinute);
  CHECK(fixture.Count(request) == Expected(entries, request, ByBoth));
  CHECK(fixture.count_stats.blocks_read == 1);
}

TEST_CASE("edges inside of minutes read the blocks of those minutes only", "[store][count]") {
  CountFixture fixture;
  fixture.Open();
  auto web = AnHour();
  std::vector<TestEntry> later;
  for (TestEntry entry : web) {
    entry.stream = StreamOf("db");
    entry.time_ns += 120 * kMinute;
    later.push_back(entry);
  }
  fixture.Store1(web);
  fixture.Store1(later);
  fixture.Flush();
  auto entries = web;
  entries.insert(entries.end(), later.begin(), later.end());
  CountRequest request;
  request.edges = {kStart, kStart + 10 * kMinute + 7, kStart + 300 * kMinute};
  CHECK(fixture.Count(request) == Expected(entries, request, ByBoth));
  CHECK(fixture.count_stats.blocks_read == 1);
}

TEST_CASE("a line filter that finds nothing loads neither times nor streams", "[store][count]") {
  CountFixture fixture;
  fixture.Open();
  fixture.Store1(AnHour());
  fixture.Flush();
  std::string path;
  for (const std::string& file : fixture.memory.Files("/data")) {
    if (file.ends_with(".seg")) path = file;
  }
  // The first column of the first block is its times.
  fixture.memory.Corrupt(path, kSegmentHeaderBytes + 3, 1);
  CountRequest request;
  request.edges = Steps(kStart, kMinute, 60);
  request.line_filters = {{LineFilter::Kind::kContains, false, "nowhere"}};
  CHECK(fixture.Count(request).empty());
  CHECK(fixture.count_stats.warnings.empty());
  request.line_filters = {{LineFilter::Kind::kContains, false, "line"}};
  SECTION("nor where all is in one interval") {
    request.edges = {kStart, kStart + 60 * kMinute};
    CHECK(RowsOf(fixture.Count(request)) == 4800);
    CHECK(fixture.count_stats.warnings.empty());
  }
  SECTION("but does when they are needed") {
    CHECK(RowsOf(fixture.Count(request)) == 0);
    CHECK(fixture.count_stats.warnings.size() == 1);
  }
}

/// A view of one segment with the entries, which are in order of time, in one block.
View ViewOf(testing::MemoryFileSystem& files, StreamTable& streams,
            const std::vector<TestEntry>& entries, BlockForm form) {
  std::vector<StreamPtr> interned;
  HeadChunk chunk(static_cast<std::uint32_t>(entries.size()), 1 << 20);
  for (const TestEntry& entry : entries) {
    interned.push_back(streams.Intern(entry.stream));
    chunk.Add(entry.time_ns, interned.size(), interned.back().get(), &entry.metadata, entry.line);
  }
  RowColumns columns = chunk.columns();
  std::vector<RowRef> rows;
  for (std::uint32_t row = 0; row < columns.rows; ++row) {
    rows.push_back({columns.times[row], columns.arrivals[row], &columns, row});
  }
  Compressor compressor;
  auto writer = SegmentWriter::Create(files, "/one.seg", compressor);
  REQUIRE(writer);
  REQUIRE((*writer)->AddBlock(rows, form));
  REQUIRE((*writer)->Finish({}));
  auto segment = SegmentReader::Open(files, "/one.seg", streams);
  REQUIRE(segment);
  View view;
  view.segments =
      std::make_shared<const std::vector<std::shared_ptr<const SegmentReader>>>(1, *segment);
  return view;
}

TEST_CASE("counts are the same whatever form blocks have", "[store][count]") {
  Generator generator(static_cast<std::uint64_t>(GENERATE(range(1, 9))));
  std::vector<TestEntry> entries;
  while (entries.size() < 300) {
    for (TestEntry& entry : DenseBatch(generator)) entries.push_back(std::move(entry));
  }
  std::stable_sort(entries.begin(), entries.end(),
                   [](const auto& a, const auto& b) { return a.time_ns < b.time_ns; });
  CountFixture fixture;
  ScanPool pool(2);
  for (BlockForm form : {BlockForm::kText, BlockForm::kColumns}) {
    testing::MemoryFileSystem files;
    StreamTable streams;
    View view = ViewOf(files, streams, entries, form);
    for (int i = 0; i < 100; ++i) {
      CountRequest request = RandomRequest(generator);
      auto counting = [&](const CountRequest& asked) { return RunCount(view, asked, pool); };
      REQUIRE(fixture.CountBy(counting, request) == Expected(entries, request, ByBoth));
      CHECK(fixture.count_stats.warnings.empty());
    }
  }
}

TEST_CASE("damaged counters are a warning, and entries are counted all the same",
          "[store][count][damage]") {
  CountFixture fixture;
  fixture.Open();
  auto entries = AnHour();
  fixture.Store1(entries);
  fixture.Flush();
  CountRequest request;
  request.edges = Steps(kStart, kMinute, 60);
  std::string path;
  for (const std::string& file : fixture.memory.Files("/data")) {
    if (file.ends_with(".seg")) path = file;
  }
  StreamTable streams;
  auto segment = SegmentReader::Open(fixture.memory, path, streams);
  REQUIRE(segment);
  REQUIRE((*segment)->counters());
  Frame frame = *(*segment)->counters();
  Counts want = Expected(entries, request, ByBoth);
  for (std::uint64_t at = 0; at < frame.stored_bytes; at += kStride) {
    fixture.memory.Corrupt(path, frame.offset + at, 1);
    CHECK(fixture.Count(request) == want);
    REQUIRE(fixture.count_stats.warnings.size() == 1);
    CHECK(fixture.count_stats.blocks_read == 1);
    CHECK(fixture.count_stats.warnings[0].find(path) != std::string::npos);
    fixture.memory.Corrupt(path, frame.offset + at, 1);
  }
  CHECK(fixture.Count(request) == want);
  CHECK(fixture.count_stats.warnings.empty());
  // It opens with damaged counters, too.
  fixture.memory.Corrupt(path, frame.offset, 1);
  fixture.Close();
  fixture.Open();
  CHECK(fixture.ScanAll().size() == entries.size());
  CHECK(fixture.Count(request) == want);
  CHECK(fixture.count_stats.warnings.size() == 1);
}

TEST_CASE("a loss inside the range is a warning of a count", "[store][count][damage]") {
  CountFixture fixture;
  fixture.Open();
  fixture.Store1(AnHour());
  fixture.Close();
  for (const std::string& file : fixture.memory.Files("/data")) {
    if (file.ends_with(".seg")) REQUIRE(fixture.memory.Remove(file));
  }
  fixture.Open();
  CountRequest request;
  request.edges = {kStart, kStart + 60 * kMinute};
  CHECK(fixture.Count(request).empty());
  CHECK(fixture.count_stats.warnings.size() == 1);
  request.edges = {kStart - 60 * kMinute, kStart};
  CHECK(fixture.Count(request).empty());
  CHECK(fixture.count_stats.warnings.empty());
}

TEST_CASE("a count can be cancelled, and is bounded in memory", "[store][count]") {
  CountFixture fixture;
  fixture.Open();
  fixture.Store1(AnHour());
  if (GENERATE(false, true)) fixture.Flush();
  CountRequest request;
  request.edges = Steps(kStart, kMinute, 60);
  request.group_of = [](const LabelSet&, const LabelSet&) { return 0; };
  std::atomic<bool> cancelled{true};
  request.cancelled = &cancelled;
  auto stopped = fixture.store().Count(request);
  REQUIRE_FALSE(stopped);
  CHECK(stopped.error().code() == ErrorCode::kCancelled);
  cancelled = false;
  CHECK(fixture.store().Count(request));
  request.max_memory_bytes = 100;
  auto large = fixture.store().Count(request);
  REQUIRE_FALSE(large);
  CHECK(large.error().code() == ErrorCode::kExhausted);
}

TEST_CASE("a count needs edges that ascend and filters that can be read", "[store][count]") {
  CountFixture fixture;
  fixture.Open();
  fixture.Store1(AnHour());
  CountRequest request;
  request.group_of = [](const LabelSet&, const LabelSet&) { return 0; };
  request.edges = GENERATE(values<std::vector<std::int64_t>>(
      {{}, {1}, {1, 1}, {2, 1}, {0, std::numeric_limits<std::int64_t>::max()}}));
  CHECK(fixture.store().Count(request).error().code() == ErrorCode::kInvalidArgument);
  request.edges = {0, 1};
  CHECK(fixture.store().Count(request));
  request.line_filters = {{LineFilter::Kind::kRegex, false, "("}};
  CHECK(fixture.store().Count(request).error().code() == ErrorCode::kInvalidArgument);
}

TEST_CASE("times at the ends of the clock are counted", "[store][count]") {
  constexpr auto kMin = std::numeric_limits<std::int64_t>::min();
  constexpr auto kMax = std::numeric_limits<std::int64_t>::max();
  CountFixture fixture;
  fixture.Open();
  std::vector<TestEntry> entries;
  for (std::int64_t base : {kMin, std::int64_t{0}, kMax - 10}) {
    for (int i = 0; i < 10; ++i) {
      entries.push_back({base + i, StreamOf("web"), "x", {}});
    }
  }
  fixture.Store1(entries);
  for (int flushed = 0; flushed < 2; ++flushed) {
    CountRequest request;
    request.bytes = true;
    request.edges = {kMin, kMin + 5, -1, 0, 5, kMax - 5, kMax - 1};
    CHECK(fixture.Count(request) == Expected(entries, request, ByBoth));
    request.edges = {kMin, kMax - 1};
    CHECK(fixture.Count(request) == Expected(entries, request, ByBoth));
    fixture.Flush();
  }
}

}  // namespace
}  // namespace dunlin::store
