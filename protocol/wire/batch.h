#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/result.h"
#include "protocol/base/units.h"
#include "protocol/wire/lines_buffer.h"

namespace dunlin::wire {

enum class Output : std::uint8_t { kStdout = 1, kStderr = 2 };

/// "stdout" or "stderr": the value of the `output` label.
std::string_view OutputName(Output output);

/// What an entry has beyond its bytes; see Mark in dunlin.proto.
struct Mark {
  std::uint32_t entry = 0;
  bool unterminated = false;
  std::uint64_t fragment_id = 0;
  std::uint32_t fragment_index = 0;
  bool fragment_last = false;
  std::uint64_t truncated_bytes = 0;
  friend bool operator==(const Mark&, const Mark&) = default;
};

struct Gap {
  std::uint64_t time_ns = 0;
  Output output = Output::kStdout;
  std::uint64_t lines = 0;
  std::uint64_t bytes = 0;
  std::string reason;
  friend bool operator==(const Gap&, const Gap&) = default;
};

/// Consecutive entries of one output read at one time; entry i of it has the time time_ns + i.
struct Run {
  Output output = Output::kStdout;
  std::uint32_t entries = 0;
  std::int64_t time_ns = 0;
  friend bool operator==(const Run&, const Run&) = default;
};

/// The columns of one batch, before compression. The agent fills it on the hot path; `lines` holds
/// each line followed by one newline, so that a chunk read from a pipe goes in as it is.
struct Columns {
  std::vector<Run> runs;
  std::vector<std::uint32_t> line_lengths;
  std::string lines;
  std::vector<Mark> marks;

  bool empty() const { return line_lengths.empty(); }
  void Clear();
  friend bool operator==(const Columns&, const Columns&) = default;
};

/// Batch without its content.
struct BatchHeader {
  std::uint64_t sequence = 0;
  std::uint64_t base_monotonic_ns = 0;
  std::vector<Gap> gaps;
  /// Entries of each output captured in this boot before the batch, whether or not they arrived.
  std::uint64_t stdout_lines_before = 0;
  std::uint64_t stderr_lines_before = 0;
  /// Without entries: this batch stands for all of first_sequence..sequence, which were given up
  /// before they were sent. 0: for `sequence` alone.
  std::uint64_t first_sequence = 0;

  std::uint64_t first() const { return first_sequence == 0 ? sequence : first_sequence; }
  friend bool operator==(const BatchHeader&, const BatchHeader&) = default;
};

/// A batch as the collector reads it: header fields decoded, content still compressed (a view of
/// the payload).
struct BatchView {
  BatchHeader header;
  std::int64_t base_time_ns = 0;
  std::uint32_t entries = 0;
  std::uint64_t raw_bytes = 0;
  std::uint32_t content_bytes = 0;
  std::string_view content;
};

/// What a reader accepts of one batch, beside kMaxContentBytes: an entry, a mark or a gap costs a
/// collector far more memory than the one or two bytes that a hostile sender spends on it. A sender
/// stays far below: an entry has one byte of kMaxBatchLinesBytes at least, marks are rare, and gaps
/// are merged by output and reason.
inline constexpr std::uint32_t kMaxBatchEntries = 2 * 1024 * 1024;
inline constexpr std::size_t kMaxBatchMarks = 4096;
inline constexpr std::size_t kMaxBatchGaps = 256;

/// Errors: kCorruption.
Result<BatchView> DecodeBatch(std::string_view payload);

/// Appends a whole kBatch frame around content that is compressed already. An empty batch (no
/// entries, empty content) only carries gaps.
void AppendBatchFrame(std::string& out, const BatchView& batch);
/// No frame of this batch is longer.
std::size_t MaxFrameBytes(const BatchView& batch);

/// Lines that fit one frame with their columns even when zstd cannot compress them.
inline constexpr std::size_t kMaxBatchLinesBytes = 2_MiB;
static_assert(kMaxBatchLinesBytes <= kMaxBatchEntries);

/// Compresses columns into Batch payloads, reusing its buffers: zstd level 1, no zstd checksum
/// (frames have their own). One thread.
class BatchEncoder {
 public:
  BatchEncoder();
  ~BatchEncoder();
  BatchEncoder(const BatchEncoder&) = delete;
  BatchEncoder& operator=(const BatchEncoder&) = delete;

  /// The batch of lines that are the first `lines_bytes` of `lines`, and of the other columns,
  /// ready for AppendBatchFrame; `columns.lines` is not looked at. The same lines, columns and
  /// header give the same bytes. What lies behind the lines is overwritten. The caller keeps a
  /// batch small enough for a frame: kMaxBatchLinesBytes of lines always are. The view's content is
  /// valid until the next call.
  BatchView Encode(const BatchHeader& header, const Columns& columns, LinesBuffer& lines,
                   std::size_t lines_bytes);

  /// What the compressed content of the largest batch so far took, and the next such will take.
  std::size_t buffer_bytes() const;
  /// Gives back the buffers that are larger than `kept`; a batch that is encoded is gone then.
  void ReleaseBuffers(std::size_t kept);
  /// Gives everything back, the tables of the compressor, too; the next batch makes them anew.
  void ReleaseAll();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// What one batch may unfold to; a decompression bomb fails before it is unfolded.
inline constexpr std::uint32_t kMaxContentBytes = 16_MiB;

/// Decompresses and checks the columns of one batch against its header: lengths add up, runs cover
/// every entry, marks are in range. Reuses buffers. One thread.
class BatchDecoder {
 public:
  BatchDecoder();
  ~BatchDecoder();
  BatchDecoder(const BatchDecoder&) = delete;
  BatchDecoder& operator=(const BatchDecoder&) = delete;

  /// Fills `columns` (cleared first). Errors: kCorruption.
  Result<void> Decode(const BatchView& batch, Columns& columns);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dunlin::wire
