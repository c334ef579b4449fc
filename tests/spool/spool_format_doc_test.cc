#include "protocol/base/text.h"
#include "tests/spool/example_spool.h"
#include "tests/spool/spool_fixture.h"
#include "tests/support/format_page.h"

// docs/spool-format.md shows a spool in bytes, tests/golden/spool-v1 holds it, and the code writes
// and reads it. The three change together or not at all.
namespace dunlin::shipper::testing {
namespace {

using dunlin::testing::Hex;
using dunlin::testing::HexBlock;
using dunlin::testing::ReadSource;

TEST_CASE("the example of the spool format is what the code writes", "[spool][golden]") {
  std::string page = ReadSource("docs/spool-format.md");
  std::string segment = ReadSource("tests/golden/spool-v1/segment.bin");
  std::string boot = ReadSource("tests/golden/spool-v1/boot.bin");
  CHECK(Hex(ExampleSegment()) == Hex(segment));
  CHECK(Hex(ExampleBootFile()) == Hex(boot));
  CHECK(Hex(HexBlock(page, "segment")) == Hex(segment));
  CHECK(Hex(HexBlock(page, "boot")) == Hex(boot));
}

TEST_CASE("a spool of version 1 stays readable", "[spool][golden]") {
  dunlin::testing::MemoryFileSystem fs;
  std::string boot = ToHex(kBoot);
  std::string folder = "/spool/web-1/" + boot;
  REQUIRE(fs.CreateDirectories(folder));
  fs.Put(folder + "/boot", ReadSource("tests/golden/spool-v1/boot.bin"));
  // With its summary and without.
  std::string segment = ReadSource("tests/golden/spool-v1/segment.bin");
  bool summarised = GENERATE(true, false);
  if (!summarised) segment.resize(segment.size() - 8);
  fs.Put(folder + "/" + EncodeSegmentName(kExampleName), segment);

  SpoolFolder spools(fs, "/spool", {});
  auto spool = spools.Adopt({"web-1", boot});
  REQUIRE(spool);
  CHECK((*spool)->identity() == kExampleIdentity);
  CHECK((*spool)->first_sequence() == 2);
  CHECK((*spool)->last_sequence() == 4);
  auto batch = (*spool)->Read(3);
  REQUIRE(batch);
  CHECK(batch->first_sequence == 2);
  CHECK(batch->sequence == 4);
  CHECK(batch->frame == kExampleGapFrame);
  CHECK(batch->gaps == ExampleGapBatch().gaps);
  CHECK(SameCounts((*spool)->accounts().unacknowledged, AccountedFor(ExampleGapBatch())));
}

TEST_CASE("a spool of a newer version is left for the program that wrote it", "[spool][golden]") {
  dunlin::testing::MemoryFileSystem fs;
  std::string boot = ToHex(kBoot);
  std::string folder = "/spool/web-1/" + boot;
  REQUIRE(fs.CreateDirectories(folder));
  fs.Put(folder + "/boot", ExampleBootFile());
  std::string path = folder + "/" + EncodeSegmentName(kExampleName);
  std::string segment = ReadSource("tests/golden/spool-v1/segment-v2.bin");
  fs.Put(path, segment);
  SpoolFolder spools(fs, "/spool", {});
  auto spool = spools.Adopt({"web-1", boot});
  REQUIRE_FALSE(spool);
  CHECK(spool.error().code() == ErrorCode::kUnsupported);
  CHECK(fs.Contents(path) == segment);
  CHECK(fs.Lock(folder + ".lock"));
}

}  // namespace
}  // namespace dunlin::shipper::testing
