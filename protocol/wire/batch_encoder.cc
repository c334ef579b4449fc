#include <zstd.h>

#include <algorithm>
#include <cstring>

#include "protocol/base/check.h"
#include "protocol/base/coding.h"
#include "protocol/base/give_back.h"
#include "protocol/wire/batch.h"
#include "protocol/wire/batch_format.h"
#include "protocol/wire/fields.h"
#include "protocol/wire/frame.h"

namespace dunlin::wire {
namespace {

/// 256 KiB: a batch of the default size is one window, and the tables of level 1 stay in a
/// first-level cache.
constexpr int kWindowLog = 18;

/// Tag and length of one packed column.
constexpr std::size_t kMaxColumnHeaderBytes = 2 * kMaxVarintBytes;

/// A buffer that grows without initialising bytes it is about to be filled with.
class Scratch {
 public:
  char* Reserve(std::size_t size) {
    if (size > capacity_) {
      bytes_.reset();  // first, so that there are never two
      bytes_ = std::make_unique_for_overwrite<char[]>(size);
      capacity_ = size;
    }
    return bytes_.get();
  }
  std::size_t capacity() const { return capacity_; }
  void Release() {
    bytes_.reset();
    capacity_ = 0;
  }

 private:
  std::unique_ptr<char[]> bytes_;
  std::size_t capacity_ = 0;
};

/// All fields of a batch but its content and gaps: a tag and a number each.
constexpr std::size_t kMostFieldsBytes = 10 * (1 + kMaxVarintBytes);
constexpr std::size_t kMostGapBytes = 2 + 5 * (1 + kMaxVarintBytes);

char* StoreColumnHeader(char* out, std::uint32_t field, std::size_t size) {
  out = StoreVarint(out, Tag(field, WireType::kLengthPrefixed));
  return StoreVarint(out, size);
}

/// One packed column: the values that `value_of` gives for each of `items`.
template <typename Items, typename ValueOf>
char* StorePacked(char* out, std::uint32_t field, const Items& items, ValueOf value_of) {
  if (items.empty()) return out;
  std::size_t size = 0;
  for (const auto& item : items) size += VarintSize(value_of(item));
  out = StoreColumnHeader(out, field, size);
  for (const auto& item : items) out = StoreVarint(out, value_of(item));
  return out;
}

/// The size in bytes of a line length as a varint, without a branch per line.
std::size_t LengthSize(std::uint32_t length) {
  return 1 + (length >= 1U << 7) + (length >= 1U << 14) + (length >= 1U << 21) +
         (length >= 1U << 28);
}

char* StoreLineLengths(char* out, const std::vector<std::uint32_t>& lengths) {
  if (lengths.empty()) return out;
  std::size_t size = 0;
  for (std::uint32_t length : lengths) size += LengthSize(length);
  out = StoreColumnHeader(out, columns_field::kLineLengths, size);
  for (std::uint32_t length : lengths) out = StoreVarint(out, length);
  return out;
}

/// The start of each run, counted from the end of the one before it. Unsigned, so that a clock set
/// to nonsense wraps around instead of overflowing.
void FillTimeDeltas(const std::vector<Run>& runs, std::vector<std::uint64_t>& deltas) {
  deltas.clear();
  auto end = runs.empty() ? 0 : static_cast<std::uint64_t>(runs.front().time_ns);
  for (const Run& run : runs) {
    auto start = static_cast<std::uint64_t>(run.time_ns);
    deltas.push_back(ZigZag(static_cast<std::int64_t>(start - end)));
    end = start + run.entries;
  }
}

void PutMark(std::string& out, const Mark& mark) {
  PutVarint(out, mark_field::kEntry, mark.entry);
  PutVarint(out, mark_field::kUnterminated, mark.unterminated ? 1 : 0);
  PutVarint(out, mark_field::kFragmentId, mark.fragment_id);
  PutVarint(out, mark_field::kFragmentIndex, mark.fragment_index);
  PutVarint(out, mark_field::kFragmentLast, mark.fragment_last ? 1 : 0);
  PutVarint(out, mark_field::kTruncatedBytes, mark.truncated_bytes);
}

void PutGap(std::string& out, const Gap& gap) {
  PutVarint(out, gap_field::kTime, gap.time_ns);
  PutVarint(out, gap_field::kOutput, static_cast<std::uint64_t>(gap.output));
  PutVarint(out, gap_field::kLines, gap.lines);
  PutVarint(out, gap_field::kBytes, gap.bytes);
  PutBytes(out, gap_field::kReason, gap.reason);
}

struct FreeContext {
  void operator()(ZSTD_CCtx* context) const noexcept { ZSTD_freeCCtx(context); }
};
using Context = std::unique_ptr<ZSTD_CCtx, FreeContext>;

Context MakeContext() {
  Context context(ZSTD_createCCtx());
  Check(context != nullptr, "memory for a zstd context");
  auto set = [&context](ZSTD_cParameter parameter, int value) {
    Check(ZSTD_isError(ZSTD_CCtx_setParameter(context.get(), parameter, value)) == 0,
          "zstd parameter in range");
  };
  set(ZSTD_c_compressionLevel, 1);
  set(ZSTD_c_windowLog, kWindowLog);
  set(ZSTD_c_contentSizeFlag, 1);
  set(ZSTD_c_checksumFlag, 0);
  return context;
}

}  // namespace

std::size_t MaxFrameBytes(const BatchView& batch) {
  return kFrameHeaderBytes + kMostFieldsBytes + batch.content.size() +
         batch.header.gaps.size() * kMostGapBytes;
}

void AppendBatchFrame(std::string& out, const BatchView& batch) {
  // Once and not by doubling: frames are kept as they are.
  out.reserve(out.size() + MaxFrameBytes(batch));
  std::size_t begin = BeginFrame(out);
  PutVarint(out, batch_field::kSequence, batch.header.sequence);
  PutFixed64(out, batch_field::kBaseTime, static_cast<std::uint64_t>(batch.base_time_ns));
  PutVarint(out, batch_field::kBaseMonotonic, batch.header.base_monotonic_ns);
  PutVarint(out, batch_field::kEntries, batch.entries);
  PutVarint(out, batch_field::kRawBytes, batch.raw_bytes);
  PutVarint(out, batch_field::kContentBytes, batch.content_bytes);
  PutBytes(out, batch_field::kContent, batch.content);
  std::string gap_bytes;
  for (const Gap& gap : batch.header.gaps) {
    gap_bytes.clear();
    PutGap(gap_bytes, gap);
    PutMessage(out, batch_field::kGaps, gap_bytes);
  }
  PutVarint(out, batch_field::kStdoutLinesBefore, batch.header.stdout_lines_before);
  PutVarint(out, batch_field::kStderrLinesBefore, batch.header.stderr_lines_before);
  PutVarint(out, batch_field::kFirstSequence, batch.header.first_sequence);
  EndFrame(out, begin, FrameType::kBatch);
}

struct BatchEncoder::Impl {
  /// Behind the lines: the other columns. Returns where they end.
  char* StoreOtherColumns(const Columns& columns, LinesBuffer& lines, std::size_t lines_bytes) {
    FillTimeDeltas(columns.runs, time_deltas);
    marks.clear();
    for (const Mark& mark : columns.marks) {
      one_mark.clear();
      PutMark(one_mark, mark);
      PutMessage(marks, columns_field::kMarks, one_mark);
    }
    const auto longest = std::max_element(columns.line_lengths.begin(), columns.line_lengths.end());
    const std::size_t length_bytes =
        longest == columns.line_lengths.end() ? 0 : VarintSize(*longest);
    lines.Reserve(lines_bytes + 4 * kMaxColumnHeaderBytes +
                      columns.runs.size() * (1 + 5 + kMaxVarintBytes) +
                      columns.line_lengths.size() * length_bytes + marks.size(),
                  lines_bytes);
    char* end = lines.data() + lines_bytes;
    end = StoreLineLengths(end, columns.line_lengths);
    end = StorePacked(end, columns_field::kRunOutputs, columns.runs,
                      [](const Run& run) { return static_cast<std::uint64_t>(run.output); });
    end = StorePacked(end, columns_field::kRunEntries, columns.runs,
                      [](const Run& run) { return std::uint64_t{run.entries}; });
    end = StorePacked(end, columns_field::kRunTimeDeltas, time_deltas,
                      [](std::uint64_t delta) { return delta; });
    std::memcpy(end, marks.data(), marks.size());
    return end + marks.size();
  }

