#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "protocol/base/clock.h"
#include "protocol/base/units.h"
#include "protocol/wire/batch.h"
#include "shipper/token_bucket.h"

namespace dunlin::shipper {

struct BatcherOptions {
  /// A batch is sealed at whichever limit comes first: bytes make compression worth its while, age
  /// bounds how stale a quiet service looks in search.
  std::size_t batch_bytes = 128_KiB;
  std::chrono::nanoseconds batch_age = std::chrono::seconds(1);
  /// Age limit of a batch whose first line ended a silence of at least `batch_age`.
  std::chrono::nanoseconds idle_batch_age = std::chrono::milliseconds(300);
  /// Longer lines go as fragments of this size.
  std::size_t fragment_bytes = 256_KiB;
  /// Longer lines are cut here, their length recorded. Two or more times fragment_bytes.
  std::size_t max_line_bytes = 1_MiB;
  /// Bytes a second, newlines included, of both outputs together; what goes beyond is counted and
  /// left out, in whole lines. Nothing: no limit.
  std::optional<std::uint64_t> rate_limit;
};

inline constexpr std::size_t kOutputs = 2;
inline std::size_t IndexOf(wire::Output output) { return output == wire::Output::kStdout ? 0 : 1; }
inline wire::Output OutputAt(std::size_t index) {
  return index == 0 ? wire::Output::kStdout : wire::Output::kStderr;
}

/// Entries of one output, as batches, gaps and counters account for them. Everywhere in the agent a
/// "line" that is counted is an entry: a fragment counts as one.
struct OutputTotals {
  std::uint64_t lines = 0;
  std::uint64_t bytes = 0;        // without newlines
  std::int64_t last_time_ns = 0;  // of the latest entry
  friend bool operator==(const OutputTotals&, const OutputTotals&) = default;
};
using Totals = std::array<OutputTotals, kOutputs>;
inline std::uint64_t LinesOf(const Totals& totals) { return totals[0].lines + totals[1].lines; }

/// Fills the columns of one batch after another from the bytes of the outputs. Bytes are read
/// straight into the column of lines and split in place, so that each is copied once from the pipe
/// and once by the compressor; only the unfinished last line of a chunk is set aside and put in
/// front of the next chunk of its output.
///
/// Times: a chunk's entries have its time, rising by one nanosecond each, and no chunk starts
/// before the end of the one before; only a wall clock set back by more than a second is followed.
/// One thread; reads no clock.
class Batcher {
 public:
  explicit Batcher(BatcherOptions options = {});
  Batcher(const Batcher&) = delete;
  Batcher& operator=(const Batcher&) = delete;

  /// Room to read the next bytes of `output` into: at least one byte, at most `wanted`. Valid until
  /// the next call of any member.
  std::span<char> Reserve(wire::Output output, std::size_t wanted);
  /// The first `bytes` of that room hold what was read at `now`.
  void Commit(wire::Output output, std::size_t bytes, LogTime now, SteadyTime steady);
  /// The output has ended: its last line, if it lacks a newline, becomes an entry marked so.
  void Finish(wire::Output output, LogTime now, SteadyTime steady);

  bool empty() const { return sealed_ || columns_.line_lengths.empty(); }
  /// Whether the batch has reached its size.
  bool full() const { return !sealed_ && used_ >= full_bytes_; }
  /// When the batch reaches its age; nothing while it is empty.
  std::optional<SteadyTime> deadline() const { return deadline_; }
  /// When its first entry was read; nothing while it is empty.
  std::optional<SteadyTime> first_entry() const { return first_entry_; }

  /// What one sealed batch is made of. The columns are valid until the next Reserve or Finish,
  /// which starts the next batch.
  struct Content {
    const wire::Columns& columns;  // but for the lines
    wire::LinesBuffer& lines;
    std::size_t lines_bytes;
    Totals totals;
    std::uint64_t base_monotonic_ns;
    SteadyTime first_entry;
    /// Entries of each output captured before the batch.
    std::array<std::uint64_t, kOutputs> lines_before;
  };
  /// From now on a batch is full at this size, if that is less than it was made for.
  void LimitBatch(std::size_t bytes) { full_bytes_ = std::min(options_.batch_bytes, bytes); }
  /// Ends the batch, which must not be empty.
  Content Seal();

  /// Entries of the batch being filled.
  const Totals& pending() const { return totals_; }
  /// Entries of all batches so far, this one included.
  const Totals& captured() const { return captured_; }
  /// The lines that the rate limit has left out since the last call. They count as captured, each
  /// as one, however long.
  Totals TakeLimited() { return std::exchange(limited_, {}); }
  /// Memory for the lines of the largest batch so far, as the next such will take, and for
  /// unfinished ones.
  std::size_t buffer_bytes() const;
  /// Between two batches: gives back the buffers that are larger than `kept`. The columns of a
  /// sealed batch are gone then.
  void ReleaseBuffers(std::size_t kept);
  /// Lines that needed fragments, and those of them that were cut.
  std::uint64_t fragmented_lines() const { return fragmented_lines_; }
  std::uint64_t truncated_lines() const { return truncated_lines_; }

 private:
  /// The line that has begun and not ended.
  struct Partial {
    std::string bytes;                  // not yet in the columns
    std::uint64_t fragment_id = 0;      // non-zero once fragments of it are in the columns
    std::uint32_t fragment_index = 0;   // of the next fragment
    std::uint64_t discarded_bytes = 0;  // past max_line_bytes, or of a line left out
    bool left_out = false;              // an over-long line that the rate limit does not let pass

    bool long_line() const { return fragment_id != 0 || left_out; }
  };
  struct Run {
    wire::Output output;
    std::int64_t time_ns;
    std::uint32_t entries;
    std::uint64_t bytes;
  };

  void StartBatchIfSealed();
  void ClearColumns();
  void EnsureRoom(std::size_t bytes);
  Run BeginRun(wire::Output output, LogTime now) const;
  void EndRun(const Run& run, SteadyTime steady);
  void Extend(Partial& partial, std::string_view bytes) const;
  void SplitLines(std::size_t bytes, Partial& partial, Run& run);
  void SplitLimitedLines(std::size_t bytes, Partial& partial, Run& run);
  void LeaveOut(std::uint64_t bytes, const Run& run);
  void AppendEntry(std::string_view line, Run& run);
  void CutFragments(Partial& partial, Run& run);
  void EndLongLine(Partial& partial, Run& run, bool unterminated);
  static void Release(Partial& partial);

  BatcherOptions options_;
  std::size_t full_bytes_ = options_.batch_bytes;
  wire::Columns columns_;  // but for the lines
  wire::LinesBuffer lines_;
  std::size_t used_ = 0;              // bytes of them
  std::size_t most_lines_bytes_ = 0;  // of those given back
  std::array<Partial, kOutputs> partials_;
  Totals totals_{};
  Totals captured_{};
  std::array<std::uint64_t, kOutputs> lines_before_{};
  Totals limited_{};
  std::optional<TokenBucket> bucket_;
  std::uint64_t fragmented_lines_ = 0;
  std::uint64_t truncated_lines_ = 0;
  std::int64_t last_time_ns_ = 0;
  std::optional<SteadyTime> first_entry_;
  std::optional<SteadyTime> last_entry_;
  std::optional<SteadyTime> deadline_;
  bool sealed_ = false;
};

}  // namespace dunlin::shipper
