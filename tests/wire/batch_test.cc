#include "protocol/wire/batch.h"

#include <zstd.h>

#include "protocol/wire/dunlin.pb.h"
#include "protocol/wire/frame.h"
#include "tests/support/batch_frame.h"
#include "tests/support/catch.h"
#include "tests/wire/random_values.h"

namespace dunlin::wire {
namespace {

using testing::BatchFrame;

struct Sample {
  BatchHeader header;
  Columns columns;
};

Sample RandomSample(RandomValues& random) {
  Sample sample;
  sample.header.sequence = random.Number64() | 1;
  sample.header.base_monotonic_ns = random.Number64();
  for (auto i = random.Below(3); i > 0; --i) {
    sample.header.gaps.push_back({random.Number64(),
                                  random.Flip() ? Output::kStdout : Output::kStderr,
                                  random.Number64(), random.Number64(), random.Text()});
  }
  if (random.Flip()) sample.header.stdout_lines_before = random.Number64();
  if (random.Flip()) sample.header.stderr_lines_before = random.Number64();
  Columns& columns = sample.columns;
  auto time_ns = static_cast<std::int64_t>(random.Number64() >> 2);
  for (auto run = random.Below(6); run > 0; --run) {
    auto entries = static_cast<std::uint32_t>(random.Below(20));
    columns.runs.push_back({random.Flip() ? Output::kStdout : Output::kStderr, entries, time_ns});
    time_ns += static_cast<std::int64_t>(random.Number64() >> 8);
    time_ns -= static_cast<std::int64_t>(random.Number64() >> 8);
    for (std::uint32_t i = 0; i < entries; ++i) {
      std::string line = random.Line(i == 7 ? 20'000 : 200);
      columns.line_lengths.push_back(static_cast<std::uint32_t>(line.size()));
      columns.lines += line + "\n";
      if (random.Below(5) == 0) {
        auto entry = static_cast<std::uint32_t>(columns.line_lengths.size() - 1);
        columns.marks.push_back({entry, random.Flip(), random.Number64(), random.Number32(),
                                 random.Flip(), random.Number64()});
      }
    }
  }
  if (columns.empty()) {
    columns.Clear();
    if (random.Flip()) sample.header.first_sequence = 1 + random.Below(sample.header.sequence);
  }
  return sample;
}

/// "a" at stdout, "bc" at stderr a microsecond later, then an unterminated empty line.
Sample SmallSample() {
  Sample sample;
  sample.header = {7, 99, {{5, Output::kStderr, 3, 400, "mem_full"}}};
  sample.columns.runs = {{Output::kStdout, 1, 1'000'000}, {Output::kStderr, 2, 1'001'000}};
  sample.columns.line_lengths = {1, 2, 0};
  sample.columns.lines = "a\nbc\n\n";
  sample.columns.marks = {{.entry = 2, .unterminated = true}};
  return sample;
}

std::string EncodePayload(const Sample& sample) {
  return BatchFrame(sample.header, sample.columns).substr(kFrameHeaderBytes);
}

std::string Compressed(std::string_view plain) {
  std::string out(ZSTD_compressBound(plain.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), plain.data(), plain.size(), 3));
  return out;
}

std::string Decompressed(std::string_view content, std::size_t size) {
  std::string out(size, '\0');
  REQUIRE(ZSTD_decompress(out.data(), size, content.data(), content.size()) == size);
  return out;
}

v1::Columns ToGenerated(const Columns& columns) {
  v1::Columns g;
  std::int64_t end = columns.runs.empty() ? 0 : columns.runs[0].time_ns;
  for (const Run& run : columns.runs) {
    g.add_run_outputs(static_cast<std::uint32_t>(run.output));
    g.add_run_entries(run.entries);
    g.add_run_time_deltas_ns(run.time_ns - end);
    end = run.time_ns + run.entries;
  }
  for (std::uint32_t length : columns.line_lengths) g.add_line_lengths(length);
  g.set_lines(columns.lines);
  for (const Mark& mark : columns.marks) {
    v1::Mark* m = g.add_marks();
    m->set_entry(mark.entry);
    m->set_unterminated(mark.unterminated);
    m->set_fragment_id(mark.fragment_id);
    m->set_fragment_index(mark.fragment_index);
    m->set_fragment_last(mark.fragment_last);
    m->set_truncated_bytes(mark.truncated_bytes);
  }
  return g;
}

/// The batch as the generated classes and plain zstd make it.
v1::Batch ToGenerated(const Sample& sample) {
  v1::Batch g;
  g.set_sequence(sample.header.sequence);
  g.set_base_monotonic_ns(sample.header.base_monotonic_ns);
  g.set_stdout_lines_before(sample.header.stdout_lines_before);
  g.set_stderr_lines_before(sample.header.stderr_lines_before);
  g.set_first_sequence(sample.header.first_sequence);
  for (const Gap& gap : sample.header.gaps) {
    v1::Gap* to = g.add_gaps();
    to->set_time_ns(gap.time_ns);
    to->set_output(static_cast<v1::Output>(gap.output));
    to->set_lines(gap.lines);
    to->set_bytes(gap.bytes);
    to->set_reason(gap.reason);
  }
  const Columns& columns = sample.columns;
  if (columns.empty()) return g;
  g.set_base_time_ns(static_cast<std::uint64_t>(columns.runs[0].time_ns));
  g.set_entries(static_cast<std::uint32_t>(columns.line_lengths.size()));
  g.set_raw_bytes(columns.lines.size() - columns.line_lengths.size());
  std::string plain = ToGenerated(columns).SerializeAsString();
  g.set_content_bytes(static_cast<std::uint32_t>(plain.size()));
  g.set_content(Compressed(plain));
  return g;
}

/// Decodes a payload completely; the error of whichever step refused it.
Result<Columns> DecodeAll(std::string_view payload) {
  auto view = DecodeBatch(payload);
  if (!view) return std::move(view).error();
  BatchDecoder decoder;
  Columns columns;
  if (auto done = decoder.Decode(*view, columns); !done) return std::move(done).error();
  return columns;
}

void CheckRefused(const v1::Batch& batch) {
  auto decoded = DecodeAll(batch.SerializeAsString());
  REQUIRE_FALSE(decoded);
  CHECK(decoded.error().code() == ErrorCode::kCorruption);
}

TEST_CASE("our batches are read by the generated classes", "[wire][batch]") {
  RandomValues random(GENERATE(range(0, 100)));
  Sample sample = RandomSample(random);
  std::string payload = EncodePayload(sample);

  v1::Batch batch;
  REQUIRE(batch.ParseFromString(payload));
  CHECK(batch.SerializeAsString() == payload);
  v1::Batch want = ToGenerated(sample);
  if (!sample.columns.empty()) {
    // zstd may find another compression of the same columns.
    CHECK(Decompressed(batch.content(), batch.content_bytes()) ==
          ToGenerated(sample.columns).SerializeAsString());
    want.set_content(batch.content());
  }
  CHECK(payload == want.SerializeAsString());
}

TEST_CASE("batches of the generated classes are read by us", "[wire][batch]") {
  RandomValues random(GENERATE(range(0, 100)));
  Sample sample = RandomSample(random);
  std::string payload = ToGenerated(sample).SerializeAsString();

  auto view = DecodeBatch(payload);
  REQUIRE(view);
  CHECK(view->header == sample.header);
  CHECK(view->entries == sample.columns.line_lengths.size());
  CHECK(view->raw_bytes == sample.columns.lines.size() - sample.columns.line_lengths.size());
  BatchDecoder decoder;
  Columns columns;
  columns.lines = "left over";
  REQUIRE(decoder.Decode(*view, columns));
  CHECK(columns == sample.columns);
}

TEST_CASE("one encoder and decoder serve many batches, always alike", "[wire][batch]") {
  BatchEncoder encoder;
  BatchDecoder decoder;
  Columns columns;
  for (int i = 0; i < 50; ++i) {
    RandomValues random(static_cast<std::uint64_t>(i));
    Sample sample = RandomSample(random);
    const std::string frame = BatchFrame(encoder, sample.header, sample.columns);
    CHECK(frame == BatchFrame(sample.header, sample.columns));

    FrameReader reader;
    reader.Feed(frame);
    auto next = reader.Next();
    REQUIRE((next && *next));
    CHECK((*next)->type == FrameType::kBatch);
    auto view = DecodeBatch((*next)->payload);
    REQUIRE(view);
    REQUIRE(decoder.Decode(*view, columns));
    CHECK(columns == sample.columns);
    if (i % 3 == 1) encoder.ReleaseBuffers(i % 2 == 0 ? 0 : 256);
    if (i % 3 == 2) encoder.ReleaseAll();
  }
  CHECK(encoder.buffer_bytes() > 0);
}

TEST_CASE("what a buffer of lines held before does not show in the frame", "[wire][batch]") {
  BatchEncoder encoder;
  LinesBuffer lines;
  for (int i = 0; i < 50; ++i) {
    RandomValues random(static_cast<std::uint64_t>(i));
    const Sample sample = RandomSample(random);
    Columns others = sample.columns;
    others.lines.clear();
    lines.Reserve(sample.columns.lines.size(), 0);
    if (lines.data() != nullptr) {
      std::memcpy(lines.data(), sample.columns.lines.data(), sample.columns.lines.size());
    }
    std::string frame = "kept";
    BatchView batch = encoder.Encode(sample.header, others, lines, sample.columns.lines.size());
    AppendBatchFrame(frame, batch);
    CHECK(frame.size() <= 4 + MaxFrameBytes(batch));
    CHECK(frame == "kept" + BatchFrame(sample.header, sample.columns));
  }
}

TEST_CASE("room for lines grows and keeps what it is told to keep", "[wire][batch]") {
  LinesBuffer lines;
  CHECK(lines.size() == 0);
  lines.Reserve(3, 0);
  REQUIRE(lines.size() >= 3);
  std::memcpy(lines.data(), "abc", 3);
  const std::size_t before = lines.size();
  lines.Reserve(before + 1, 3);
  CHECK(lines.size() > before);
  CHECK(std::string_view(lines.data(), 3) == "abc");
  lines.Reserve(1, 0);
  CHECK(lines.size() > before);
}

TEST_CASE("compressed content gets its header when it is first sent", "[wire][batch]") {
  RandomValues random(GENERATE(range(0, 20)));
  Sample sample = RandomSample(random);
  BatchHeader unsent;
  unsent.base_monotonic_ns = sample.header.base_monotonic_ns;
  unsent.stdout_lines_before = sample.header.stdout_lines_before;
  unsent.stderr_lines_before = sample.header.stderr_lines_before;
  std::string sealed = BatchFrame(unsent, sample.columns);
  auto view = DecodeBatch(std::string_view(sealed).substr(kFrameHeaderBytes));
  REQUIRE(view);
  view->header.sequence = sample.header.sequence;
  view->header.gaps = sample.header.gaps;
  std::string sent;
  AppendBatchFrame(sent, *view);
  CHECK(sent == BatchFrame(sample.header, sample.columns));
}

TEST_CASE("a batch may carry gaps and no entries", "[wire][batch]") {
  Sample sample{{1, 0, {{5, Output::kStdout, 3, 400, "mem_full"}}}, {}};
  std::string payload = EncodePayload(sample);
  auto view = DecodeBatch(payload);
  REQUIRE(view);
  CHECK(view->header == sample.header);
  CHECK(DecodeAll(payload)->empty());
}

TEST_CASE(
    "only a batch without entries stands for a range, and not for one that ends before it begins",
    "[wire][batch]") {
  Sample range{{9, 0, {{5, Output::kStdout, 3, 400, "mem_full"}}}, {}};
  range.header.first_sequence = 4;
  auto view = DecodeBatch(EncodePayload(range));
  REQUIRE(view);
  CHECK(view->header.first() == 4);
  CHECK(view->header.sequence == 9);
  range.header.first_sequence = 10;
  CHECK_FALSE(DecodeBatch(EncodePayload(range)));
  Sample lines = SmallSample();
  lines.header.first_sequence = lines.header.sequence;
  CHECK(DecodeBatch(EncodePayload(lines)));
  lines.header.first_sequence = lines.header.sequence - 1;
  CHECK_FALSE(DecodeBatch(EncodePayload(lines)));
}

TEST_CASE("a line of 1 MiB that does not compress fits a frame", "[wire][batch]") {
  RandomValues random(3);
  Sample sample{{1, 0, {}}, {}};
  sample.columns.lines = random.Line(0);
  while (sample.columns.lines.size() < kMaxBatchLinesBytes - 1) {
    char c = static_cast<char>(random.Below(256));
    sample.columns.lines.push_back(c == '\n' ? 'x' : c);
  }
  sample.columns.lines += '\n';
  sample.columns.line_lengths = {static_cast<std::uint32_t>(kMaxBatchLinesBytes - 1)};
  sample.columns.runs = {{Output::kStdout, 1, 1}};
  CHECK(*DecodeAll(EncodePayload(sample)) == sample.columns);
}

TEST_CASE("the worst many short lines fit a frame", "[wire][batch]") {
  Sample sample{{1, 0, {}}, {}};
  sample.columns.lines = std::string(kMaxBatchLinesBytes, '\n');
  sample.columns.line_lengths.assign(kMaxBatchLinesBytes, 0);
  sample.columns.runs = {{Output::kStdout, kMaxBatchLinesBytes, 1}};
  CHECK(*DecodeAll(EncodePayload(sample)) == sample.columns);
}

TEST_CASE("a batch cut anywhere is refused, never over-read", "[wire][batch]") {
  std::string payload = EncodePayload(SmallSample());
  REQUIRE(DecodeAll(payload));
  v1::Batch shortened;
  for (std::size_t size = 0; size < payload.size(); ++size) {
    std::string cut(payload, 0, size);
    cut.shrink_to_fit();
    auto decoded = DecodeAll(cut);
    // Between two fields the rest is missing without a trace; then the gap alone may be gone,
    // which the frame's checksum is for.
    if (decoded) {
      REQUIRE(shortened.ParseFromString(cut));
      CHECK(shortened.gaps().empty());
    }
  }
}

TEST_CASE("columns cut anywhere are refused", "[wire][batch]") {
  v1::Batch batch = ToGenerated(SmallSample());
  std::string plain = ToGenerated(SmallSample().columns).SerializeAsString();
  std::size_t without_mark = plain.size() - 6;
  for (std::size_t size = 1; size < plain.size(); ++size) {
    batch.set_content_bytes(static_cast<std::uint32_t>(size));
    batch.set_content(Compressed(std::string_view(plain).substr(0, size)));
    CHECK(DecodeAll(batch.SerializeAsString()).has_value() == (size == without_mark));
  }
}

TEST_CASE("any flipped bit of the columns is refused or read without harm", "[wire][batch]") {
  v1::Batch batch = ToGenerated(SmallSample());
  std::string plain = ToGenerated(SmallSample().columns).SerializeAsString();
  for (std::size_t bit = 0; bit < plain.size() * 8; ++bit) {
    std::string flipped = plain;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    batch.set_content(Compressed(flipped));
    auto decoded = DecodeAll(batch.SerializeAsString());
    if (decoded) {
      CHECK(decoded->line_lengths.size() == 3);
      CHECK(decoded->lines.size() == 6);
    }
  }
}

TEST_CASE("a header that contradicts its content is refused", "[wire][batch]") {
  v1::Batch batch = ToGenerated(SmallSample());
  REQUIRE(DecodeAll(batch.SerializeAsString()));
  SECTION("more entries") { batch.set_entries(4); }
  SECTION("fewer entries") { batch.set_entries(2); }
  SECTION("other raw bytes") { batch.set_raw_bytes(4); }
  SECTION("more raw bytes than content") { batch.set_raw_bytes(1ULL << 63); }
  SECTION("more entries than content") { batch.set_entries(1U << 31); }
  SECTION("larger content") { batch.set_content_bytes(batch.content_bytes() + 1); }
  SECTION("smaller content") { batch.set_content_bytes(batch.content_bytes() - 1); }
  SECTION("no content") { batch.clear_content(); }
  SECTION("no size") { batch.clear_content_bytes(); }
  SECTION("content over the limit") { batch.set_content_bytes(kMaxContentBytes + 1); }
  SECTION("content that is not zstd") { batch.set_content("not zstd"); }
  SECTION("content cut short") { batch.mutable_content()->pop_back(); }
  SECTION("content with a second frame") { batch.mutable_content()->append(Compressed("")); }
  SECTION("a gap of no output") { batch.mutable_gaps(0)->clear_output(); }
  SECTION("gaps without end") {
    while (batch.gaps_size() <= static_cast<int>(kMaxBatchGaps)) *batch.add_gaps() = batch.gaps(0);
  }
  CheckRefused(batch);
}

TEST_CASE("a decompression bomb fails before it is unfolded", "[wire][batch]") {
  v1::Batch batch;
  batch.set_sequence(1);
  batch.set_content_bytes(100);
  batch.set_content(Compressed(std::string(64 << 20, '\0')));
  CheckRefused(batch);
  batch.set_content_bytes(64 << 20);
  CheckRefused(batch);
}

TEST_CASE("a batch of millions of empty lines is refused by its header", "[wire][batch]") {
  auto [entries, taken] = GENERATE(
      table<std::uint32_t, bool>({{kMaxBatchEntries, true}, {kMaxBatchEntries + 1, false}}));
  v1::Columns columns;
  columns.set_lines(std::string(entries, '\n'));
  columns.add_run_outputs(1);
  columns.add_run_entries(entries);
  columns.add_run_time_deltas_ns(0);
  std::string plain = columns.SerializeAsString();
  // The lengths, all zero, as a packed field.
  plain += '\x12';
  for (std::uint32_t left = entries; left != 0; left >>= 7) {
    plain += static_cast<char>((left & 0x7F) | (left >= 0x80 ? 0x80 : 0));
  }
  plain.append(entries, '\0');
  v1::Batch batch;
  batch.set_sequence(1);
  batch.set_entries(entries);
  batch.set_content_bytes(static_cast<std::uint32_t>(plain.size()));
  batch.set_content(Compressed(plain));
  CHECK(batch.content().size() < 10'000);
  std::string payload = batch.SerializeAsString();
  CHECK(DecodeBatch(payload).has_value() == taken);
  if (taken) CHECK(DecodeAll(payload)->line_lengths.size() == entries);
}

TEST_CASE("columns that contradict each other are refused", "[wire][batch]") {
  v1::Batch batch = ToGenerated(SmallSample());
  v1::Columns columns = ToGenerated(SmallSample().columns);
  SECTION("a run less") {
    columns.mutable_run_outputs()->RemoveLast();
    columns.mutable_run_entries()->RemoveLast();
    columns.mutable_run_time_deltas_ns()->RemoveLast();
  }
  SECTION("a run output less") { columns.mutable_run_outputs()->RemoveLast(); }
  SECTION("a run time less") { columns.mutable_run_time_deltas_ns()->RemoveLast(); }
  SECTION("a run entry too many") { columns.set_run_entries(1, 3); }
  SECTION("runs that wrap around") {
    columns.set_run_entries(0, 0xFFFFFFFF);
    columns.set_run_entries(1, 4);
  }
  SECTION("no output") { columns.set_run_outputs(0, 0); }
  SECTION("an unknown output") { columns.set_run_outputs(0, 3); }
  SECTION("a time out of range") { columns.set_run_time_deltas_ns(1, INT64_MAX); }
  SECTION("lengths that are too short") { columns.set_line_lengths(1, 1); }
  SECTION("lengths that reach into the next line") {
    columns.set_line_lengths(0, 0);
    columns.set_line_lengths(1, 3);
  }
  SECTION("a length past the end") { columns.set_line_lengths(2, 0xFFFFFFFF); }
  SECTION("no newline at the end") { columns.set_lines("a\nbc\nx"); }
  SECTION("bytes behind the last line") { columns.set_lines("a\nbc\n\n\n"); }
  SECTION("no lines") { columns.clear_lines(); }
  SECTION("a mark past the end") { columns.mutable_marks(0)->set_entry(3); }
  SECTION("marks that do not rise") { *columns.add_marks() = columns.marks(0); }
  SECTION("marks without end") {
    for (int i = 0; i < 4; ++i) *columns.add_marks() = columns.marks(0);
  }
  SECTION("lengths without end") {
    for (int i = 0; i < 100; ++i) columns.add_line_lengths(0);
  }
  SECTION("runs of no entries without end") {
    for (int i = 0; i < 100; ++i) {
      columns.add_run_outputs(1);
      columns.add_run_entries(0);
      columns.add_run_time_deltas_ns(0);
    }
  }
  std::string plain = columns.SerializeAsString();
  batch.set_content_bytes(static_cast<std::uint32_t>(plain.size()));
  batch.set_content(Compressed(plain));
  CheckRefused(batch);
}

TEST_CASE("malformed numbers in a column are refused", "[wire][batch]") {
  auto packed = GENERATE(values<std::string>({
      "\x80",                  // ends inside a number
      "\x80\x80\x80\x80\x10",  // 33 bits
      "\x80\x80\x80\x80\x80\x01",
  }));
  v1::Batch batch = ToGenerated(SmallSample());
  std::string plain = ToGenerated(SmallSample().columns).SerializeAsString();
  plain += "\x12";
  plain += static_cast<char>(packed.size());
  plain += packed;
  batch.set_content_bytes(static_cast<std::uint32_t>(plain.size()));
  batch.set_content(Compressed(plain));
  CheckRefused(batch);
}

TEST_CASE("numbers that come one by one count too", "[wire][batch]") {
  // Protobuf lets a writer choose: packed or one field per number, even mixed.
  Sample sample = SmallSample();
  v1::Batch batch = ToGenerated(sample);
  v1::Columns columns = ToGenerated(sample.columns);
  columns.clear_run_outputs();
  columns.clear_line_lengths();
  columns.clear_run_time_deltas_ns();
  columns.add_run_outputs(1);
  columns.add_run_time_deltas_ns(0);
  std::string plain = columns.SerializeAsString() + "\x18\x02" + std::string("\x28\xce\x0f", 3) +
                      std::string("\x10\x01\x12\x02\x02\x00", 6);
  batch.set_content_bytes(static_cast<std::uint32_t>(plain.size()));
  batch.set_content(Compressed(plain));
  auto decoded = DecodeAll(batch.SerializeAsString());
  REQUIRE(decoded);
  CHECK(*decoded == sample.columns);
}

TEST_CASE("outputs have the names of their label values", "[wire][batch]") {
  CHECK(OutputName(Output::kStdout) == "stdout");
  CHECK(OutputName(Output::kStderr) == "stderr");
}

}  // namespace
}  // namespace dunlin::wire
