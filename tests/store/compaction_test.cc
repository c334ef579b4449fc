// Merging segments: the same entries in fewer files, whatever goes wrong meanwhile.
#include <algorithm>
#include <atomic>
#include <future>
#include <set>
#include <thread>

#include "collector/store/block_reader.h"
#include "collector/store/segment_merge.h"
#include "tests/store/store_fixture.h"
#include "tests/support/temp_dir.h"

namespace dunlin::store {
namespace {

using namespace std::chrono_literals;
using testing::FaultyFileSystem;
using Call = FaultyFileSystem::Call;
using Lasting = FaultyFileSystem::Lasting;

constexpr std::int64_t kDay = 86'400'000'000'000;
constexpr std::int64_t kStart = testing::ManualClock::kStartNs;
constexpr int kSegments = 4;

/// What the `number`-th segment holds: times of neighbours overlap, and some are equal.
std::vector<TestEntry> EntriesOf(int number) {
  std::vector<TestEntry> entries;
  for (int i = 0; i < 20; ++i) {
    LabelSet metadata;
    if (i % 3 == 0) metadata.Set("level", i % 2 == 0 ? "error" : "info");
    entries.push_back(
        {kStart + number * 6 + i / 2, StreamOf(i % 4 == 0 ? "db" : "web", i % 5 == 0 ? "c1" : "c2"),
         "segment " + std::to_string(number) + " line " + std::to_string(i), metadata});
  }
  return entries;
}

/// A store with some segments of one day; answers its entries in order.
std::vector<TestEntry> Fill(StoreFixture& fixture) {
  std::vector<TestEntry> all;
  for (int number = 0; number < kSegments; ++number) {
    auto entries = EntriesOf(number);
    fixture.Store1(entries);
    fixture.Flush();
    all.insert(all.end(), entries.begin(), entries.end());
  }
  std::stable_sort(all.begin(), all.end(),
                   [](const auto& a, const auto& b) { return a.time_ns < b.time_ns; });
  return all;
}

std::vector<std::string> SegmentFiles(StoreFixture& fixture) {
  return fixture.memory.Files("/data/segments");
}

TEST_CASE("merging leaves one segment a day with the same entries", "[store][compaction]") {
  StoreFixture fixture;
  fixture.options.compaction.block_bytes = GENERATE(1, 100, 1'000'000);
  fixture.Open();
  auto all = Fill(fixture);
  TestEntry next_day{kStart + kDay, StreamOf("web"), "next day", {}};
  fixture.Store1({next_day});
  fixture.Flush();
  all.push_back(next_day);
  StoreStats before = fixture.store().Stats();
  REQUIRE(before.segments == kSegments + 1);

  fixture.Compact();
  StoreStats after = fixture.store().Stats();
  CHECK(after.segments == 2);
  CHECK(after.lines == before.lines);
  CHECK(after.uncompressed_bytes == before.uncompressed_bytes);
  CHECK(after.streams == before.streams);
  CHECK(after.compactions_total == 2);
  CHECK(after.compaction_read_bytes_total == before.disk_bytes);
  CHECK(after.compaction_written_bytes_total == after.disk_bytes);
  CHECK(SegmentFiles(fixture).size() == 2);
  CHECK(fixture.ScanAll() == all);
  auto reversed = fixture.ScanAll(Order::kDescending);
  std::reverse(reversed.begin(), reversed.end());
  CHECK(reversed == all);

  fixture.Compact();
  CHECK(fixture.store().Stats().compactions_total == 2);
  fixture.CrashAndReopen();
  CHECK(fixture.store().Stats().segments == 2);
  CHECK(fixture.ScanAll() == all);
  CHECK(fixture.last_stats().warnings.empty());
  fixture.Compact();
  CHECK(fixture.store().Stats().compactions_total == 0);
}

TEST_CASE("the store merges by itself when there is reason to", "[store][compaction]") {
  StoreFixture fixture;
  fixture.options.compact_by_itself = true;
  fixture.Open();
  auto all = Fill(fixture);
  fixture.clock.Advance(fixture.options.compaction.quiet);
  // The merge thread looks once a second.
  while (fixture.store().Stats().segments > 1) std::this_thread::yield();
  CHECK(fixture.store().Stats().compactions_total == 1);
  CHECK(fixture.ScanAll() == all);
}

/// Merges files of a store directly.
class Merging {
 public:
  explicit Merging(StoreFixture& fixture) : memory_(fixture.memory) {
    for (const std::string& path : SegmentFiles(fixture)) {
      auto segment = SegmentReader::Open(memory_, path, streams_);
      REQUIRE(segment);
      sources.push_back(std::move(*segment));
    }
    std::sort(sources.begin(), sources.end(), [](const SegmentPtr& a, const SegmentPtr& b) {
      return a->facts().first_lsn < b->facts().first_lsn;
    });
  }

