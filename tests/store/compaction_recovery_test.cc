// Merged segments and what they were made of, in every combination that a damaged manifest may
// leave: each entry is taken in once.
#include <algorithm>
#include <map>

#include "collector/store/segment_merge.h"
#include "tests/store/store_fixture.h"

namespace dunlin::store {
namespace {

using testing::FaultyFileSystem;
using Lasting = FaultyFileSystem::Lasting;

constexpr std::int64_t kDay = 86'400'000'000'000;
constexpr std::int64_t kStart = testing::ManualClock::kStartNs;

/// The files of a store with three segments of one day, "0" to "2", each with one entry, and what
/// merging makes of them; to be put together as a crash or damage might leave them.
class Leftovers {
 public:
  Leftovers() {
    fixture.Open();
    for (int number = 0; number < 3; ++number) {
      fixture.Store1({{kStart + number, StreamOf("web"), std::to_string(number), {}}});
      fixture.Flush();
    }
    // Once more, so that the manifest has a number that says there was one before.
    fixture.Close();
    fixture.Open();
    fixture.Close();
    REQUIRE(fixture.memory.SyncDirectory("/data/wal"));  // its files are gone for good
    for (const std::string& path : fixture.memory.Files("/data")) {
      files_[path] = fixture.memory.Contents(path);
      if (path.ends_with(".seg")) {
        auto segment = SegmentReader::Open(fixture.memory, path, streams_);
        REQUIRE(segment);
        segments_[std::to_string((*segment)->facts().first_arrival)] = *segment;
      }
    }
  }

  /// Makes "01" of "0" and "1".
  void Merge(const std::string& name, const std::vector<std::string>& sources) {
    std::vector<SegmentPtr> from;
    for (const std::string& source : sources) from.push_back(segments_.at(source));
    auto merged = SegmentMerge(fixture.memory, {"/data", 1000}, from, streams_, [] {
                    return std::optional<Error>();
                  }).Run(kStart);
    REQUIRE(merged);
    segments_[name] = *merged;
    files_[(*merged)->path()] = fixture.memory.Contents((*merged)->path());
  }

  /// Leaves these segments only.
  void Arrange(const std::vector<std::string>& names) {
    for (const auto& [name, segment] : segments_) {
      bool wanted = std::find(names.begin(), names.end(), name) != names.end();
      if (wanted) {
        fixture.memory.Put(segment->path(), files_.at(segment->path()));
      } else if (fixture.memory.Exists(segment->path())) {
        REQUIRE(fixture.memory.Remove(segment->path()));
        REQUIRE(fixture.memory.SyncDirectory(ParentPath(segment->path())));
      }
    }
  }

  void OpenWith(const std::vector<std::string>& names) {
    Arrange(names);
    fixture.Open();
  }

  /// The manifest, which lists "0" to "2", is still there, but there may have been a later one.
  void LoseCurrent() {
    REQUIRE(fixture.memory.Remove("/data/CURRENT"));
    REQUIRE(fixture.memory.SyncDirectory("/data"));
  }
  void LoseManifest() {
    for (const auto& [path, contents] : files_) {
      if (path.find("/manifest-") != std::string::npos) REQUIRE(fixture.memory.Remove(path));
    }
    REQUIRE(fixture.memory.SyncDirectory("/data"));
  }

  /// Each entry is there once, and only the files of `names` are.
  void CheckTaken(const std::vector<std::string>& names) {
    std::vector<std::string> paths;
    for (const std::string& name : names) paths.push_back(segments_.at(name)->path());
    std::sort(paths.begin(), paths.end());
    for (int restart = 0; restart < 2; ++restart) {
      CAPTURE(restart);
      std::vector<std::string> lines;
      for (const TestEntry& entry : fixture.ScanAll()) lines.push_back(entry.line);
      CHECK(lines == std::vector<std::string>{"0", "1", "2"});
      CHECK(fixture.last_stats().warnings.empty());
      CHECK(fixture.memory.Files("/data/segments") == paths);
      fixture.CrashAndReopen();
    }
  }

  StoreFixture fixture;

