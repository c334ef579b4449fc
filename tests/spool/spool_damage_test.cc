#include <random>

#include "shipper/spool/record_walk.h"
#include "tests/spool/spool_fixture.h"

// Bytes changed behind the spool's back: what is lost is exactly what they touched, and accounted
// for to the line.
namespace dunlin::shipper::testing {
namespace {

using After = SpoolFixture::After;

/// Where one batch lies.
struct Extent {
  std::string path;
  std::uint64_t begin = 0;
  std::uint64_t payload = 0;
  std::uint64_t end = 0;
  std::uint64_t sequence = 0;
};

/// Three segments, the last one growing, and everything to put them back after each experiment.
class DamagedSpool {
 public:
  DamagedSpool() : fixture_({.limit_bytes = 64_KiB, .segment_bytes = 1600}) {
    fixture_.Create();
    fixture_.AppendMany(13, 150);
    REQUIRE(fixture_.Segments().size() == 3);
    fixture_.Kill();
    for (const std::string& path : fixture_.memory.Files("/spool")) {
      files_[path] = fixture_.memory.Contents(path);
    }
    for (const std::string& path : fixture_.Segments()) FindBatches(path);
    REQUIRE(extents_.size() == 13);
  }

  SpoolFixture& fixture() { return fixture_; }
  std::map<std::string, std::string>& files() { return files_; }
  const std::vector<Extent>& extents() const { return extents_; }

  /// Puts these contents in place of a file, adopts, and gives what is lost.
  std::set<std::uint64_t> LostWith(const std::string& path, const std::string& contents) {
    fixture_.spool.reset();
    for (const auto& [file, pristine] : files_) fixture_.memory.Put(file, pristine);
    fixture_.memory.Put(path, contents);
    REQUIRE(fixture_.Adopt());
    std::set<std::uint64_t> lost = fixture_.CheckAll(After::kDamage);
    for (auto sequence = fixture_.spool->last_sequence() + 1; sequence <= fixture_.sealed();
         ++sequence) {
      lost.insert(sequence);
    }
    accounts_ = fixture_.spool->accounts();
    fixture_.spool.reset();
    return lost;
  }
  const SpoolAccounts& accounts() const { return accounts_; }

  /// The batches of `path` that differ between its pristine contents and these.
  std::set<std::uint64_t> Touched(const std::string& path, const std::string& contents) const {
    std::set<std::uint64_t> touched;
    const std::string& pristine = files_.at(path);
    for (const Extent& extent : extents_) {
      if (extent.path != path) continue;
      std::size_t size = extent.end - extent.begin;
      if (extent.begin >= contents.size() ||
          contents.substr(extent.begin, size) != pristine.substr(extent.begin, size)) {
        touched.insert(extent.sequence);
      }
    }
    return touched;
  }

 private:
  void FindBatches(const std::string& path) {
    auto name = ParseSegmentName(path.substr(path.rfind('/') + 1));
    REQUIRE(name);
    auto file = fixture_.memory.Open(path, FileSystem::Mode::kRead);
    REQUIRE(file);
    RecordWalk walk(**file, name->salt, AlignedUp(kHeadBytes + kIdentity.size()),
                    files_[path].size(), Spool::Unreadable::kFail);
    for (;;) {
      auto next = walk.Next();
      REQUIRE(next);
      if (!*next || (*next)->record.type == RecordType::kSummary) return;
      extents_.push_back({path, (*next)->position, (*next)->payload_position,
                          (*next)->payload_position + (*next)->record.payload_bytes,
                          (*next)->record.info.sequence});
    }
  }