  Result<SegmentPtr> Run(std::uint64_t block_bytes, SegmentMerge::Interrupted interrupted) {
    SegmentMerge merge(memory_, {"/data", block_bytes}, sources, streams_, interrupted);
    return merge.Run(kStart);
  }

  std::vector<SegmentPtr> sources;

 private:
  testing::MemoryFileSystem& memory_;
  StreamTable streams_;
};

std::optional<Error> Uninterrupted() { return std::nullopt; }

/// What a segment stores of its blocks' columns, byte for byte, but for the numbers of templates,
/// which are its own.
std::multiset<std::string> StoredColumns(const SegmentReader& segment) {
  std::multiset<std::string> columns;
  for (const BlockInfo& block : segment.blocks()) {
    for (const ColumnInfo& column : block.columns) {
      if (column.kind == ColumnKind::kTemplates) continue;
      std::string stored;
      REQUIRE(segment.ReadStored(column.frame, stored));
      columns.insert(std::move(stored));
    }
  }
  return columns;
}

std::vector<std::string> LinesOf(const SegmentPtr& segment) {
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < segment->blocks().size(); ++i) {
    BlockReader block(segment, i);
    REQUIRE(block.LoadText());
    REQUIRE(block.LoadEnds());
    RowColumns columns = block.columns();
    for (std::uint32_t row = 0; row < columns.rows; ++row) lines.emplace_back(columns.Line(row));
  }
  std::sort(lines.begin(), lines.end());
  return lines;
}

TEST_CASE("full merged blocks that overlap no other are copied as they are",
          "[store][compaction]") {
  StoreFixture fixture;
  fixture.Open();
  std::vector<std::string> lines;
  for (int number = 0; number < 3; ++number) {
    std::vector<TestEntry> entries;
    for (int i = 0; i < 30; ++i) {
      // Templates differ from segment to segment.
      std::string line = std::string(static_cast<std::size_t>(number + 1), 'n') + " number " +
                         std::to_string(number * i);
      lines.push_back(line);
      entries.push_back({kStart + number * 100 + i, StreamOf(i % 2 == 0 ? "web" : "db"), line, {}});
    }
    fixture.Store1(entries);
    fixture.Flush();
  }
  std::sort(lines.begin(), lines.end());
  fixture.Close();
  Merging merging(fixture);
  REQUIRE(merging.sources.size() == 3);
  std::multiset<std::string> columns;
  std::vector<SegmentPtr> rewritten;
  for (const SegmentPtr& source : std::vector(merging.sources)) {
    merging.sources = {source};
    auto merged = merging.Run(300, Uninterrupted);
    REQUIRE(merged);
    REQUIRE((*merged)->blocks().size() == 2);
    CHECK((*merged)->blocks()[0].form() == BlockForm::kColumns);
    columns.merge(StoredColumns(**merged));
    rewritten.push_back(*merged);
  }
  merging.sources = rewritten;
  SECTION("when they are large enough") {
    auto merged = merging.Run(300, Uninterrupted);
    REQUIRE(merged);
    CHECK((*merged)->blocks().size() == 6);
    CHECK(StoredColumns(**merged) == columns);
    CHECK(LinesOf(*merged) == lines);
  }
  SECTION("and small ones are put together") {
    auto merged = merging.Run(1'000'000, Uninterrupted);
    REQUIRE(merged);
    CHECK((*merged)->blocks().size() == 2);
    CHECK(LinesOf(*merged) == lines);
  }
}

TEST_CASE("a merged segment knows what it was made of, over generations", "[store][compaction]") {
  StoreFixture fixture;
  fixture.Open();
  Fill(fixture);
  fixture.Close();
  Merging merging(fixture);
  std::set<RandomId> ids;
  for (const SegmentPtr& source : merging.sources) ids.insert(source->facts().id);
  auto last = merging.sources.back();
  merging.sources.pop_back();
  auto first = merging.Run(1000, Uninterrupted);
  REQUIRE(first);
  CHECK((*first)->provenance().level == 1);
  CHECK((*first)->provenance().sources.size() == kSegments - 1);
  merging.sources = {*first, last};
  auto second = merging.Run(1000, Uninterrupted);
  REQUIRE(second);
  const SegmentReader& merged = **second;
  CHECK(merged.provenance().level == 2);
  CHECK(std::set(merged.provenance().sources.begin(), merged.provenance().sources.end()) == ids);
  CHECK(merged.provenance().sources.size() == kSegments);
  CHECK(merged.facts().first_lsn == 1);
  CHECK(merged.facts().last_lsn == kSegments);
  CHECK(merged.facts().first_arrival == 0);
  CHECK(merged.facts().end_arrival == kSegments * 20);
}

TEST_CASE("a merge ends between any two blocks and leaves nothing", "[store][compaction]") {
  StoreFixture fixture;
  fixture.Open();
  Fill(fixture);
  fixture.Close();
  Merging merging(fixture);
  const std::size_t files = SegmentFiles(fixture).size();
  int asked = 0;
  for (int last = 0;; ++last) {
    asked = 0;
    auto merged = merging.Run(300, [&]() -> std::optional<Error> {
      if (asked++ < last) return std::nullopt;
      return Error(ErrorCode::kCancelled, "enough");
    });
    if (merged) break;
    CHECK(merged.error().message() == "enough");
    CHECK(SegmentFiles(fixture).size() == files);
  }
  CHECK(asked > 10);
}

enum class Death { kPowerFailure, kTornPowerFailure, kKill };

void Die(StoreFixture& fixture, Death death, std::uint64_t seed) {
  switch (death) {
    case Death::kPowerFailure:
      return fixture.CrashAndReopen();
    case Death::kTornPowerFailure:
      return fixture.CrashTornAndReopen(seed);
    case Death::kKill:
      return fixture.KillAndReopen();
  }
}

TEST_CASE("death at any call of a merge loses and doubles nothing", "[store][compaction][crash]") {
  auto death = GENERATE(Death::kPowerFailure, Death::kTornPowerFailure, Death::kKill);
  for (std::uint64_t n = 0;; n += kStride) {
    CAPTURE(static_cast<int>(death), n);
    StoreFixture fixture;
    fixture.options.compaction.block_bytes = 1000;
    fixture.Open();
    auto all = Fill(fixture);
    fixture.files().FailCall(n, Lasting::kForever);
    bool compacted = fixture.store().Compact().has_value();
    CHECK(fixture.ScanAll() == all);
    bool reached = fixture.files().failures() > 0;
    CHECK(compacted != (reached && fixture.store().Stats().segments == kSegments));
    Die(fixture, death, n);
    REQUIRE(fixture.ScanAll() == all);
    CHECK(fixture.last_stats().warnings.empty());
    CHECK(SegmentFiles(fixture).size() == fixture.store().Stats().segments);
    fixture.Compact();
    REQUIRE(fixture.ScanAll() == all);
    CHECK(SegmentFiles(fixture).size() == 1);
    if (!reached) break;
  }
}

TEST_CASE("one failing call in a merge is survived without a restart",
          "[store][compaction][crash]") {
  auto code = GENERATE(ErrorCode::kIo, ErrorCode::kExhausted);
  for (std::uint64_t n = 0;; n += kStride) {
    CAPTURE(n, ErrorCodeName(code));
    StoreFixture fixture;
    fixture.options.compaction.block_bytes = 1000;
    fixture.Open();
    auto all = Fill(fixture);
    fixture.files().FailCall(n, Lasting::kOnce, code);
    bool compacted = fixture.store().Compact().has_value();
    bool reached = fixture.files().failures() > 0;
    if (!reached) CHECK(compacted);
    fixture.files().Heal();
    CHECK(fixture.ScanAll() == all);
    fixture.clock.Advance(2s);  // a full disk is looked at again
    fixture.Store1({{kStart + kDay / 2, StreamOf("web"), "more", {}}});
    all.push_back({kStart + kDay / 2, StreamOf("web"), "more", {}});
    fixture.Flush();
    fixture.Compact();
    CHECK(fixture.ScanAll() == all);
    CHECK(fixture.store().Stats().segments == 1);
    Die(fixture, Death::kPowerFailure, 0);
    CHECK(fixture.ScanAll() == all);
    CHECK(SegmentFiles(fixture).size() == 1);
    if (!reached) break;
  }
}

TEST_CASE("a merged segment that cannot be published waits for a manifest that can be written",
          "[store][compaction]") {
  StoreFixture fixture;
  fixture.Open();
  auto all = Fill(fixture);
  // Nothing can be written from there on, and a crash may find the record or not.
  auto last = GENERATE(Call::kWrite, Call::kSync);
  fixture.files().OnCall([&, last](std::uint64_t, Call kind, const std::string& path) {
    if (kind != last || path.find("/manifest-") == std::string::npos) return;
    fixture.files().FailCall(0, Lasting::kForever);
  });
  for (int attempt = 0; attempt < 2; ++attempt) {
    REQUIRE_FALSE(fixture.store().Compact());
    CHECK(fixture.ScanAll() == all);
    // Either may be what a crash finds.
    CHECK(SegmentFiles(fixture).size() == kSegments + 1);
  }
  fixture.files().OnCall(nullptr);
  SECTION("and is published then") {
    fixture.files().Heal();
    fixture.Compact();
    CHECK(fixture.store().Stats().compactions_total == 1);
    CHECK(SegmentFiles(fixture).size() == 1);
  }
  SECTION("or not, when a source expires first") {
    fixture.Close();
    fixture.options.retention_bytes = 1;
    fixture.files().Heal();
    fixture.Open();
    REQUIRE(fixture.store().ApplyRetention());
    all.clear();
    CHECK(SegmentFiles(fixture).empty());
  }
  SECTION("or a restart finds one of them") {
    Die(fixture, GENERATE(Death::kPowerFailure, Death::kTornPowerFailure, Death::kKill), 1);
    CHECK(SegmentFiles(fixture).size() == fixture.store().Stats().segments);
  }
  CHECK(fixture.ScanAll() == all);
  fixture.CrashAndReopen();
  CHECK(fixture.ScanAll() == all);
}

TEST_CASE("a full disk is no place to merge", "[store][compaction][disk]") {
  StoreFixture fixture;
  fixture.options.min_free_bytes = 1000;
  fixture.memory.SetFreeSpace(1 << 24);
  fixture.Open();
  auto all = Fill(fixture);
  const std::uint64_t needed = fixture.store().Stats().disk_bytes + 1000;
  fixture.memory.SetFreeSpace(needed - 1);
  auto refused = fixture.store().Compact();
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code() == ErrorCode::kExhausted);
  CHECK(SegmentFiles(fixture).size() == kSegments);
  fixture.memory.SetFreeSpace(needed);
  CHECK(fixture.store().Compact());
  CHECK(SegmentFiles(fixture).size() == 1);
  CHECK(fixture.ScanAll() == all);
}

