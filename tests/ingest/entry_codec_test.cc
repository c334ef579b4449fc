#include "collector/ingest/entry_codec.h"

#include <limits>
#include <string>
#include <utility>

#include "protocol/base/text.h"
#include "tests/support/catch.h"

namespace dunlin::ingest {
namespace {

std::string Sample() {
  EntryEncoder encoder;
  std::uint32_t web = encoder.AddStream({{"service", "web"}});
  std::uint32_t db = encoder.AddStream({{"service", "db"}});
  encoder.Add(web, 0, 10, "one");
  encoder.Add(db, encoder.AddMetadata({{"k", "v"}}), std::numeric_limits<std::int64_t>::min(), "");
  encoder.Add(web, 0, std::numeric_limits<std::int64_t>::max(), std::string("\0\xFF\n", 3));
  return encoder.Finish();
}

TEST_CASE("entries come back as they were encoded", "[ingest][codec]") {
  std::string payload = Sample();
  auto rows = DecodeEntries(payload);
  REQUIRE(rows);
  REQUIRE(rows->rows.size() == 3);
  CHECK(rows->streams[rows->rows[1].stream] == LabelSet{{"service", "db"}});
  CHECK(rows->metadata[rows->rows[1].metadata] == LabelSet{{"k", "v"}});
  CHECK(rows->rows[1].time_ns == std::numeric_limits<std::int64_t>::min());
  CHECK(rows->rows[2].time_ns == std::numeric_limits<std::int64_t>::max());
  CHECK(rows->rows[2].line == std::string_view("\0\xFF\n", 3));
}

TEST_CASE("entries are written as the document shows", "[ingest][codec]") {
  EntryEncoder encoder;
  std::uint32_t stream = encoder.AddStream({{"a", "b"}});
  encoder.Add(stream, 0, 10, "hi");
  encoder.Add(stream, encoder.AddMetadata({{"k", "v"}}), 9, "");
  std::string hex;
  AppendHex(hex, encoder.Finish());
  CHECK(hex ==
        "010101610162"
        "0101016b0176"
        "02"
        "000014026869"
        "00010100");
}

TEST_CASE("lines survive moving even the smallest payload", "[ingest][codec]") {
  EntryEncoder encoder;
  encoder.Add(encoder.AddStream({{"a", "b"}}), 0, 1, "x");
  std::string payload = encoder.Finish();
  REQUIRE(payload.size() < sizeof(std::string));
  auto rows = DecodeEntries(payload);
  REQUIRE(rows);
  std::string moved = std::move(payload);
  CHECK(static_cast<const void*>(rows->rows[0].line.data()) == moved.data() + moved.size() - 1);
}

TEST_CASE("a payload cut or extended anywhere is corruption", "[ingest][codec]") {
  std::string payload = Sample();
  for (std::size_t size = 0; size < payload.size(); ++size) {
    CAPTURE(size);
    auto rows = DecodeEntries(std::string_view(payload).substr(0, size));
    REQUIRE_FALSE(rows);
    CHECK(rows.error().code() == ErrorCode::kCorruption);
  }
  CHECK_FALSE(DecodeEntries(payload + "x"));
}

}  // namespace
}  // namespace dunlin::ingest