  SpoolFixture fixture_;
  std::map<std::string, std::string> files_;
  std::vector<Extent> extents_;
  SpoolAccounts accounts_;
};

TEST_CASE("a flipped bit costs the batch it is in, anywhere", "[spool][damage]") {
  DamagedSpool spool;
  for (const auto& [path, pristine] : spool.files()) {
    if (!path.ends_with(".spool") && !path.ends_with("/boot")) continue;
    for (std::size_t at = 0; at < pristine.size(); ++at) {
      CAPTURE(path, at);
      std::string contents = pristine;
      contents[at] = static_cast<char>(contents[at] ^ (1 << (at % 8)));
      auto touched = spool.Touched(path, contents);
      CHECK(spool.LostWith(path, contents) == touched);
      CHECK(spool.accounts().damaged_batches == touched.size());
    }
  }
}

TEST_CASE("a zeroed range costs the batches it touches", "[spool][damage]") {
  DamagedSpool spool;
  std::size_t size = GENERATE(8, 100, 512, 4096);
  for (const auto& [path, pristine] : spool.files()) {
    if (!path.ends_with(".spool")) continue;
    for (std::size_t at = 0; at < pristine.size(); at += 37) {
      CAPTURE(path, at, size);
      std::string contents = pristine;
      for (std::size_t i = at; i < std::min(at + size, contents.size()); ++i) contents[i] = '\0';
      CHECK(spool.LostWith(path, contents) == spool.Touched(path, contents));
    }
  }
}

TEST_CASE("a cut segment costs the batches behind the cut", "[spool][damage]") {
  DamagedSpool spool;
  for (const auto& [path, pristine] : spool.files()) {
    if (!path.ends_with(".spool")) continue;
    for (std::size_t size = 0; size < pristine.size(); size += 3) {
      CAPTURE(path, size);
      std::string contents = pristine.substr(0, size);
      CHECK(spool.LostWith(path, contents) == spool.Touched(path, contents));
    }
  }
}

TEST_CASE("what follows the last record costs nothing and is told", "[spool][damage]") {
  DamagedSpool spool;
  const std::string path = spool.extents().back().path;
  std::string tail = GENERATE(std::string(5000, '\0'), std::string("x"), std::string(300, 'D'));
  std::string contents = spool.files()[path] + tail;
  CHECK(spool.LostWith(path, contents).empty());
  CHECK(spool.accounts().damaged_batches == (tail.size() > 8 ? 1 : 0));
}

TEST_CASE("swapped records cost at most themselves", "[spool][damage]") {
  DamagedSpool spool;
  const std::vector<Extent>& extents = spool.extents();
  for (std::size_t i = 0; i + 1 < extents.size(); ++i) {
    const Extent& a = extents[i];
    const Extent& b = extents[i + 1];
    if (a.path != b.path) continue;
    CAPTURE(a.sequence);
    const std::string& pristine = spool.files()[a.path];
    std::uint64_t b_end = AlignedUp(b.end);
    std::string second = pristine.substr(b.begin, b.end - b.begin);
    second.resize(AlignedUp(second.size()));
    std::string contents =
        pristine.substr(0, a.begin) + second + pristine.substr(a.begin, a.end - a.begin);
    contents.resize(std::min<std::size_t>(b_end, pristine.size()));
    if (b_end < pristine.size()) contents += pristine.substr(b_end);
    // The one that comes late has lost its place.
    CHECK(spool.LostWith(a.path, contents) == std::set<std::uint64_t>{a.sequence});
  }
}

TEST_CASE("a record that is there twice counts once", "[spool][damage]") {
  DamagedSpool spool;
  for (const Extent& extent : spool.extents()) {
    CAPTURE(extent.sequence);
    const std::string& pristine = spool.files()[extent.path];
    std::string copy = pristine.substr(extent.begin, extent.end - extent.begin);
    copy.resize(AlignedUp(copy.size()));
    std::string contents = pristine.substr(0, extent.begin) + copy + pristine.substr(extent.begin);
    CHECK(spool.LostWith(extent.path, contents).empty());
    // And where its place in the order has passed.
    contents = pristine;
    contents.resize(AlignedUp(contents.size()));
    contents += copy;
    CHECK(spool.LostWith(extent.path, contents).empty());
  }
}

TEST_CASE("a lost segment costs its batches", "[spool][damage]") {
  DamagedSpool spool;
  SpoolFixture& fixture = spool.fixture();
  for (const auto& [path, pristine] : spool.files()) {
    if (!path.ends_with(".spool")) continue;
    CAPTURE(path);
    auto lost = spool.LostWith(path, "");
    CHECK(lost == spool.Touched(path, ""));
    // Removed altogether it is the same.
    for (const auto& [file, contents] : spool.files()) fixture.memory.Put(file, contents);
    REQUIRE(fixture.memory.Remove(path));
    REQUIRE(fixture.Adopt());
    auto gaps = fixture.CheckAll(After::kDamage);
    for (auto sequence = fixture.spool->last_sequence() + 1; sequence <= fixture.sealed();
         ++sequence) {
      gaps.insert(sequence);
    }
    CHECK(gaps == lost);
    fixture.spool.reset();
  }
}

TEST_CASE("foreign files are counted and left alone", "[spool][damage]") {
  DamagedSpool spool;
  SpoolFixture& fixture = spool.fixture();
  const std::string first = fixture.Segments().front();
  std::vector<std::string> foreign = {
      fixture.Folder() + "/notes.txt",
      fixture.Folder() + "/0000000000000001-0000000000000001.spool.bak",
      fixture.Folder() + "/000000000000000A-0000000000000001.spool",
      // A copy of a segment under another number.
      fixture.Folder() + "/0000000000000009-0000000000000009.spool",
  };
  for (const std::string& path : foreign) fixture.memory.Put(path, spool.files()[first]);
  REQUIRE(fixture.Adopt());
  CHECK(fixture.CheckAll(After::kKill).empty());
  CHECK(fixture.spool->accounts().foreign_files == foreign.size());
}

TEST_CASE("lines that look like records are never taken for one", "[spool][damage]") {
  SpoolFixture fixture;
  fixture.Create();
  fixture.AppendMany(2);
  // A frame full of records that would pass but for the salt, and before them a damaged record.
  MadeBatch batch = fixture.Seal();
  SpoolRecord forged;
  forged.info.first_sequence = forged.info.sequence = 4;
  std::string frame(8 - kRecordBytes % 8, 'x');
  for (int i = 0; i < 20; ++i) {
    AppendRecord(frame, forged, /*salt=*/0);
    frame.resize(AlignedUp(frame.size()), 'x');
  }
  REQUIRE(fixture.spool->Append(batch.info, frame));
  fixture.AppendMany(2);
  fixture.Kill();
  std::string path = fixture.Segments().front();
  std::size_t at = fixture.memory.Contents(path).find(frame);
  REQUIRE(at != std::string::npos);
  fixture.memory.Corrupt(path, at - 8, 1);
  REQUIRE(fixture.Adopt());
  CHECK(fixture.CheckAll(After::kDamage) == std::set<std::uint64_t>{3});
  CHECK(fixture.spool->accounts().damaged_batches == 1);
}

TEST_CASE("an interrupted widening of a gap is finished by the next owner", "[spool][damage]") {
  SpoolFixture fixture;
  fixture.Create();
  fixture.AppendMany(60);
  REQUIRE(fixture.DropOldest(1));
  std::string narrow = fixture.Segments().front();
  std::string contents = fixture.memory.Contents(narrow);
  auto drop = fixture.DropOldest(1);
  REQUIRE(drop);
  CHECK_FALSE(fixture.memory.Exists(narrow));
  fixture.Kill();
  fixture.memory.Put(narrow, contents);  // the kill came before it was removed
  REQUIRE(fixture.Adopt());
  fixture.CheckAll(After::kKill);
  auto gap = fixture.spool->Read(1);
  REQUIRE(gap);
  CHECK(gap->sequence == (*drop)->sequence);
  REQUIRE(fixture.Acknowledge(1));
  CHECK_FALSE(fixture.memory.Exists(narrow));
}

}  // namespace
}  // namespace dunlin::shipper::testing