TEST_CASE("a disk that fills up during a merge gets all of it back", "[store][compaction][disk]") {
  StoreFixture fixture;
  fixture.options.min_free_bytes = 1000;
  fixture.options.ballast_bytes = 2000;
  fixture.memory.SetFreeSpace(1 << 24);
  fixture.Open();
  auto all = Fill(fixture);
  std::atomic<bool> filled{false};
  fixture.files().OnCall([&](std::uint64_t, Call kind, const std::string& path) {
    if (kind != Call::kWrite || !path.ends_with(".tmp") || filled.exchange(true)) return;
    fixture.memory.SetFreeSpace(0);
  });
  auto refused = fixture.store().Compact();
  fixture.files().OnCall(nullptr);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code() == ErrorCode::kExhausted);
  CHECK(SegmentFiles(fixture).size() == kSegments);
  // What is set aside is for entries.
  CHECK(fixture.memory.Exists("/data/BALLAST"));
  CHECK(fixture.ScanAll() == all);
}

TEST_CASE("a source that expires while it is merged does not come back",
          "[store][compaction][retention]") {
  auto [kind, ending] = GENERATE(table<Call, std::string>({
      {Call::kCreate, ".tmp"},          // the merge sees it
      {Call::kRename, ".seg"},          // publishing sees it
      {Call::kSyncDirectory, "01-01"},  // likewise
  }));
  // The newest entry of the first segment is 9 ns after the start, that of the second 15 ns.
  auto everything = GENERATE(false, true);
  StoreFixture fixture;
  fixture.options.retention_age = 2h;
  fixture.Open();
  auto all = Fill(fixture);
  std::atomic<bool> expired{false};
  fixture.files().OnCall(
      [&, kind = kind, ending = ending](std::uint64_t, Call call, const std::string& path) {
        if (call != kind || !path.ends_with(ending) || expired.exchange(true)) return;
        fixture.clock.Advance(2h + (everything ? 1h : 12ns));
        CHECK(fixture.store().ApplyRetention());
      });
  fixture.Compact();
  REQUIRE(expired);
  fixture.files().OnCall(nullptr);
  std::erase_if(all, [&](const TestEntry& entry) {
    return everything || entry.line.starts_with("segment 0 ");
  });
  for (int restart = 0; restart < 2; ++restart) {
    CHECK(fixture.ScanAll() == all);
    CHECK(fixture.store().Stats().segments == (everything ? 0 : 1));
    CHECK(SegmentFiles(fixture).size() == fixture.store().Stats().segments);
    fixture.CrashAndReopen();
  }
}