  /// Through a buffer of its own and not into the
  /// frame: frames are kept in the queue, and would keep the worst case's capacity with them.
  std::string_view Compress(std::string_view plain) {
    if (!context) context = MakeContext();
    std::size_t bound = ZSTD_compressBound(plain.size());
    char* to = compressed.Reserve(bound);
    std::size_t got =
        ZSTD_compress2(context.get(), to, compressed.capacity(), plain.data(), plain.size());
    Check(ZSTD_isError(got) == 0, "zstd compresses into a buffer of its own bound");
    most_compressed = std::max(most_compressed, got);
    return {to, got};
  }

  Context context;  // made for the first batch
  Scratch compressed;
  std::size_t most_compressed = 0;  // bytes of it that were ever written
  std::vector<std::uint64_t> time_deltas;
  std::string marks;
  std::string one_mark;
};

BatchEncoder::BatchEncoder() : impl_(std::make_unique<Impl>()) {}
BatchEncoder::~BatchEncoder() = default;

std::size_t BatchEncoder::buffer_bytes() const { return impl_->most_compressed; }

void BatchEncoder::ReleaseBuffers(std::size_t kept) {
  if (impl_->compressed.capacity() > kept) impl_->compressed.Release();
  if (impl_->time_deltas.capacity() * sizeof(std::uint64_t) > kept) GiveBack(impl_->time_deltas);
  if (impl_->marks.capacity() > kept) GiveBack(impl_->marks);
}

void BatchEncoder::ReleaseAll() {
  ReleaseBuffers(0);
  impl_->context.reset();
}

BatchView BatchEncoder::Encode(const BatchHeader& header, const Columns& columns,
                               LinesBuffer& lines, std::size_t lines_bytes) {
  Check(lines_bytes >= columns.line_lengths.size(), "each line has its newline");
  BatchView batch;
  batch.header = header;
  if (!columns.empty()) {
    const char* const end = impl_->StoreOtherColumns(columns, lines, lines_bytes);
    char front[LinesBuffer::kFrontBytes];
    const auto front_bytes = static_cast<std::size_t>(
        StoreColumnHeader(front, columns_field::kLines, lines_bytes) - front);
    char* const begin = lines.data() - front_bytes;
    std::memcpy(begin, front, front_bytes);
    const std::string_view content(begin, static_cast<std::size_t>(end - begin));
    Check(content.size() <= kMaxContentBytes, "batch content within its limit");
    batch.base_time_ns = columns.runs.empty() ? 0 : columns.runs.front().time_ns;
    batch.entries = static_cast<std::uint32_t>(columns.line_lengths.size());
    batch.raw_bytes = lines_bytes - columns.line_lengths.size();
    batch.content_bytes = static_cast<std::uint32_t>(content.size());
    batch.content = impl_->Compress(content);
  }
  return batch;
}

}  // namespace dunlin::wire
