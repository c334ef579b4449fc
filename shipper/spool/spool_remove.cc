#include <algorithm>
#include <utility>

#include "shipper/spool/gap_list.h"
#include "shipper/spool/spool_impl.h"

namespace dunlin::shipper {
namespace {

/// The later of two sums of one boot.
void Raise(Totals& sum, const Totals& other) {
  for (std::size_t i = 0; i < kOutputs; ++i) {
    sum[i].lines = std::max(sum[i].lines, other[i].lines);
    sum[i].bytes = std::max(sum[i].bytes, other[i].bytes);
    sum[i].last_time_ns = std::max(sum[i].last_time_ns, other[i].last_time_ns);
  }
}

/// The first error of two calls that are both made.
Result<void> FirstError(Result<void> first, Result<void> second) {
  return first ? std::move(second) : std::move(first);
}

}  // namespace

Result<void> Spool::Impl::Acknowledge(std::uint64_t sequence) {
  Result<void> advanced;
  sequence = std::min(sequence, kMaxSequence);
  if (sequence > acknowledged_sequence) {
    acknowledged_sequence = sequence;
    slot_written = slot_synced = false;
    RemoveAcknowledged();
    advanced = AdvanceFront(Unreadable::kFail);
  }
  if (!slot_written) {
    auto written = boot_file.Write({acknowledged_sequence, acknowledged_totals});
    if (!written) return FirstError(std::move(written), std::move(advanced));
    slot_written = true;
  }
  return FirstError(CollectGarbage(), std::move(advanced));
}

/// Takes out what is wholly acknowledged, except for a segment that still grows.
void Spool::Impl::RemoveAcknowledged() {
  std::size_t whole = 0;
  for (; whole < segments.size(); ++whole) {
    Segment& segment = segments[whole];
    if (segment.last_sequence > acknowledged_sequence || segment.batches == 0) break;
    Raise(acknowledged_totals, segment.after);
    front_oldest.reset();
    if (IsOpen(segment)) {
      front = {segment.name.number, segment.bytes, segment.last_sequence, segment.after};
      front_batches = segment.batches;
      break;
    }
    front = {};
    front_batches = 0;
    if (segment.gap) {
      for (std::string& path : segment.gap->covers) Discard(std::move(path), 0);
      if (!segment.gap->written) --unwritten_gaps;
    }
    Discard(PathOf(segment), segment.bytes);
  }
  segments.erase(segments.begin(), segments.begin() + static_cast<std::ptrdiff_t>(whole));
  if (!segments.empty() && segments.front().batches > 0 &&
      segments.front().first_sequence == acknowledged_sequence + 1) {
    acknowledged_totals = segments.front().before;
  }
}

/// Follows the acknowledged batches through the first segment, for the accounts and so that a
/// search need not start at its beginning.
Result<void> Spool::Impl::AdvanceFront(Unreadable unreadable) {
  if (segments.empty() || segments.front().gap ||
      segments.front().first_sequence > acknowledged_sequence ||
      segments.front().last_sequence <= acknowledged_sequence) {
    return {};
  }
  const Segment& segment = segments.front();
  if (front.number != segment.name.number) {
    front = BeginOf(segment);
    front_batches = 0;
  }
  auto file = FileOf(segment);
  if (!file) return std::move(file).error();
  RecordWalk walk(**file, segment.name.salt, front.position, segment.bytes, unreadable);
  for (;;) {
    auto next = walk.Next();
    if (!next) return std::move(next).error();
    if (!*next || (*next)->record.type == RecordType::kSummary) return {};
    const SpoolBatchInfo& info = (*next)->record.info;
    if (info.first_sequence <= front.sequence) continue;
    if (info.sequence > acknowledged_sequence) {
      front_oldest = info.oldest_entry;
      if (info.first_sequence == acknowledged_sequence + 1) {
        // Where a hole in front of it is acknowledged too, the next batch knows the sum best.
        front = {segment.name.number, (*next)->position, acknowledged_sequence, info.before};
        acknowledged_totals = info.before;
      }
      return {};
    }
    front = {segment.name.number, (*next)->next_position, info.sequence, AfterBatch(info)};
    Raise(acknowledged_totals, front.after);
    ++front_batches;
  }
}

/// Removes what is no longer needed. First the slot is made durable that says so: otherwise, after
/// a power failure, a missing segment would look like a lost one.
Result<void> Spool::Impl::CollectGarbage() {
  if (garbage.empty()) return {};
  if (!slot_synced) {
    if (!slot_written) {
      auto written = boot_file.Write({acknowledged_sequence, acknowledged_totals});
      if (!written) return written;
      slot_written = true;
    }
    if (auto synced = boot_file.Sync(); !synced) {
      slot_written = false;  // a second sync would prove nothing about the bytes of this one
      return synced;
    }
    if (auto synced = SyncNames(); !synced) return synced;
    slot_synced = true;
  }
  Result<void> done;
  std::erase_if(garbage, [&](const Garbage& item) {
    auto removed = fs.Remove(item.path);
    if (removed || removed.error().code() == ErrorCode::kNotFound) return true;
    done = std::move(removed);
    return false;
  });
  return done;
}

void Spool::Impl::Discard(std::string path, std::uint64_t bytes) {
  read_file.reset();  // an open file keeps its space
  garbage.push_back({std::move(path), bytes});
}

/// Index of the segment that DropOldest takes; segments.size() when there is none.
std::size_t Spool::Impl::OldestUnsent(std::uint64_t first_unsent) const {
  first_unsent = std::max(first_unsent, acknowledged_sequence + 1);
  auto found = std::find_if(segments.begin(), segments.end(), [&](const Segment& segment) {
    return segment.first_sequence >= first_unsent && segment.batches > 0 && !segment.gap;
  });
  return static_cast<std::size_t>(found - segments.begin());
}

Result<std::optional<SpoolDrop>> Spool::Impl::DropOldest(std::uint64_t first_unsent,
                                                         std::string_view reason) {
  std::size_t index = OldestUnsent(first_unsent);
  if (index == segments.size()) return std::optional<SpoolDrop>();
  auto sum = SumOf(segments[index]);
  if (!sum) return std::move(sum).error();
  if (IsOpen(segments[index])) CloseSegment();
  Segment& segment = segments[index];

  auto file = fs.Open(PathOf(segment), FileSystem::Mode::kWrite);
  if (!file) return std::move(file).error();
  // From here on they are dropped. Cut first, written then: the other way round, a failure between
  // would leave neither the old batches nor the gap. What a kill between leaves is a hole, of which
  // the neighbours tell as much as the gap would, except for the reason.
  if (auto cut = (*file)->Truncate(segment.records_position); !cut) return std::move(cut).error();
  file->reset();

  SpoolDrop drop;
  drop.batches = sum->batches;
  drop.totals = sum->info.totals;
  auto gap = std::make_unique<SegmentGap>();
  Segment* before = index > 0 ? &segments[index - 1] : nullptr;
  bool widens = before != nullptr && before->gap && before->first_sequence >= first_unsent &&
                before->last_sequence + 1 == segment.first_sequence;
  if (widens) {
    gap = std::move(before->gap);
    if (!gap->written) --unwritten_gaps;
    gap->covers.push_back(PathOf(*before));
    segment.first_sequence = before->first_sequence;
    segment.before = before->before;
  }
  AddGaps(gap->gaps, reason, sum->info.totals);
  for (const wire::Gap& carried : sum->info.gaps) AddGap(gap->gaps, carried);
  gap->written = false;
  ++unwritten_gaps;
  if (reading.number == segment.name.number) reading = {};
  if (front.number == segment.name.number) front = {};
  drop.first_sequence = segment.first_sequence;
  drop.sequence = segment.last_sequence;
  drop.gaps = gap->gaps;
  drop.before = segment.before;
  drop.after = segment.after;
  segment.batches = 1;
  segment.bytes = segment.records_position;
  segment.gap = std::move(gap);
  if (widens) segments.erase(segments.begin() + static_cast<std::ptrdiff_t>(index) - 1);
  // The batches are gone whether or not this can be written: Sync tries again, and tells.
  [[maybe_unused]] auto written = WriteGaps();
  [[maybe_unused]] auto collected = CollectGarbage();
  return std::optional(std::move(drop));
}

/// What a segment held when it was written: from memory, its summary, or its records.
Result<SpoolRecord> Spool::Impl::SumOf(const Segment& segment) {
  if (IsOpen(segment)) return open_sum;
  auto file = FileOf(segment);
  if (!file) return std::move(file).error();
  auto summary = ReadSummary(**file, segment.bytes, segment.name.salt);
  if (!summary) return std::move(summary).error();
  if (*summary) return std::move(**summary);

  SpoolRecord sum;
  sum.batches = 0;
  SegmentCursor at = BeginOf(segment);
  auto lost_up_to = [&](const Totals& before) {
    AddGaps(sum.info.gaps, kSpoolDamageReason, Difference(at.after, before));
  };
  RecordWalk walk(**file, segment.name.salt, at.position, segment.bytes, Unreadable::kLose);
  for (;;) {
    auto next = walk.Next();
    if (!next) return std::move(next).error();
    if (!*next || (*next)->record.type == RecordType::kSummary) break;
    const SpoolBatchInfo& info = (*next)->record.info;
    if (info.first_sequence <= at.sequence || info.sequence > segment.last_sequence) continue;
    lost_up_to(info.before);
    ++sum.batches;
    Add(sum.info.totals, info.totals);
    for (const wire::Gap& gap : info.gaps) AddGap(sum.info.gaps, gap);
    at = {segment.name.number, (*next)->next_position, info.sequence, AfterBatch(info)};
  }
  lost_up_to(segment.after);
  return sum;
}

Result<void> Spool::Impl::WriteGaps() {
  Result<void> done;
  if (unwritten_gaps == 0) return done;
  for (Segment& segment : segments) {
    if (!segment.gap || segment.gap->written) continue;
    if (auto written = WriteGap(segment); !written) done = std::move(written);
  }
  return done;
}

Result<void> Spool::Impl::WriteGap(Segment& segment) {
  SpoolRecord record;
  record.type = RecordType::kGap;
  record.info.first_sequence = segment.first_sequence;
  record.info.sequence = segment.last_sequence;
  record.info.oldest_entry = segment.oldest_entry;
  record.info.gaps = segment.gap->gaps;
  record.info.before = segment.before;
  std::string bytes;
  if (!AppendRecord(bytes, record, segment.name.salt)) {
    return Error(ErrorCode::kInvalidArgument, "cannot write a gap: too many reasons");
  }
  auto file = fs.Open(PathOf(segment), FileSystem::Mode::kWrite);
  if (!file) return std::move(file).error();
  auto written = (*file)->WriteAt(segment.records_position, bytes);
  if (!written) return written;
  segment.bytes = segment.records_position + AlignedUp(bytes.size());
  segment.synced = false;
  segment.gap->written = true;
  --unwritten_gaps;
  for (std::string& path : std::exchange(segment.gap->covers, {})) Discard(std::move(path), 0);
  return {};
}

}  // namespace dunlin::shipper
