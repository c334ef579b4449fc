#include <algorithm>
#include <utility>

#include "protocol/base/text.h"
#include "shipper/spool/gap_list.h"
#include "shipper/spool/spool_impl.h"

namespace dunlin::shipper {

Result<SpoolBatch> Spool::Impl::Read(std::uint64_t sequence, Unreadable unreadable) {
  auto segment = std::lower_bound(segments.begin(), segments.end(), sequence,
                                  [](const Segment& candidate, std::uint64_t wanted) {
                                    return candidate.last_sequence < wanted;
                                  });
  if (sequence <= acknowledged_sequence || sequence > last_sequence || segment == segments.end()) {
    return Error(ErrorCode::kNotFound, Join("cannot read batch ", sequence, ": not in the spool"));
  }
  if (sequence < segment->first_sequence) {
    // Between two segments, or in front of the first.
    bool is_first = segment == segments.begin();
    return Lost(is_first ? 1 : std::prev(segment)->last_sequence + 1, segment->first_sequence - 1,
                is_first ? acknowledged_totals : std::prev(segment)->after, segment->before);
  }
  if (segment->gap) {
    SpoolBatch gap;
    gap.first_sequence = segment->first_sequence;
    gap.sequence = segment->last_sequence;
    gap.gaps = segment->gap->gaps;
    gap.after = segment->after;
    return gap;
  }
  return ReadIn(*segment, sequence, unreadable);
}

Result<SpoolBatch> Spool::Impl::ReadIn(const Segment& segment, std::uint64_t sequence,
                                       Unreadable unreadable) {
  SegmentCursor at = BeginOf(segment);
  for (const SegmentCursor& known : {front, reading}) {
    if (known.number == segment.name.number && known.sequence < sequence) at = known;
  }
  if (at.sequence < acknowledged_sequence) {
    // The records in front of here may be damaged: the sum was kept when they were acknowledged.
    at.sequence = acknowledged_sequence;
    at.after = acknowledged_totals;
  }
  auto file = FileOf(segment);
  if (!file) {
    if (unreadable == Unreadable::kFail) return std::move(file).error();
    return Lost(at.sequence + 1, segment.last_sequence, at.after, segment.after);
  }
  RecordWalk walk(**file, segment.name.salt, at.position, segment.bytes, unreadable);
  for (;;) {
    auto next = walk.Next();
    if (!next) return std::move(next).error();
    if (!*next || (*next)->record.type == RecordType::kSummary) {
      return Lost(at.sequence + 1, segment.last_sequence, at.after, segment.after);
    }
    FoundRecord& found = **next;
    const SpoolBatchInfo& info = found.record.info;
    // One that does not rise is a copy of another: its place in the order is taken.
    if (info.first_sequence <= at.sequence || info.sequence > segment.last_sequence) continue;
    if (sequence < info.first_sequence) {
      std::uint64_t first = at.sequence + 1;
      reading = {segment.name.number, found.position, info.first_sequence - 1, info.before};
      return Lost(first, info.first_sequence - 1, at.after, info.before);
    }
    at = {segment.name.number, found.next_position, info.sequence, AfterBatch(info)};
    if (sequence > info.sequence) continue;
    auto batch = ReadPayload(segment, **file, std::move(found), unreadable);
    if (batch) reading = at;
    return batch;
  }
}

Result<SpoolBatch> Spool::Impl::ReadPayload(const Segment& segment, const File& file,
                                            FoundRecord found, Unreadable unreadable) {
  SpoolBatchInfo& info = found.record.info;
  SpoolBatch batch;
  batch.first_sequence = info.first_sequence;
  batch.sequence = info.sequence;
  bool intact = found.complete;
  if (intact) {
    batch.frame.resize(found.record.payload_bytes);
    auto got = file.ReadAt(found.payload_position, batch.frame.data(), batch.frame.size());
    if (!got && unreadable == Unreadable::kFail) return std::move(got).error();
    intact = got && *got == batch.frame.size() &&
             PayloadChecksum(batch.frame, segment.name.salt) == found.record.payload_checksum;
  }
  if (intact) {
    batch.totals = info.totals;
    batch.after = AfterBatch(info);
    batch.gaps = std::move(info.gaps);
    return batch;
  }
  SpoolBatch lost = Lost(info.first_sequence, info.sequence, info.before, AfterBatch(info));
  // The record tells what a hole does not: which of it were gaps already, and why.
  lost.lost = info.totals;
  lost.gaps = std::move(info.gaps);
  AddGaps(lost.gaps, kSpoolDamageReason, info.totals);
  return lost;
}

/// Of what lies between the two sums nothing is left.
SpoolBatch Spool::Impl::Lost(std::uint64_t first, std::uint64_t last, const Totals& before,
                             const Totals& after) {
  const Totals accounted = Difference(before, after);
  SpoolBatch lost;
  lost.first_sequence = std::max(first, acknowledged_sequence + 1);
  lost.sequence = last;
  lost.after = after;
  lost.lost = accounted;
  AddGaps(lost.gaps, kSpoolDamageReason, accounted);
  if (last > damage_counted_to) {
    damage_counted_to = last;
    ++damaged_batches;
    Add(damaged, accounted);
  }
  return lost;
}

SegmentCursor Spool::Impl::BeginOf(const Segment& segment) const {
  return {segment.name.number, segment.records_position, segment.first_sequence - 1,
          segment.before};
}

Result<const File*> Spool::Impl::FileOf(const Segment& segment) {
  if (IsOpen(segment)) return static_cast<const File*>(open.get());
  if (!read_file || read_number != segment.name.number) {
    read_file.reset();
    auto file = fs.Open(PathOf(segment), FileSystem::Mode::kRead);
    if (!file) return std::move(file).error();
    read_file = std::move(*file);
    read_number = segment.name.number;
  }
  return static_cast<const File*>(read_file.get());
}

}  // namespace dunlin::shipper
