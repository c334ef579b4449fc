#include "collector/ingest/batch_rows.h"

#include <string>
#include <utility>

#include "collector/ingest/entry_codec.h"
#include "protocol/wire/frame.h"
#include "tests/ingest/agent_frames.h"
#include "tests/support/batch_frame.h"
#include "tests/support/catch.h"

namespace dunlin::ingest {
namespace {

const OutputStreams kStreams{LabelSet{{"service", "web"}, {"output", "stdout"}},
                             LabelSet{{"service", "web"}, {"output", "stderr"}}};

/// The payload of a batch frame.
std::string PayloadOf(const wire::BatchHeader& header, const wire::Columns& columns) {
  return testing::BatchFrame(header, columns).substr(wire::kFrameHeaderBytes);
}

wire::Columns TwoOutputs() {
  wire::Columns columns;
  columns.lines = "level=info a\n\nERROR b\n";
  columns.line_lengths = {12, 0, 7};
  columns.runs = {{wire::Output::kStdout, 2, 1000}, {wire::Output::kStderr, 1, 2000}};
  return columns;
}

TEST_CASE("a batch becomes rows of its output's stream", "[ingest][rows]") {
  std::string payload = PayloadOf({1, 0, {}}, TwoOutputs());
  auto batch = wire::DecodeBatch(payload);
  REQUIRE(batch);
  BatchRowReaders readers;
  auto rows = readers.Read(*batch, kStreams);
  REQUIRE(rows);
  REQUIRE(rows->rows.size() == 3);
  auto stream = [&](std::size_t i) { return rows->streams[rows->rows[i].stream].Get("output"); };
  auto level = [&](std::size_t i) {
    return rows->metadata[rows->rows[i].metadata].Get("detected_level");
  };
  CHECK(rows->rows[0].line == "level=info a");
  CHECK(rows->rows[0].time_ns == 1000);
  CHECK(stream(0) == "stdout");
  CHECK(level(0) == "info");
  CHECK(rows->rows[1].line.empty());
  CHECK(rows->rows[1].time_ns == 1001);
  CHECK(level(1) == "unknown");
  CHECK(rows->rows[2].line == "ERROR b");
  CHECK(stream(2) == "stderr");
  CHECK(level(2) == "error");
}

TEST_CASE("lines survive moving a batch of a few bytes", "[ingest][rows]") {
  wire::Columns columns;
  columns.lines = "x\n";
  columns.line_lengths = {1};
  columns.runs = {{wire::Output::kStdout, 1, 1}};
  std::string payload = PayloadOf({1, 0, {}}, columns);
  auto batch = wire::DecodeBatch(payload);
  REQUIRE(batch);
  BatchRowReader reader;
  auto rows = reader.Read(*batch, kStreams);
  REQUIRE(rows);
  store::RowBatch moved = std::move(*rows);
  CHECK(static_cast<const void*>(moved.rows[0].line.data()) == moved.text.data());
}

TEST_CASE("what is marked becomes metadata", "[ingest][rows]") {
  wire::Columns columns = TwoOutputs();
  columns.marks = {{0, false, 77, 3, true, 0}, {2, true, 0, 0, false, 5'000'000}};
  std::string payload = PayloadOf({1, 0, {}}, columns);
  auto batch = wire::DecodeBatch(payload);
  REQUIRE(batch);
  BatchRowReader reader;
  auto rows = reader.Read(*batch, kStreams);
  REQUIRE(rows);
  CHECK(rows->metadata[rows->rows[0].metadata] == LabelSet{{"detected_level", "info"},
                                                           {"fragment_id", "77"},
                                                           {"fragment_index", "3"},
                                                           {"fragment_last", "true"}});
  CHECK(rows->metadata[rows->rows[1].metadata] == LabelSet{{"detected_level", "unknown"}});
  CHECK(rows->metadata[rows->rows[2].metadata] == LabelSet{{"detected_level", "error"},
                                                           {"truncated_bytes", "5000000"},
                                                           {"unterminated", "true"}});
}

TEST_CASE("a gap becomes an entry that says so", "[ingest][rows]") {
  wire::BatchHeader header{1, 0, {{500, wire::Output::kStderr, 12, 3400, "queue_full"}}};
  auto columns = GENERATE(TwoOutputs(), wire::Columns{});
  std::string payload = PayloadOf(header, columns);
  auto batch = wire::DecodeBatch(payload);
  REQUIRE(batch);
  BatchRowReader reader;
  auto rows = reader.Read(*batch, kStreams);
  REQUIRE(rows);
  REQUIRE(rows->rows.size() == columns.line_lengths.size() + 1);
  CHECK(rows->rows[0].time_ns == 500);
  CHECK(rows->rows[0].line == "dunlin: 12 lines (3400 bytes) missing here: queue_full");
  CHECK(rows->streams[rows->rows[0].stream].Get("output") == "stderr");
  CHECK(rows->metadata[rows->rows[0].metadata] == LabelSet{{"detected_level", "warn"},
                                                           {"gap_bytes", "3400"},
                                                           {"gap_lines", "12"},
                                                           {"gap_reason", "queue_full"}});
}

TEST_CASE("replay gives the rows of the first time", "[ingest][rows]") {
  wire::BatchHeader header{1, 0, {{500, wire::Output::kStderr, 1, 3, "full"}}};
  std::string payload = PayloadOf(header, TwoOutputs());
  auto batch = wire::DecodeBatch(payload);
  REQUIRE(batch);
  BatchRowReader reader;
  auto first = reader.Read(*batch, kStreams);
  REQUIRE(first);
  IngestPayloadDecoder decoder;
  auto again = decoder.Decode(1, EncodeContext(kStreams), payload);
  REQUIRE(again);
  CHECK(again->streams == first->streams);
  CHECK(again->metadata == first->metadata);
  REQUIRE(again->rows.size() == first->rows.size());
  for (std::size_t i = 0; i < first->rows.size(); ++i) {
    CHECK(again->rows[i].time_ns == first->rows[i].time_ns);
    CHECK(again->rows[i].line == first->rows[i].line);
    CHECK(again->rows[i].metadata == first->rows[i].metadata);
    CHECK(again->rows[i].stream == first->rows[i].stream);
  }
}

TEST_CASE("replay refuses what it does not know", "[ingest][rows]") {
  IngestPayloadDecoder decoder;
  auto unknown = decoder.Decode(99, "", "");
  REQUIRE_FALSE(unknown);
  CHECK(unknown.error().code() == ErrorCode::kUnsupported);
  CHECK_FALSE(decoder.Decode(1, "\xFF", ""));
  CHECK_FALSE(decoder.Decode(1, EncodeContext(kStreams) + "x", ""));
  CHECK_FALSE(decoder.Decode(1, EncodeContext(kStreams), "\xFF\xFF"));
}

}  // namespace
}  // namespace dunlin::ingest
