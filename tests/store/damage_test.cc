// Damage to any byte of any file is found: right rows, or fewer rows and a warning; never wrong
// rows, a silent miss or a crash.
#include <algorithm>
#include <map>

#include "collector/store/block_reader.h"
#include "collector/store/manifest.h"
#include "collector/store/segment_reader.h"
#include "protocol/base/checksum.h"
#include "tests/store/store_fixture.h"

namespace dunlin::store {
namespace {

std::vector<TestEntry> SomeEntries() {
  std::vector<TestEntry> entries;
  for (int i = 0; i < 40; ++i) {
    LabelSet metadata;
    if (i % 3 == 0) metadata.Set("trace_id", std::to_string(i));
    entries.push_back({1000 + i * 7, StreamOf(i % 2 == 0 ? "web" : "db", i % 5 == 0 ? "c1" : "c2"),
                       "line number " + std::to_string(i) + (i % 7 == 0 ? "\nsecond" : ""),
                       metadata});
  }
  return entries;
}

/// All files of a store that was closed in good order. When merged, lines are columns.
std::map<std::string, std::string> FilesOfClosedStore(bool merged = false) {
  StoreFixture fixture;
  fixture.Open();
  fixture.Store1(SomeEntries());
  fixture.Flush();
  if (merged) REQUIRE(fixture.store().Compact());
  fixture.Close();
  std::map<std::string, std::string> files;
  for (const std::string& path : fixture.memory.Files("/data")) {
    files[path] = fixture.memory.Contents(path);
  }
  return files;
}

/// The path of the only file with such an ending, or such a name inside.
std::string Find(const std::map<std::string, std::string>& files, std::string_view part) {
  for (const auto& [path, contents] : files) {
    if (path.find(part) != std::string::npos) return path;
  }
  FAIL("no such file");
  return {};
}

bool IsSubsequence(const std::vector<TestEntry>& part, const std::vector<TestEntry>& whole) {
  auto next = whole.begin();
  for (const TestEntry& entry : part) {
    next = std::find(next, whole.end(), entry);
    if (next == whole.end()) return false;
    ++next;
  }
  return true;
}

/// Whether everything in the segment can be read.
bool IsWhole(const std::shared_ptr<const SegmentReader>& segment) {
  std::string counters;
  if (segment->counters() && !segment->Read(*segment->counters(), counters)) return false;
  for (std::size_t i = 0; i < segment->blocks().size(); ++i) {
    BlockReader block(segment, i);
    if (!block.LoadRows() || !block.LoadText() || !block.LoadEnds() || !block.ReadGrams()) {
      return false;
    }
  }
  return true;
}

TEST_CASE("every flipped byte of a segment is detected when it is read", "[store][damage]") {
  const bool merged = GENERATE(false, true);
  auto files = FilesOfClosedStore(merged);
  std::string path = Find(files, ".seg");
  std::size_t size = files[path].size();
  for (std::size_t at = 0; at < size; ++at) {
    CAPTURE(at);
    testing::MemoryFileSystem memory;
    std::string damaged = files[path];
    damaged[at] = static_cast<char>(damaged[at] ^ 0x40);
    memory.Put("/s.seg", damaged);
    StreamTable streams;
    auto segment = SegmentReader::Open(memory, "/s.seg", streams);
    if (!segment) CHECK((segment.error().code() == ErrorCode::kCorruption));
    REQUIRE_FALSE((segment && IsWhole(*segment)));
  }
  testing::MemoryFileSystem memory;
  memory.Put("/s.seg", files[path]);
  StreamTable streams;
  auto segment = SegmentReader::Open(memory, "/s.seg", streams);
  REQUIRE(segment);
  CHECK(IsWhole(*segment));
  CHECK((*segment)->counters());
  const BlockForm form = merged ? BlockForm::kColumns : BlockForm::kText;
  CHECK(((*segment)->blocks().front().form() == form));
}

/// Makes the header of a segment (64 bytes) or a manifest (32) say that it is of version 1.
void MakeVersionOne(std::string& file, std::size_t header_bytes) {
  file[8] = 1;
  std::string checksum;
  AppendFixed(checksum, Checksum(std::string_view(file).substr(0, header_bytes - 8)));
  file.replace(header_bytes - 8, 8, checksum);
}

TEST_CASE("files of version 1 are read, and what follows is of version 2", "[store][damage]") {
  auto files = FilesOfClosedStore();
  MakeVersionOne(files[Find(files, ".seg")], kSegmentHeaderBytes);
  MakeVersionOne(files[Find(files, "manifest-")], 32);
  StoreFixture fixture;
  PutFiles(fixture, files);
  fixture.Open();
  CHECK(fixture.ScanAll() == SomeEntries());
  REQUIRE(fixture.store().Compact());
  CHECK(fixture.ScanAll() == SomeEntries());
  fixture.CrashAndReopen();
  CHECK(fixture.ScanAll() == SomeEntries());
  CHECK(fixture.store().Stats().quarantined_segments == 0);
}

TEST_CASE("a segment cut anywhere is refused", "[store][damage]") {
  auto files = FilesOfClosedStore(GENERATE(false, true));
  const std::string& whole = files[Find(files, ".seg")];
  for (std::size_t size = 0; size < whole.size(); ++size) {
    testing::MemoryFileSystem memory;
    memory.Put("/s.seg", whole.substr(0, size));
    StreamTable streams;
    CAPTURE(size);
    REQUIRE_FALSE(SegmentReader::Open(memory, "/s.seg", streams));
  }
}

TEST_CASE("a damaged segment is quarantined and every scan of its time says so",
          "[store][damage]") {
  auto files = FilesOfClosedStore();
  std::string path = Find(files, ".seg");
  StoreFixture fixture;
  PutFiles(fixture, files);
  SECTION("footer") { fixture.memory.Corrupt(path, files[path].size() - 40, 1); }
  SECTION("cut") { fixture.memory.Cut(path, files[path].size() / 2); }
  SECTION("missing") { REQUIRE(fixture.memory.Remove(path)); }
  fixture.Open();
  fixture.Store1({{500, StreamOf("web"), "later", {}}});
  for (int restart = 0; restart < 2; ++restart) {
    CHECK(fixture.ScanAll().size() == 1);
    REQUIRE(fixture.last_stats().warnings.size() == 1);
    CHECK(fixture.last_stats().warnings[0].find("40 entries are missing") != std::string::npos);
    CHECK(fixture.store().Stats().quarantined_segments == 1);
    ScanRequest elsewhere = fixture.Everything();
    elsewhere.end_ns = 900;
    CHECK(fixture.Scan(elsewhere).size() == 1);
    CHECK(fixture.last_stats().warnings.empty());
    fixture.CrashAndReopen();
  }
}

TEST_CASE("a damaged block is a warning and the other blocks are read", "[store][damage]") {
  auto files = FilesOfClosedStore();
  std::string path = Find(files, ".seg");
  StoreFixture fixture;
  PutFiles(fixture, files);
  fixture.memory.Corrupt(path, kSegmentHeaderBytes + 3, 1);
  fixture.Open();
  auto found = fixture.ScanAll(GENERATE(Order::kAscending, Order::kUnordered));
  CHECK(found.size() == 20);
  CHECK(fixture.last_stats().warnings.size() == 1);
}

TEST_CASE("a segment that cannot be read today is left alone and there again tomorrow",
          "[store][damage]") {
  auto code = GENERATE(ErrorCode::kIo, ErrorCode::kPermissionDenied, ErrorCode::kTimeout);
  auto files = FilesOfClosedStore();
  StoreFixture fixture;
  PutFiles(fixture, files);
  fixture.files().FailReads(".seg", code);
  for (int start = 0; start < 2; ++start) {
    fixture.Open();
    CHECK(fixture.ScanAll().empty());
    REQUIRE(fixture.last_stats().warnings.size() == 1);
    CHECK(fixture.last_stats().warnings[0].find("40 entries are missing") != std::string::npos);
    CHECK(fixture.memory.Files("/data/quarantine").empty());
    fixture.Close();
  }
  fixture.files().Heal();
  fixture.Open();
  CHECK(fixture.ScanAll() == SomeEntries());
  CHECK(fixture.last_stats().warnings.empty());
}

TEST_CASE("a start without resources, or with files of the future, changes nothing",
          "[store][damage]") {
  auto code = GENERATE(ErrorCode::kExhausted, ErrorCode::kUnsupported);
  auto part = GENERATE(std::string(".seg"), std::string("manifest-"));
  auto files = FilesOfClosedStore();
  StoreFixture fixture;
  PutFiles(fixture, files);
  fixture.files().FailReads(part, code);
  auto opened = fixture.TryOpen();
  REQUIRE_FALSE(opened);
  CHECK(opened.error().code() == code);
  fixture.files().Heal();
  fixture.Open();
  CHECK(fixture.ScanAll() == SomeEntries());
  CHECK(fixture.memory.Files("/data/quarantine").empty());
}

TEST_CASE("a manifest that cannot be read today is not taken for a damaged one",
          "[store][damage]") {
  auto part = GENERATE(std::string("manifest-"), std::string("CURRENT"));
  auto files = FilesOfClosedStore();
  StoreFixture fixture;
  PutFiles(fixture, files);
  // What an older manifest would say: nothing.
  fixture.memory.Put("/data/manifest-1", files[Find(files, "manifest-")].substr(0, 32));
  fixture.files().FailReads(part, ErrorCode::kIo);
  auto opened = fixture.TryOpen();
  REQUIRE_FALSE(opened);
  CHECK(opened.error().code() == ErrorCode::kIo);
  fixture.files().Heal();
  fixture.Open();
  CHECK(fixture.ScanAll() == SomeEntries());
}

TEST_CASE("with a damaged manifest no unlisted file may be passed over", "[store][damage]") {
  auto files = FilesOfClosedStore();
  StoreFixture fixture;
  PutFiles(fixture, files);
  REQUIRE(fixture.memory.Remove(Find(files, "manifest-")));
  fixture.files().FailReads(GENERATE(std::string(".seg"), std::string("/segments/19")),
                            ErrorCode::kIo);
  REQUIRE_FALSE(fixture.TryOpen());
  fixture.files().Heal();
  fixture.Open();
  CHECK(fixture.ScanAll() == SomeEntries());
}

TEST_CASE("damage to manifest or CURRENT loses no entry", "[store][damage]") {
  auto files = FilesOfClosedStore();
  std::string path = Find(files, GENERATE(std::string("manifest-"), std::string("CURRENT")));
  std::size_t size = files[path].size();
  std::size_t step = size > 100 ? 3 : 1;
  for (std::size_t at = 0; at < size; at += step * kStride) {
    CAPTURE(path, at);
    StoreFixture fixture;
    PutFiles(fixture, files);
    fixture.memory.Corrupt(path, at, 0x04);
    auto opened = fixture.TryOpen();
    if (!opened) {
      // A version or feature from the future, for all the program can tell.
      CHECK(opened.error().code() == ErrorCode::kUnsupported);
      continue;
    }
    CHECK(fixture.ScanAll() == SomeEntries());
    fixture.Store1({{1, StreamOf("web"), "new", {}}});
    fixture.CrashAndReopen();
    CHECK(fixture.ScanAll().size() == SomeEntries().size() + 1);
  }
}

TEST_CASE("without manifest and CURRENT the segments are found again", "[store][damage]") {
  auto files = FilesOfClosedStore();
  StoreFixture fixture;
  PutFiles(fixture, files);
  REQUIRE(fixture.memory.Remove(Find(files, "manifest-")));
  if (GENERATE(false, true)) REQUIRE(fixture.memory.Remove(Find(files, "CURRENT")));
  fixture.Open();
  CHECK(fixture.ScanAll() == SomeEntries());
}

TEST_CASE("a damaged acknowledged wal record is reported with its time", "[store][damage]") {
  StoreFixture fixture;
  fixture.Open();
  std::vector<TestEntry> all;
  for (int i = 0; i < 5; ++i) {
    all.push_back({fixture.clock.kStartNs + i, StreamOf("web"), "line " + std::to_string(i), {}});
    fixture.Store1({all.back()});
  }
  std::string path = fixture.memory.Files("/data/wal").at(0);
  std::size_t at = fixture.memory.Contents(path).find("line 2");
  REQUIRE(at != std::string::npos);
  fixture.memory.Corrupt(path, at, 1);
  fixture.CrashAndReopen();
  all.erase(all.begin() + 2);
  for (int restart = 0; restart < 2; ++restart) {
    CHECK(fixture.ScanAll() == all);
    REQUIRE(fixture.last_stats().warnings.size() == 1);
    CHECK(fixture.last_stats().warnings[0].find("WAL records 3 to 3 are lost") !=
          std::string::npos);
    fixture.CrashAndReopen();
  }
  // Kept for people to look at.
  CHECK(fixture.memory.Files("/data/quarantine").size() == 1);
}

TEST_CASE("any flipped byte of a wal leaves right rows and a report", "[store][damage]") {
  StoreFixture original;
  original.Open();
  std::vector<TestEntry> all;
  for (int i = 0; i < 3; ++i) {
    all.push_back({original.clock.kStartNs + i, StreamOf("web"), "line " + std::to_string(i), {}});
    original.Store1({all.back()});
  }
  std::map<std::string, std::string> files;
  for (const std::string& path : original.memory.Files("/data")) {
    files[path] = original.memory.Contents(path);
  }
  std::string path = Find(files, ".wal");
  std::size_t end = files[path].find_last_not_of('\0') + 1;
  for (std::size_t at = 0; at < end; at += 5 * kStride) {
    CAPTURE(at);
    StoreFixture fixture;
    PutFiles(fixture, files);
    fixture.memory.Corrupt(path, at, 0x20);
    auto opened = fixture.TryOpen();
    REQUIRE(opened);
    auto found = fixture.ScanAll();
    CHECK(IsSubsequence(found, all));
    bool last_lost = found.size() == 2 && found[1] == all[1];
    // The last record alone cannot be told from a write that was never acknowledged.
    if (found.size() < all.size() && !last_lost) CHECK(!fixture.last_stats().warnings.empty());
  }
}

TEST_CASE("a file that no record lists is left over from an unfinished publication",
          "[store][damage]") {
  auto files = FilesOfClosedStore();
  StoreFixture fixture;
  PutFiles(fixture, files);
  std::string folder = ParentPath(Find(files, ".seg"));
  fixture.memory.Put(folder + "/half.tmp", "half");
  fixture.memory.Put(folder + "/0000.seg", "garbage");
  fixture.Open();
  CHECK(fixture.ScanAll() == SomeEntries());
  CHECK_FALSE(fixture.memory.Exists(folder + "/half.tmp"));
  CHECK_FALSE(fixture.memory.Exists(folder + "/0000.seg"));
  CHECK(fixture.memory.Exists("/data/quarantine/0000.seg"));
}

}  // namespace
}  // namespace dunlin::store