TEST_CASE("a scan goes on in segments that are merged", "[store][compaction]") {
  // On real files: a file that was deleted too early could not be opened again.
  testing::TempDir folder;
  testing::ManualClock clock;
  StoreOptions options;
  options.data_dir = folder.File("data");
  options.min_free_bytes = 0;
  options.compact_by_itself = false;
  auto opened = Store::Open(PosixFileSystem(), clock, options, std::make_shared<TestDecoder>());
  REQUIRE(opened);
  Store& store = **opened;
  for (int i = 0; i < 3; ++i) {
    std::promise<bool> stored;
    store.Append(RequestOf({{kStart + i, StreamOf("web"), "line " + std::to_string(i), {}}}),
                 [&](Result<AppendOutcome> outcome) { stored.set_value(outcome.has_value()); });
    REQUIRE(stored.get_future().get());
    REQUIRE(store.Flush());
  }
  auto files = [&] {
    return PosixFileSystem().List(options.data_dir + "/segments/2026-01-01").value_or({}).size();
  };
  ScanRequest request;
  request.start_ns = 0;
  request.end_ns = INT64_MAX;
  request.order = Order::kAscending;
  std::vector<std::string> lines;
  auto stats = store.Scan(request, [&](const ScannedRow& row) {
    if (lines.empty()) {
      CHECK(store.Compact());
      CHECK(store.Stats().segments == 1);
    }
    lines.emplace_back(row.line);
    return true;
  });
  REQUIRE(stats);
  CHECK(lines == std::vector<std::string>{"line 0", "line 1", "line 2"});
  CHECK(stats->warnings.empty());
  // Neither the scan nor its cache holds what was merged any more.
  CHECK(files() == 1);
}

