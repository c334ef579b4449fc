#include <algorithm>
#include <utility>

#include "protocol/base/check.h"
#include "protocol/base/random.h"
#include "protocol/base/text.h"
#include "shipper/spool/gap_list.h"
#include "shipper/spool/spool_impl.h"

namespace dunlin::shipper {
namespace {

Result<void> CheckBatch(const SpoolBatchInfo& info, std::uint64_t last_sequence,
                        std::string_view frame) {
  if (info.first_sequence <= last_sequence || info.first_sequence > info.sequence ||
      info.sequence > kMaxSequence) {
    return Error(ErrorCode::kInvalidArgument, Join("cannot spool batch ", info.first_sequence, "..",
                                                   info.sequence, " after ", last_sequence));
  }
  if (frame.empty()) return Error(ErrorCode::kInvalidArgument, "cannot spool an empty frame");
  return {};
}

}  // namespace

Result<void> Spool::Impl::Append(const SpoolBatchInfo& info, std::string_view frame) {
  Check(!adopted, "an adopted spool is not appended to");
  if (auto valid = CheckBatch(info, last_sequence, frame); !valid) return valid;
  if (info.sequence <= acknowledged_sequence) return {};  // nobody will ask for it

  SpoolRecord record;
  record.payload_bytes = static_cast<std::uint32_t>(frame.size());
  record.info = info;
  // Encoded here for its size; the salt is known once there is a segment.
  std::string head;
  std::uint64_t bytes_needed = AlignedUp(kHeadBytes + identity.size()) + frame.size();
  if (!AppendRecord(head, record, 0) || bytes_needed + head.size() > options.limit_bytes) {
    return Error(ErrorCode::kInvalidArgument,
                 Join("cannot spool batch ", info.sequence, ": too large"));
  }
  if (open && segments.back().batches > 0) {
    // A segment has no holes in its sequences: what is in between is its owner's, not to be dropped
    // along with it, nor to be taken for damage.
    bool follows = info.first_sequence == last_sequence + 1;
    bool fits = segments.back().bytes + head.size() + frame.size() <= options.segment_bytes;
    if (!follows || !fits) {
      if (auto finished = FinishSegment(); !finished) return finished;
    }
  }
  if (!open) {
    if (auto started = StartSegment(); !started) return started;
  }

  Segment& segment = segments.back();
  if (open_torn) {
    if (auto cut = open->Truncate(segment.bytes); !cut) return cut;
    open_torn = false;
  }
  record.payload_checksum = PayloadChecksum(frame, segment.name.salt);
  head.clear();
  AppendRecord(head, record, segment.name.salt);
  // Two writes: a copy of each frame behind its record would cost as much as the second call. The
  // record goes first, so that a kill between them leaves one that says what is missing.
  auto written = open->WriteAt(segment.bytes, head);
  if (written) written = open->WriteAt(segment.bytes + head.size(), frame);
  if (!written) {
    open_torn = !open->Truncate(segment.bytes).has_value();
    return written;
  }

  if (segment.batches == 0) {
    segment.first_sequence = info.first_sequence;
    segment.before = info.before;
    segment.oldest_entry = info.oldest_entry;
    open_sum = {};
    open_sum.type = RecordType::kSummary;
    open_sum.batches = 0;
    open_sum.info.first_sequence = info.first_sequence;
    open_sum.info.oldest_entry = info.oldest_entry;
    open_sum.info.before = info.before;
  }
  ++segment.batches;
  segment.last_sequence = info.sequence;
  segment.bytes = AlignedUp(segment.bytes + head.size() + frame.size());
  segment.after = AfterBatch(info);
  for (const OutputTotals& output : info.totals) {
    segment.newest_entry_ns = std::max(segment.newest_entry_ns, output.last_time_ns);
  }
  open_sum.batches = segment.batches;
  open_sum.info.sequence = info.sequence;
  Add(open_sum.info.totals, info.totals);
  for (const wire::Gap& gap : info.gaps) AddGap(open_sum.info.gaps, gap);
  open_synced = false;
  if (last_sequence <= acknowledged_sequence) front_oldest = info.oldest_entry;
  last_sequence = info.sequence;
  return {};
}

Result<void> Spool::Impl::StartSegment() {
  Segment segment;
  segment.name = {next_number, RandomU64()};
  std::string path = PathOf(segment);
  auto file = fs.Open(path, FileSystem::Mode::kCreate);
  if (!file) return std::move(file).error();
  ++next_number;
  std::string head = EncodeHead(segment.name, identity);
  if (auto written = (*file)->WriteAt(0, head); !written) {
    if (auto removed = fs.Remove(path); !removed) Discard(std::move(path), head.size());
    return written;
  }
  segment.records_position = segment.bytes = head.size();
  segment.first_sequence = last_sequence + 1;  // holds nothing, in its place in the order
  segment.last_sequence = last_sequence;
  segments.push_back(std::move(segment));
  open = std::move(*file);
  open_synced = open_torn = false;
  names_synced = false;
  return {};
}

/// Ends the open segment with its summary. An error leaves it closed without one, which costs the
/// next owner a search through its records and nothing else.
Result<void> Spool::Impl::FinishSegment() {
  Segment& segment = segments.back();
  Result<void> done;
  std::string summary;
  if (open_torn) done = open->Truncate(segment.bytes);
  if (done && AppendRecord(summary, open_sum, segment.name.salt)) {
    AppendFooter(summary, summary.size());
    done = open->WriteAt(segment.bytes, summary);
    if (done) {
      segment.bytes += summary.size();
    } else {
      [[maybe_unused]] auto cut = open->Truncate(segment.bytes);  // damage behind the end if not
    }
  }
  CloseSegment();
  return done;
}

void Spool::Impl::CloseSegment() {
  open.reset();
  Segment& segment = segments.back();
  segment.synced = open_synced;
  if (segment.batches == 0) {
    Discard(PathOf(segment), segment.bytes);
    segments.pop_back();
  }
}

Result<void> Spool::Impl::Sync() {
  auto gaps = WriteGaps();
  auto files = SyncFiles();
  if (!files) return files;
  auto names = SyncNames();
  return gaps ? names : gaps;
}

Result<void> Spool::Impl::SyncNames() {
  if (names_synced) return {};
  for (const std::string* folder : {&place.boot, &place.instance, &place.folder}) {
    if (auto synced = fs.SyncDirectory(*folder); !synced) return synced;
  }
  names_synced = true;
  return {};
}

Result<void> Spool::Impl::SyncFiles() {
  Result<void> done;
  for (Segment& segment : segments) {
    if (segment.synced || IsOpen(segment)) continue;
    auto file = fs.Open(PathOf(segment), FileSystem::Mode::kWrite);
    if (!file) {
      done = std::move(file).error();
      continue;
    }
    segment.synced = true;  // or never will be: the kernel tells once, and forgets what it lost
    if (auto synced = (*file)->Sync(); !synced) done = std::move(synced);
  }
  if (open && !open_synced) {
    auto synced = open->Sync();
    open_synced = true;
    if (!synced) {
      CloseSegment();
      return synced;
    }
  }
  return done;
}

}  // namespace dunlin::shipper
