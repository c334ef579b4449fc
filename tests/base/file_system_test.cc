#include "protocol/base/file_system.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/catch.h"
#include "tests/support/faulty_file_system.h"
#include "tests/support/memory_file_system.h"
#include "tests/support/temp_dir.h"

namespace dunlin {
namespace {

using Mode = FileSystem::Mode;

std::unique_ptr<File> MustOpen(const std::string& path, Mode mode) {
  auto file = PosixFileSystem().Open(path, mode);
  REQUIRE(file);
  return std::move(*file);
}

std::string ReadRange(const File& file, std::uint64_t position, std::size_t size) {
  std::string bytes(size, '?');
  auto got = file.ReadAt(position, bytes.data(), size);
  REQUIRE(got);
  bytes.resize(*got);
  return bytes;
}

TEST_CASE("bytes are read where they were written", "[base][file_system]") {
  testing::TempDir dir;
  auto file = MustOpen(dir.File("f"), Mode::kCreate);
  REQUIRE(file->WriteAt(0, "hello"));
  REQUIRE(file->WriteAt(8, "world"));
  REQUIRE(file->Sync());
  CHECK(*file->Size() == 13);
  CHECK(ReadRange(*file, 0, 100) == std::string("hello\0\0\0world", 13));
  CHECK(ReadRange(*file, 8, 3) == "wor");
  CHECK(ReadRange(*file, 13, 3).empty());
  CHECK(ReadRange(*file, 1000, 3).empty());

  REQUIRE(file->Truncate(5));
  CHECK(*ReadFile(PosixFileSystem(), dir.File("f")) == "hello");
}

TEST_CASE("modes say what must exist and what is emptied", "[base][file_system]") {
  testing::TempDir dir;
  FileSystem& fs = PosixFileSystem();
  CHECK(fs.Open(dir.File("f"), Mode::kRead).error().code() == ErrorCode::kNotFound);
  CHECK(fs.Open(dir.File("f"), Mode::kWrite).error().code() == ErrorCode::kNotFound);
  REQUIRE(MustOpen(dir.File("f"), Mode::kCreate)->WriteAt(0, "old"));
  CHECK(ReadRange(*MustOpen(dir.File("f"), Mode::kWrite), 0, 9) == "old");
  CHECK_FALSE(MustOpen(dir.File("f"), Mode::kRead)->WriteAt(0, "x"));
  MustOpen(dir.File("f"), Mode::kCreate);
  CHECK(ReadFile(fs, dir.File("f"))->empty());
}

TEST_CASE("a private file is new, and its owner's alone from the start", "[base][file_system]") {
  testing::TempDir dir;
  const std::string path = dir.File("key");
  auto permissions = [&path] {
    struct stat found {};
    REQUIRE(::stat(path.c_str(), &found) == 0);
    return found.st_mode & 0777;
  };
  REQUIRE(MustOpen(path, Mode::kCreate)->WriteAt(0, "old"));
  REQUIRE(::chmod(path.c_str(), 0666) == 0);
  auto open_before = MustOpen(path, Mode::kRead);
  REQUIRE(MustOpen(path, Mode::kCreatePrivate)->WriteAt(0, "secret"));
  CHECK(permissions() == 0600);
  CHECK(*ReadFile(PosixFileSystem(), path) == "secret");
  CHECK(ReadRange(*open_before, 0, 9) == "old");

  REQUIRE(WriteFileAtomically(PosixFileSystem(), path, "newer", Mode::kCreatePrivate));
  CHECK(permissions() == 0600);
  CHECK(*ReadFile(PosixFileSystem(), path) == "newer");
  const mode_t umask_before = ::umask(022);
  REQUIRE(WriteFileAtomically(PosixFileSystem(), path, "for all", Mode::kCreatePublic));
  ::umask(umask_before);
  CHECK(permissions() == 0644);
}

TEST_CASE("an error names the attempt, the path and the cause", "[base][file_system]") {
  auto file = PosixFileSystem().Open("/nowhere/f", Mode::kRead);
  REQUIRE_FALSE(file);
  CHECK(file.error().message() == "cannot open /nowhere/f: No such file or directory");
}

TEST_CASE("a write that the system cuts short is an error, and the file goes on",
          "[base][file_system]") {
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  auto* const handler = ::signal(SIGXFSZ, SIG_IGN);
  testing::TempDir dir;
  auto file = MustOpen(dir.File("f"), Mode::kCreate);
  rlimit low = before;
  low.rlim_cur = 100'000;
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &low) == 0);
  // The system takes the first half of it, and then nothing.
  auto written = file->WriteAt(0, std::string(200'000, 'x'));
  auto reserved = file->Preallocate(1'000'000);
  auto longer = file->Truncate(1'000'000);
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0);
  ::signal(SIGXFSZ, handler);
  REQUIRE_FALSE(written);
  CHECK_THAT(written.error().message(), Catch::Matchers::Contains("File too large"));
  CHECK_FALSE(reserved);
  CHECK_FALSE(longer);
  CHECK(*file->Size() == 100'000);
  REQUIRE(file->WriteAt(100'000, "end"));
  CHECK(ReadRange(*file, 99'999, 10) == "xend");
}

TEST_CASE("reserved space covers the size and reads as zeros", "[base][file_system]") {
  testing::TempDir dir;
  auto file = MustOpen(dir.File("f"), Mode::kCreate);
  REQUIRE(file->WriteAt(0, "ab"));
  REQUIRE(file->Preallocate(4096));
  CHECK(*file->Size() == 4096);
  CHECK(ReadRange(*file, 0, 4) == std::string("ab\0\0", 4));
  REQUIRE(file->Preallocate(10));
  CHECK(*file->Size() == 4096);
  REQUIRE(file->Preallocate(0));
}

TEST_CASE("whole files are read, whatever their size says", "[base][file_system]") {
  testing::TempDir dir;
  std::string contents(200'000, 'x');
  REQUIRE(WriteFileAtomically(PosixFileSystem(), dir.File("f"), contents));
  CHECK(*ReadFile(PosixFileSystem(), dir.File("f")) == contents);
  CHECK_FALSE(ReadFile(PosixFileSystem(), "/proc/self/status")->empty());
  CHECK_FALSE(ReadFile(PosixFileSystem(), dir.path()));
}

TEST_CASE("folders are created with their parents, listed and removed", "[base][file_system]") {
  testing::TempDir dir;
  FileSystem& fs = PosixFileSystem();
  REQUIRE(fs.CreateDirectories(dir.File("a/b/c/")));
  REQUIRE(fs.CreateDirectories(dir.File("a/b/c")));
  REQUIRE(WriteFileAtomically(fs, dir.File("a/z"), ""));
  REQUIRE(WriteFileAtomically(fs, dir.File("a/y"), ""));
  CHECK(*fs.List(dir.File("a")) == std::vector<std::string>{"b", "y", "z"});
  REQUIRE(fs.SyncDirectory(dir.File("a")));

  CHECK_FALSE(fs.RemoveDirectory(dir.File("a")));  // not empty
  CHECK_FALSE(fs.CreateDirectories(dir.File("a/y/x")));
  CHECK(fs.List(dir.File("missing")).error().code() == ErrorCode::kNotFound);
  REQUIRE(fs.Remove(dir.File("a/y")));
  CHECK(fs.Remove(dir.File("a/y")).error().code() == ErrorCode::kNotFound);
  CHECK_FALSE(fs.Exists(dir.File("a/y")));
  CHECK(fs.Exists(dir.File("a/z")));
  CHECK(fs.Exists(dir.File("a/b")));
}

TEST_CASE("a rename replaces its target", "[base][file_system]") {
  testing::TempDir dir;
  FileSystem& fs = PosixFileSystem();
  REQUIRE(WriteFileAtomically(fs, dir.File("from"), "new"));
  REQUIRE(WriteFileAtomically(fs, dir.File("to"), "old"));
  REQUIRE(fs.Rename(dir.File("from"), dir.File("to")));
  CHECK(*ReadFile(fs, dir.File("to")) == "new");
  CHECK_FALSE(fs.Exists(dir.File("from")));
  CHECK(fs.Rename(dir.File("from"), dir.File("to")).error().code() == ErrorCode::kNotFound);
}

TEST_CASE("a lock has one owner, who is named", "[base][file_system]") {
  testing::TempDir dir;
  FileSystem& fs = PosixFileSystem();
  {
    auto lock = fs.Lock(dir.File("LOCK"));
    REQUIRE(lock);
    auto second = fs.Lock(dir.File("LOCK"));
    REQUIRE_FALSE(second);
    CHECK(second.error().code() == ErrorCode::kAlreadyExists);
    CHECK_THAT(second.error().message(),
               test::HasText("(process " + std::to_string(::getpid()) + ")"));
  }
  CHECK(fs.Lock(dir.File("LOCK")));
  CHECK(fs.Lock(dir.File("no/folder")).error().code() == ErrorCode::kNotFound);
}

TEST_CASE("free space is known", "[base][file_system]") {
  testing::TempDir dir;
  CHECK(*PosixFileSystem().FreeSpace(dir.path()) > 0);
  CHECK_FALSE(PosixFileSystem().FreeSpace("/nowhere"));
}

TEST_CASE("an atomic write leaves the new file and nothing else", "[base][file_system]") {
  testing::TempDir dir;
  FileSystem& fs = PosixFileSystem();
  REQUIRE(WriteFileAtomically(fs, dir.File("f"), "one"));
  REQUIRE(WriteFileAtomically(fs, dir.File("f"), "two"));
  CHECK(*ReadFile(fs, dir.File("f")) == "two");
  CHECK(*fs.List(dir.path()) == std::vector<std::string>{"f"});
}

TEST_CASE("an atomic write that fails at any call keeps the old file", "[base][file_system]") {
  bool failed = true;
  for (std::uint64_t n = 0; failed; ++n) {
    testing::MemoryFileSystem memory;
    REQUIRE(WriteFileAtomically(memory, "/f", "old"));
    testing::FaultyFileSystem fs(memory);
    fs.FailCall(n, testing::FaultyFileSystem::Lasting::kOnce);
    failed = !WriteFileAtomically(fs, "/f", "new");
    // After the rename, a failed sync of the folder leaves it open which of the two survives.
    std::string contents = memory.Contents("/f");
    CHECK((contents == "old" || contents == "new"));
    CHECK_FALSE(memory.Exists("/f.tmp"));
    memory.Crash();
    if (!failed) {
      CHECK(memory.Contents("/f") == "new");
    }
    CHECK_FALSE(memory.Contents("/f").empty());
  }
}

TEST_CASE("the parent of a path is what stands before its last slash", "[base][file_system]") {
  auto [path, parent] = GENERATE(table<std::string, std::string>(
      {{"a/b", "a"}, {"/a/b", "/a"}, {"/a", "/"}, {"a", "."}, {"a/b/", "a/b"}}));
  CHECK(ParentPath(path) == parent);
}

}  // namespace
}  // namespace dunlin