TEST_CASE("a segment with a damaged block stays as it is, and the others are merged",
          "[store][compaction][damage]") {
  StoreFixture fixture;
  fixture.Open();
  auto all = Fill(fixture);
  // The segment of the third flush, in the text of some block.
  fixture.Close();
  Merging merging(fixture);
  const std::string path = merging.sources[2]->path();
  const Frame* text = merging.sources[2]->blocks()[1].Find(ColumnKind::kText);
  REQUIRE(text != nullptr);
  fixture.memory.Corrupt(path, text->offset + 5, 1);
  fixture.Open();
  const auto readable = fixture.ScanAll();
  CHECK(readable.size() < all.size());
  REQUIRE(fixture.last_stats().warnings.size() == 1);
  const auto warnings = fixture.last_stats().warnings;

  fixture.Compact();
  CHECK(fixture.store().Stats().segments == 2);
  CHECK(fixture.memory.Exists(path));
  CHECK(fixture.ScanAll() == readable);
  CHECK(fixture.last_stats().warnings == warnings);
  CHECK(SegmentFiles(fixture).size() == 2);
  // Known for this run, and tried again in the next.
  fixture.Compact();
  CHECK(fixture.store().Stats().compactions_total == 1);
  fixture.CrashAndReopen();
  fixture.Compact();
  CHECK(fixture.store().Stats().segments == 2);
  CHECK(fixture.ScanAll() == readable);
}

TEST_CASE("a store may be closed while it merges", "[store][compaction][threads]") {
  StoreFixture fixture;
  fixture.options.compact_by_itself = true;
  fixture.options.compaction.fan_in = 2;
  fixture.options.compaction.block_bytes = 300;
  std::vector<TestEntry> all;
  for (int run = 0; run < 20; ++run) {
    fixture.Open();
    for (int i = 0; i < 3; ++i) {
      all.push_back({kStart + run * 10 + i, StreamOf("web"), "line " + std::to_string(run), {}});
      fixture.Store1({all.back()});
      fixture.Flush();
    }
    if (run % 2 == 0) {
      fixture.Close();
    } else {
      fixture.CrashAndReopen();
    }
  }
  fixture.Open();
  CHECK(fixture.ScanAll() == all);
}

}  // namespace
}  // namespace dunlin::store
