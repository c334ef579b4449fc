#include "shipper/batcher.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "protocol/base/check.h"
#include "protocol/base/give_back.h"

namespace dunlin::shipper {
namespace {

constexpr std::int64_t kFollowedClockStepNs = 1'000'000'000;
constexpr std::size_t kKeptPartialCapacity = 64_KiB;
/// Less room than this is not worth a read, however small the batches.
constexpr std::size_t kMinReadBytes = 16_KiB;

}  // namespace

Batcher::Batcher(BatcherOptions options) : options_(options) {
  Check(options_.fragment_bytes > 0 && options_.max_line_bytes >= 2 * options_.fragment_bytes &&
            options_.max_line_bytes % options_.fragment_bytes == 0,
        "the line limit is several whole fragments");
  if (options_.rate_limit) bucket_.emplace(std::max<std::uint64_t>(*options_.rate_limit, 1));
}

void Batcher::StartBatchIfSealed() {
  if (!sealed_) return;
  sealed_ = false;
  ClearColumns();
  for (std::size_t i = 0; i < kOutputs; ++i) lines_before_[i] = captured_[i].lines;
}

void Batcher::ClearColumns() {
  columns_.runs.clear();
  columns_.line_lengths.clear();
  columns_.marks.clear();
  used_ = 0;
}

void Batcher::ReleaseBuffers(std::size_t kept) {
  if (!empty()) return;
  ClearColumns();
  most_lines_bytes_ = std::max(most_lines_bytes_, lines_.size());
  if (lines_.size() > kept) lines_.Release();
  auto release = [kept](auto& column) {
    if (column.capacity() * sizeof(column[0]) > kept) GiveBack(column);
  };
  release(columns_.runs);
  release(columns_.line_lengths);
  release(columns_.marks);
}

void Batcher::EnsureRoom(std::size_t bytes) { lines_.Reserve(used_ + bytes, used_); }

std::span<char> Batcher::Reserve(wire::Output output, std::size_t wanted) {
  StartBatchIfSealed();
  std::size_t carried = partials_[IndexOf(output)].bytes.size();
  // A chunk may take a batch half over its size, rather than be read in many parts. It never
  // exceeds a fragment, so that only its first and last line can be over-long.
  const std::size_t left = full_bytes_ > used_ ? full_bytes_ - used_ : 0;
  std::size_t size =
      std::min({wanted, std::max({left, full_bytes_ / 2, kMinReadBytes}), options_.fragment_bytes});
  size = std::max<std::size_t>(size, 1);
  EnsureRoom(carried + size);
  return {lines_.data() + used_ + carried, size};
}

void Batcher::Commit(wire::Output output, std::size_t bytes, LogTime now, SteadyTime steady) {
  if (bytes == 0) return;
  Partial& partial = partials_[IndexOf(output)];
  const std::size_t carried = partial.bytes.size();
  Check(used_ + carried + bytes <= lines_.size(), "committed more than was reserved");
  char* chunk = lines_.data() + used_ + carried;
  const auto* newline = static_cast<const char*>(std::memchr(chunk, '\n', bytes));
  Run run = BeginRun(output, now);
  if (bucket_) bucket_->Refill(steady);
  if (newline == nullptr) {
    Extend(partial, {chunk, bytes});
    CutFragments(partial, run);
  } else if (auto first = static_cast<std::size_t>(newline - chunk);
             !partial.long_line() && carried + first <= options_.fragment_bytes) {
    std::memcpy(chunk - carried, partial.bytes.data(), carried);
    Release(partial);
    SplitLines(carried + bytes, partial, run);
  } else {
    // The end of an over-long line: its fragments take the place where the chunk lies, so what
    // follows the line moves out of the way first.
    std::string rest(newline + 1, bytes - first - 1);
    Extend(partial, {chunk, first});
    CutFragments(partial, run);
    EndLongLine(partial, run, /*unterminated=*/false);
    EnsureRoom(rest.size());
    std::memcpy(lines_.data() + used_, rest.data(), rest.size());
    SplitLines(rest.size(), partial, run);
  }
  EndRun(run, steady);
}

/// A long line gets at once what it can ever need: less than a fragment waits, and a chunk comes to
/// it. Growing by doubling would take more than twice that on the way.
void Batcher::Extend(Partial& partial, std::string_view bytes) const {
  if (partial.bytes.size() + bytes.size() > kKeptPartialCapacity) {
    partial.bytes.reserve(2 * options_.fragment_bytes);
  }
  partial.bytes.append(bytes);
}

void Batcher::Finish(wire::Output output, LogTime now, SteadyTime steady) {
  StartBatchIfSealed();
  Partial& partial = partials_[IndexOf(output)];
  if (partial.bytes.empty() && !partial.long_line()) return;
  Run run = BeginRun(output, now);
  if (bucket_) bucket_->Refill(steady);
  if (partial.long_line()) {
    EndLongLine(partial, run, /*unterminated=*/true);
  } else if (bucket_ && !bucket_->Take(0)) {
    LeaveOut(partial.bytes.size(), run);
    Release(partial);
  } else {
    columns_.marks.push_back(
        {.entry = static_cast<std::uint32_t>(columns_.line_lengths.size()), .unterminated = true});
    AppendEntry(partial.bytes, run);
    Release(partial);
  }
  EndRun(run, steady);
}

std::size_t Batcher::buffer_bytes() const {
  std::size_t bytes = std::max(most_lines_bytes_, lines_.size());
  for (const Partial& partial : partials_) bytes += partial.bytes.capacity();
  return bytes;
}

Batcher::Content Batcher::Seal() {
  Check(!empty() && !sealed_, "sealing an empty batch");
  sealed_ = true;
  deadline_.reset();
  Content content{columns_,
                  lines_,
                  used_,
                  std::exchange(totals_, {}),
                  static_cast<std::uint64_t>(first_entry_->time_since_epoch().count()),
                  *first_entry_,
                  lines_before_};
  first_entry_.reset();
  return content;
}

Batcher::Run Batcher::BeginRun(wire::Output output, LogTime now) const {
  std::int64_t now_ns = NanosecondsOf(now);
  // Taken as it is when it moves on, or when someone set the clock back: otherwise every entry
  // until then would pretend to be from the future.
  bool follow = now_ns > last_time_ns_ || last_time_ns_ - now_ns > kFollowedClockStepNs;
  return {output, follow ? now_ns : last_time_ns_ + 1, 0, 0};
}

void Batcher::EndRun(const Run& run, SteadyTime steady) {
  if (run.entries == 0) return;
  columns_.runs.push_back({run.output, run.entries, run.time_ns});
  last_time_ns_ = run.time_ns + run.entries - 1;
  for (Totals* totals : {&totals_, &captured_}) {
    OutputTotals& of = (*totals)[IndexOf(run.output)];
    of.lines += run.entries;
    of.bytes += run.bytes;
    of.last_time_ns = last_time_ns_;
  }
  if (!first_entry_) {
    first_entry_ = steady;
    bool idle = !last_entry_ || steady - *last_entry_ >= options_.batch_age;
    deadline_ = steady +
                (idle ? std::min(options_.idle_batch_age, options_.batch_age) : options_.batch_age);
  }
  last_entry_ = steady;
}

/// Takes the `bytes` that lie behind the used ones into the batch as far as they are whole lines;
/// the rest becomes the unfinished line. None of them is over-long.
void Batcher::SplitLines(std::size_t bytes, Partial& partial, Run& run) {
  if (bucket_) {
    SplitLimitedLines(bytes, partial, run);
    return;
  }
  const char* const begin = lines_.data() + used_;
  const char* const end = begin + bytes;
  const char* line = begin;
  const std::size_t lines_before = columns_.line_lengths.size();
  while (const auto* newline = static_cast<const char*>(
             std::memchr(line, '\n', static_cast<std::size_t>(end - line)))) {
    columns_.line_lengths.push_back(static_cast<std::uint32_t>(newline - line));
    line = newline + 1;
  }
  partial.bytes.assign(line, static_cast<std::size_t>(end - line));
  auto added = static_cast<std::uint32_t>(columns_.line_lengths.size() - lines_before);
  auto taken = static_cast<std::size_t>(line - begin);
  run.entries += added;
  run.bytes += taken - added;
  used_ += taken;
}

/// The same where lines may have to be left out: those that stay move together.
void Batcher::SplitLimitedLines(std::size_t bytes, Partial& partial, Run& run) {
  char* kept = lines_.data() + used_;
  const char* line = kept;
  const char* const end = kept + bytes;
  while (const auto* newline = static_cast<const char*>(
             std::memchr(line, '\n', static_cast<std::size_t>(end - line)))) {
    const auto size = static_cast<std::size_t>(newline - line);
    if (bucket_->Take(size + 1)) {
      std::memmove(kept, line, size + 1);
      kept += size + 1;
      used_ += size + 1;
      columns_.line_lengths.push_back(static_cast<std::uint32_t>(size));
      run.entries += 1;
      run.bytes += size;
    } else {
      LeaveOut(size, run);
    }
    line = newline + 1;
  }
  partial.bytes.assign(line, static_cast<std::size_t>(end - line));
}

void Batcher::LeaveOut(std::uint64_t bytes, const Run& run) {
  for (Totals* totals : {&limited_, &captured_}) {
    OutputTotals& of = (*totals)[IndexOf(run.output)];
    of.lines += 1;
    of.bytes += bytes;
    of.last_time_ns = run.time_ns + run.entries;
  }
}

/// One whose turn has been granted before.
void Batcher::AppendEntry(std::string_view line, Run& run) {
  if (bucket_) bucket_->Charge(line.size() + 1);
  EnsureRoom(line.size() + 1);
  std::memcpy(lines_.data() + used_, line.data(), line.size());
  lines_.data()[used_ + line.size()] = '\n';
  used_ += line.size() + 1;
  columns_.line_lengths.push_back(static_cast<std::uint32_t>(line.size()));
  run.entries += 1;
  run.bytes += line.size();
}

/// Moves whole fragments of an unfinished line into the batch, but never its last bytes: the last
/// fragment is marked as such, so it waits for the end of the line.
void Batcher::CutFragments(Partial& partial, Run& run) {
  const auto last_index =
      static_cast<std::uint32_t>(options_.max_line_bytes / options_.fragment_bytes - 1);
  if (partial.bytes.size() > options_.fragment_bytes && !partial.long_line()) {
    partial.left_out = bucket_ && !bucket_->Take(0);
  }
  if (partial.left_out) {
    partial.discarded_bytes += partial.bytes.size();
    partial.bytes.clear();
    return;
  }
  std::size_t taken = 0;
  while (partial.bytes.size() - taken > options_.fragment_bytes &&
         partial.fragment_index < last_index) {
    if (partial.fragment_id == 0) {
      // Entry times are unique within an agent, also across its restarts, so one can name a line.
      partial.fragment_id = static_cast<std::uint64_t>(run.time_ns) + run.entries;
      ++fragmented_lines_;
    }
    columns_.marks.push_back({.entry = static_cast<std::uint32_t>(columns_.line_lengths.size()),
                              .fragment_id = partial.fragment_id,
                              .fragment_index = partial.fragment_index++});
    AppendEntry(std::string_view(partial.bytes).substr(taken, options_.fragment_bytes), run);
    taken += options_.fragment_bytes;
  }
  partial.bytes.erase(0, taken);
  if (partial.fragment_index == last_index && partial.bytes.size() > options_.fragment_bytes) {
    partial.discarded_bytes += partial.bytes.size() - options_.fragment_bytes;
    partial.bytes.resize(options_.fragment_bytes);
  }
}

void Batcher::EndLongLine(Partial& partial, Run& run, bool unterminated) {
  if (partial.left_out) {
    LeaveOut(partial.discarded_bytes + partial.bytes.size(), run);
    Release(partial);
    return;
  }
  Check(partial.fragment_id != 0, "the last fragment of a line without fragments");
  wire::Mark mark{.entry = static_cast<std::uint32_t>(columns_.line_lengths.size()),
                  .unterminated = unterminated,
                  .fragment_id = partial.fragment_id,
                  .fragment_index = partial.fragment_index,
                  .fragment_last = true};
  if (partial.discarded_bytes != 0) {
    mark.truncated_bytes = options_.max_line_bytes + partial.discarded_bytes;
    ++truncated_lines_;
  }
  columns_.marks.push_back(mark);
  AppendEntry(partial.bytes, run);
  Release(partial);
}

void Batcher::Release(Partial& partial) {
  // One over-long line must not cost its size for good.
  if (partial.bytes.capacity() > kKeptPartialCapacity) GiveBack(partial.bytes);
  partial.bytes.clear();
  partial.fragment_id = 0;
  partial.fragment_index = 0;
  partial.discarded_bytes = 0;
  partial.left_out = false;
}

}  // namespace dunlin::shipper
