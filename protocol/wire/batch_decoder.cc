#include <zstd.h>

#include <algorithm>
#include <limits>

#include "protocol/base/check.h"
#include "protocol/base/coding.h"
#include "protocol/base/text.h"
#include "protocol/wire/batch.h"
#include "protocol/wire/batch_format.h"
#include "protocol/wire/fields.h"

namespace dunlin::wire {
namespace {

Error Malformed(std::string_view cause) {
  return Error(ErrorCode::kCorruption, Join("cannot read batch: ", cause));
}

bool IsOutput(std::uint64_t value) {
  return value == static_cast<std::uint64_t>(Output::kStdout) ||
         value == static_cast<std::uint64_t>(Output::kStderr);
}

bool ReadGap(const FieldReader& parent, Gap& gap) {
  std::string_view bytes;
  parent.Read(bytes);
  std::uint64_t output = 0;
  FieldReader fields(bytes);
  while (fields.Next()) {
    switch (fields.number()) {
      case gap_field::kTime:
        fields.Read(gap.time_ns);
        break;
      case gap_field::kOutput:
        fields.Read(output);
        break;
      case gap_field::kLines:
        fields.Read(gap.lines);
        break;
      case gap_field::kBytes:
        fields.Read(gap.bytes);
        break;
      case gap_field::kReason:
        fields.Read(gap.reason);
        break;
      default:
        break;
    }
  }
  if (fields.failed() || !IsOutput(output)) return false;
  gap.output = static_cast<Output>(output);
  return true;
}

bool ReadMark(const FieldReader& parent, Mark& mark) {
  std::string_view bytes;
  parent.Read(bytes);
  FieldReader fields(bytes);
  while (fields.Next()) {
    switch (fields.number()) {
      case mark_field::kEntry:
        fields.Read(mark.entry);
        break;
      case mark_field::kUnterminated:
        fields.Read(mark.unterminated);
        break;
      case mark_field::kFragmentId:
        fields.Read(mark.fragment_id);
        break;
      case mark_field::kFragmentIndex:
        fields.Read(mark.fragment_index);
        break;
      case mark_field::kFragmentLast:
        fields.Read(mark.fragment_last);
        break;
      case mark_field::kTruncatedBytes:
        fields.Read(mark.truncated_bytes);
        break;
      default:
        break;
    }
  }
  return !fields.failed();
}

/// Appends the packed varints of `packed`, each at most 32 bits; false when they are malformed or
/// more than `most` values would be there.
bool AppendPacked(std::string_view packed, std::size_t most, std::vector<std::uint32_t>& values) {
  // Each varint has exactly one byte below 0x80: its last.
  auto count = std::count_if(packed.begin(), packed.end(),
                             [](char c) { return static_cast<signed char>(c) >= 0; });
  std::size_t old_size = values.size();
  if (static_cast<std::size_t>(count) > most - old_size) return false;
  values.resize(old_size + static_cast<std::size_t>(count));
  std::uint32_t* out = values.data() + old_size;
  const auto* at = reinterpret_cast<const unsigned char*>(packed.data());
  const auto* const end = at + packed.size();
  while (at < end) {
    std::uint32_t value = *at++;
    if (value >= 0x80) [[unlikely]] {
      value &= 0x7F;
      for (unsigned shift = 7;; shift += 7) {
        if (at == end) return false;
        std::uint32_t byte = *at++;
        // The fifth byte holds four bits; more would be lost.
        if (shift == 28 && byte > 0xF) return false;
        value |= (byte & 0x7F) << shift;
        if (byte < 0x80) break;
      }
    }
    *out++ = value;
  }
  return true;
}

/// A repeated uint32 field, packed as we write it or one by one as protobuf also allows; false when
/// it is malformed or has more than `most` values.
bool ReadRepeated(const FieldReader& field, std::size_t most, std::vector<std::uint32_t>& values) {
  if (field.type() == WireType::kLengthPrefixed) {
    std::string_view packed;
    field.Read(packed);
    return AppendPacked(packed, most, values);
  }
  if (field.type() != WireType::kVarint) return true;
  std::uint64_t value = 0;
  field.Read(value);
  if (value > std::numeric_limits<std::uint32_t>::max() || values.size() == most) return false;
  values.push_back(static_cast<std::uint32_t>(value));
  return true;
}

bool ReadRepeated(const FieldReader& field, std::size_t most, std::vector<std::int64_t>& values) {
  if (field.type() == WireType::kLengthPrefixed) {
    std::string_view packed;
    field.Read(packed);
    ByteReader reader(packed);
    while (!reader.empty() && !reader.failed()) {
      if (values.size() == most) return false;
      values.push_back(UnZigZag(reader.ReadVarint().value_or(0)));
    }
    return !reader.failed();
  }
  if (field.type() != WireType::kVarint) return true;
  std::uint64_t value = 0;
  field.Read(value);
  if (values.size() == most) return false;
  values.push_back(UnZigZag(value));
  return true;
}

}  // namespace

std::string_view OutputName(Output output) {
  switch (output) {
    case Output::kStdout:
      return "stdout";
    case Output::kStderr:
      return "stderr";
  }
  return "unknown";
}

void Columns::Clear() {
  runs.clear();
  line_lengths.clear();
  lines.clear();
  marks.clear();
}

Result<BatchView> DecodeBatch(std::string_view payload) {
  BatchView batch;
  std::uint64_t base_time = 0;
  std::uint64_t entries = 0;
  std::uint64_t content_bytes = 0;
  FieldReader fields(payload);
  while (fields.Next()) {
    switch (fields.number()) {
      case batch_field::kSequence:
        fields.Read(batch.header.sequence);
        break;
      case batch_field::kBaseTime:
        fields.ReadFixed64(base_time);
        break;
      case batch_field::kBaseMonotonic:
        fields.Read(batch.header.base_monotonic_ns);
        break;
      case batch_field::kEntries:
        fields.Read(entries);
        break;
      case batch_field::kRawBytes:
        fields.Read(batch.raw_bytes);
        break;
      case batch_field::kContentBytes:
        fields.Read(content_bytes);
        break;
      case batch_field::kContent:
        fields.Read(batch.content);
        break;
      case batch_field::kStdoutLinesBefore:
        fields.Read(batch.header.stdout_lines_before);
        break;
      case batch_field::kStderrLinesBefore:
        fields.Read(batch.header.stderr_lines_before);
        break;
      case batch_field::kFirstSequence:
        fields.Read(batch.header.first_sequence);
        break;
      case batch_field::kGaps:
        if (batch.header.gaps.size() == kMaxBatchGaps) {
          return Malformed(Join("it has more than ", kMaxBatchGaps, " gaps"));
        }
        if (!ReadGap(fields, batch.header.gaps.emplace_back())) {
          return Malformed("a gap is malformed");
        }
        break;
      default:
        break;
    }
  }
  if (fields.failed()) return Malformed("it is cut short or not protobuf");
  if (content_bytes > kMaxContentBytes) {
    return Malformed(
        Join("its content of ", content_bytes, " bytes is over the limit of ", kMaxContentBytes));
  }
  if (entries > kMaxBatchEntries) {
    return Malformed(Join("its ", entries, " entries are over the limit of ", kMaxBatchEntries));
  }
  if (batch.content.empty() != (content_bytes == 0)) {
    return Malformed("content and its size disagree");
  }
  // Each entry has its bytes and a newline in the content.
  if (entries > content_bytes || batch.raw_bytes > content_bytes - entries) {
    return Malformed("it claims more entries than its content can hold");
  }
  if (batch.header.first() > batch.header.sequence) {
    return Malformed("its first sequence is behind its last");
  }
  if (batch.header.first() != batch.header.sequence && entries != 0) {
    return Malformed("it has entries and stands for more than one sequence");
  }
  batch.base_time_ns = static_cast<std::int64_t>(base_time);
  batch.entries = static_cast<std::uint32_t>(entries);
  batch.content_bytes = static_cast<std::uint32_t>(content_bytes);
  return batch;
}

struct BatchDecoder::Impl {
  Impl() : context(ZSTD_createDCtx()) { Check(context != nullptr, "memory for a zstd context"); }
  ~Impl() { ZSTD_freeDCtx(context); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  Result<std::string_view> Decompress(const BatchView& batch) {
    const char* data = batch.content.data();
    std::size_t size = batch.content.size();
    // The sizes are checked before any memory is spent; one frame, and nothing behind it.
    if (ZSTD_getFrameContentSize(data, size) != batch.content_bytes ||
        ZSTD_findFrameCompressedSize(data, size) != size) {
      return Malformed("its content is not one zstd frame of the stated size");
    }
    if (capacity < batch.content_bytes) {
      plain = std::make_unique_for_overwrite<char[]>(batch.content_bytes);
      capacity = batch.content_bytes;
    }
    std::size_t got = ZSTD_decompressDCtx(context, plain.get(), batch.content_bytes, data, size);
    if (ZSTD_isError(got) != 0) {
      return Malformed(Join("its content does not decompress: ", ZSTD_getErrorName(got)));
    }
    if (got != batch.content_bytes) return Malformed("its content has another size than stated");
    return std::string_view(plain.get(), got);
  }

  /// No column is longer than the batch has entries, so memory is spent on no more than was stated.
  Result<void> ReadColumns(std::string_view content, std::size_t entries, Columns& columns) {
    run_outputs.clear();
    run_entries.clear();
    run_time_deltas.clear();
    FieldReader fields(content);
    bool well_formed = true;
    while (well_formed && fields.Next()) {
      switch (fields.number()) {
        case columns_field::kLines:
          fields.Read(columns.lines);
          break;
        case columns_field::kLineLengths:
          well_formed = ReadRepeated(fields, entries, columns.line_lengths);
          break;
        case columns_field::kRunOutputs:
          well_formed = ReadRepeated(fields, entries, run_outputs);
          break;
        case columns_field::kRunEntries:
          well_formed = ReadRepeated(fields, entries, run_entries);
          break;
        case columns_field::kRunTimeDeltas:
          well_formed = ReadRepeated(fields, entries, run_time_deltas);
          break;
        case columns_field::kMarks:
          well_formed = columns.marks.size() < std::min(entries, kMaxBatchMarks) &&
                        ReadMark(fields, columns.marks.emplace_back());
          break;
        default:
          break;
      }
    }
    if (!well_formed || fields.failed()) {
      return Malformed("its columns are not protobuf, or longer than it has entries");
    }
    return {};
  }

  Result<void> BuildRuns(std::int64_t base_time_ns, Columns& columns) {
    if (run_entries.size() != run_outputs.size() || run_time_deltas.size() != run_outputs.size()) {
      return Malformed("its run columns differ in length");
    }
    columns.runs.reserve(run_outputs.size());
    std::uint64_t entries = 0;
    std::int64_t end = base_time_ns;
    for (std::size_t i = 0; i < run_outputs.size(); ++i) {
      if (!IsOutput(run_outputs[i])) return Malformed("a run is of an unknown output");
      Run run{static_cast<Output>(run_outputs[i]), run_entries[i], 0};
      if (__builtin_add_overflow(end, run_time_deltas[i], &run.time_ns) ||
          __builtin_add_overflow(run.time_ns, std::int64_t{run.entries}, &end)) {
        return Malformed("a time is out of range");
      }
      entries += run.entries;
      columns.runs.push_back(run);
    }
    if (entries != columns.line_lengths.size()) return Malformed("its runs miss entries");
    return {};
  }

  ZSTD_DCtx* context;
  std::unique_ptr<char[]> plain;
  std::size_t capacity = 0;
  std::vector<std::uint32_t> run_outputs;
  std::vector<std::uint32_t> run_entries;
  std::vector<std::int64_t> run_time_deltas;
};

namespace {

/// Lengths and newlines add up to the lines, and to what the header promised.
Result<void> CheckLines(const BatchView& batch, const Columns& columns) {
  if (columns.line_lengths.size() != batch.entries) {
    return Malformed("it has another number of entries than stated");
  }
  const char* lines = columns.lines.data();
  std::uint64_t at = 0;
  for (std::uint32_t length : columns.line_lengths) {
    at += length;
    if (at >= columns.lines.size() || lines[at] != '\n') {
      return Malformed("its lines do not end where their lengths say");
    }
    ++at;
  }
  if (at != columns.lines.size()) return Malformed("bytes follow its last line");
  if (at - columns.line_lengths.size() != batch.raw_bytes) {
    return Malformed("its lines have another size than stated");
  }
  return {};
}

Result<void> CheckMarks(const Columns& columns) {
  for (std::size_t i = 0; i < columns.marks.size(); ++i) {
    bool rising = i == 0 || columns.marks[i - 1].entry < columns.marks[i].entry;
    if (!rising || columns.marks[i].entry >= columns.line_lengths.size()) {
      return Malformed("a mark is out of order or range");
    }
  }
  return {};
}

}  // namespace

BatchDecoder::BatchDecoder() : impl_(std::make_unique<Impl>()) {}
BatchDecoder::~BatchDecoder() = default;

Result<void> BatchDecoder::Decode(const BatchView& batch, Columns& columns) {
  columns.Clear();
  if (batch.content_bytes > kMaxContentBytes) return Malformed("its content is over the limit");
  if (batch.content_bytes > 0) {
    auto content = impl_->Decompress(batch);
    if (!content) return std::move(content).error();
    if (auto read = impl_->ReadColumns(*content, batch.entries, columns); !read) return read;
    if (auto built = impl_->BuildRuns(batch.base_time_ns, columns); !built) return built;
  }
  if (auto checked = CheckLines(batch, columns); !checked) return checked;
  return CheckMarks(columns);
}

}  // namespace dunlin::wire