 private:
  std::map<std::string, std::string> files_;
  StreamTable streams_;
  std::map<std::string, SegmentPtr> segments_;
};

TEST_CASE("a merged segment that the manifest does not list goes when its sources are there",
          "[store][compaction][recovery]") {
  Leftovers leftovers;
  leftovers.Merge("01", {"0", "1"});
  leftovers.Merge("012", {"01", "2"});
  if (GENERATE(false, true)) leftovers.LoseCurrent();
  leftovers.OpenWith({"0", "1", "2", "01", "012"});
  leftovers.CheckTaken({"0", "1", "2"});
}

TEST_CASE("a merged segment that the manifest does not list is taken in when a source is gone",
          "[store][compaction][recovery]") {
  Leftovers leftovers;
  leftovers.Merge("01", {"0", "1"});
  leftovers.LoseCurrent();
  SECTION("one of them") {
    leftovers.OpenWith({"0", "2", "01"});
    leftovers.CheckTaken({"01", "2"});
  }
  SECTION("all of them") {
    leftovers.OpenWith({"2", "01"});
    leftovers.CheckTaken({"01", "2"});
  }
  SECTION("and what it was merged into later") {
    leftovers.Merge("012", {"01", "2"});
    leftovers.OpenWith({"1", "01", "012"});
    leftovers.CheckTaken({"012"});
  }
  SECTION("but not while it is not needed") {
    leftovers.Merge("12", {"1", "2"});
    leftovers.OpenWith({"0", "01", "1", "12"});
    leftovers.CheckTaken({"0", "12"});
  }
}

TEST_CASE("without a manifest the segment that was merged from most is taken in",
          "[store][compaction][recovery]") {
  Leftovers leftovers;
  leftovers.LoseManifest();
  leftovers.Merge("01", {"0", "1"});
  leftovers.Merge("012", {"01", "2"});
  SECTION("with everything") {
    leftovers.OpenWith({"0", "1", "2", "01", "012"});
    leftovers.CheckTaken({"012"});
  }
  SECTION("with a part") {
    leftovers.OpenWith({"0", "1", "01", "2"});
    leftovers.CheckTaken({"01", "2"});
  }
}

TEST_CASE("of two merged segments that share a source only one is taken in",
          "[store][compaction][recovery]") {
  Leftovers leftovers;
  leftovers.LoseManifest();
  leftovers.Merge("01", {"0", "1"});
  leftovers.Merge("12", {"1", "2"});
  leftovers.OpenWith({"01", "12"});
  for (int restart = 0; restart < 2; ++restart) {
    CAPTURE(restart);
    CHECK(leftovers.fixture.ScanAll().size() == 2);
    CHECK(leftovers.fixture.last_stats().warnings.size() == 1);
    CHECK(leftovers.fixture.memory.Files("/data/quarantine").size() == 1);
    leftovers.fixture.CrashAndReopen();
  }
}

TEST_CASE("sources that are left when a merged segment is listed go",
          "[store][compaction][recovery]") {
  StoreFixture fixture;
  fixture.Open();
  for (int number = 0; number < 3; ++number) {
    fixture.Store1({{kStart + number, StreamOf("web"), std::to_string(number), {}}});
    fixture.Flush();
  }
  auto all = fixture.ScanAll();
  std::map<std::string, std::string> sources;
  for (const std::string& path : fixture.memory.Files("/data/segments")) {
    sources[path] = fixture.memory.Contents(path);
  }
  fixture.Compact();
  auto merged = fixture.memory.Files("/data/segments");
  fixture.Close();
  for (const auto& [path, contents] : sources) fixture.memory.Put(path, contents);
  SECTION("with a whole manifest") {}
  SECTION("with a damaged one") { REQUIRE(fixture.memory.Remove("/data/CURRENT")); }
  fixture.Open();
  CHECK(fixture.ScanAll() == all);
  CHECK(fixture.memory.Files("/data/segments") == merged);
}

TEST_CASE(
    "a merged segment spans log records of others, which are still taken from the log or "
    "their segments",
    "[store][compaction][recovery]") {
  StoreFixture fixture;
  fixture.options.wal_file_bytes = 4096;  // each batch gets a file of its own
  fixture.Open();
  auto store = [&](std::int64_t time_ns, const std::string& name) {
    fixture.Store1({{time_ns, StreamOf("web"), name + std::string(5000, 'x'), {}}});
  };
  // Records 1 and 3 are of one day and get merged; record 2 is of another.
  store(kStart, "first");
  fixture.Flush();
  store(kStart + kDay, "second");
  fixture.Flush();
  store(kStart + 1, "third");
  std::map<std::string, std::string> wal;
  auto keep_wal = [&] {
    for (const std::string& path : fixture.memory.Files("/data/wal")) {
      if (path.ends_with(".wal")) wal[path] = fixture.memory.Contents(path);
    }
  };
  keep_wal();
  fixture.Flush();
  store(kStart + kDay + 1, "fourth");
  keep_wal();
  auto all = fixture.ScanAll();
  REQUIRE(all.size() == 4);
  fixture.Compact();
  fixture.CrashAndReopen();
  fixture.Close();
  // Everything but the segments is as it was before the log was covered.
  for (const std::string& path : fixture.memory.Files("/data")) {
    if (path.find("/segments/") == std::string::npos) REQUIRE(fixture.memory.Remove(path));
  }
  for (const auto& [path, contents] : wal) fixture.memory.Put(path, contents);
  fixture.Open();
  CHECK(fixture.ScanAll() == all);
  fixture.CrashAndReopen();
  CHECK(fixture.ScanAll() == all);
}

TEST_CASE("a crash at any call of a start with a damaged manifest loses nothing",
          "[store][compaction][recovery][crash]") {
  for (std::uint64_t n = 0;; n += kStride) {
    CAPTURE(n);
    Leftovers leftovers;
    StoreFixture& fixture = leftovers.fixture;
    leftovers.Merge("01", {"0", "1"});
    if (n % 2 == 0) {
      leftovers.LoseManifest();
    } else {
      leftovers.LoseCurrent();
    }
    leftovers.Arrange({"1", "01", "2"});
    fixture.files().FailCall(n, Lasting::kForever);
    if (auto opened = fixture.TryOpen(); opened) {
      CHECK(fixture.ScanAll().size() == 3);
    }
    bool reached = fixture.files().failures() > 0;
    if (n % 3 == 0) {
      fixture.KillAndReopen();
    } else {
      fixture.CrashAndReopen();
    }
    for (int restart = 0; restart < 2; ++restart) {
      CHECK(fixture.ScanAll().size() == 3);
      CHECK(fixture.last_stats().warnings.empty());
      fixture.CrashAndReopen();
    }
    if (!reached) break;
  }
}

}  // namespace
}  // namespace dunlin::store
