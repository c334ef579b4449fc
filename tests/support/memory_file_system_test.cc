#include "tests/support/memory_file_system.h"

#include "tests/support/catch.h"
#include "tests/support/faulty_file_system.h"

namespace dunlin::testing {
namespace {

std::unique_ptr<File> Create(FileSystem& fs, const std::string& path) {
  auto file = fs.Open(path, FileSystem::Mode::kCreate);
  REQUIRE(file);
  return std::move(*file);
}

TEST_CASE("memory file system forgets unsynced bytes in a crash", "[support]") {
  MemoryFileSystem fs;
  auto file = Create(fs, "/a");
  REQUIRE(fs.SyncDirectory("/"));
  REQUIRE(file->WriteAt(0, "kept"));
  REQUIRE(file->Sync());
  REQUIRE(file->WriteAt(4, " lost"));
  CHECK(fs.Contents("/a") == "kept lost");
  fs.Crash();
  CHECK(fs.Contents("/a") == "kept");
  CHECK_FALSE(file->WriteAt(0, "ghost"));
}

TEST_CASE("memory file system forgets names until their folder is synced", "[support]") {
  MemoryFileSystem fs;
  REQUIRE(fs.CreateDirectories("/d/e"));
  auto file = Create(fs, "/d/e/f");
  REQUIRE(file->WriteAt(0, "x"));
  REQUIRE(file->Sync());
  SECTION("nothing synced") {
    fs.Crash();
    CHECK_FALSE(fs.Exists("/d"));
  }
  SECTION("only the inner folder synced") {
    REQUIRE(fs.SyncDirectory("/d/e"));
    fs.Crash();
    CHECK_FALSE(fs.Exists("/d/e/f"));
  }
  SECTION("all synced, then renamed without a sync") {
    REQUIRE(fs.SyncDirectory("/d/e"));
    REQUIRE(fs.SyncDirectory("/d"));
    REQUIRE(fs.SyncDirectory("/"));
    REQUIRE(fs.Rename("/d/e/f", "/d/e/g"));
    CHECK(fs.Exists("/d/e/g"));
    fs.Crash();
    CHECK(fs.Contents("/d/e/f") == "x");
    CHECK_FALSE(fs.Exists("/d/e/g"));
  }
}

TEST_CASE("memory file system keeps what was written when only the process dies", "[support]") {
  MemoryFileSystem fs;
  auto lock = fs.Lock("/LOCK");
  REQUIRE(lock);
  CHECK_FALSE(fs.Lock("/LOCK"));
  auto file = Create(fs, "/a");
  REQUIRE(file->WriteAt(0, "x"));
  fs.Kill();
  CHECK(fs.Contents("/a") == "x");
  CHECK(fs.Lock("/LOCK"));
}

TEST_CASE("memory file system runs out of space", "[support]") {
  MemoryFileSystem fs;
  auto file = Create(fs, "/a");
  fs.SetFreeSpace(3);
  CHECK(file->WriteAt(0, "abc"));
  auto full = file->WriteAt(3, "d");
  REQUIRE_FALSE(full);
  CHECK(full.error().code() == ErrorCode::kExhausted);
  CHECK(file->WriteAt(0, "xyz"));  // overwriting needs no space
}

TEST_CASE("faulty file system fails the n-th call", "[support]") {
  MemoryFileSystem memory;
  FaultyFileSystem fs(memory);
  auto file = Create(fs, "/a");
  using Lasting = FaultyFileSystem::Lasting;
  fs.FailCall(1, Lasting::kOnce);
  CHECK(file->Sync());
  CHECK_FALSE(file->WriteAt(0, "abcd"));
  CHECK(memory.Contents("/a") == "ab");
  CHECK(file->Sync());
  CHECK(fs.calls() == 3);
  CHECK(fs.failures() == 1);
  fs.FailCall(0, Lasting::kForever, ErrorCode::kExhausted, {FaultyFileSystem::Call::kRename});
  CHECK(file->Sync());
  CHECK_FALSE(fs.Rename("/a", "/b"));
  CHECK_FALSE(fs.Rename("/a", "/b"));
  fs.Heal();
  CHECK(fs.Rename("/a", "/b"));
}

}  // namespace
}  // namespace dunlin::testing
