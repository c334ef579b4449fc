#include <algorithm>
#include <utility>

#include "protocol/base/text.h"
#include "shipper/spool/spool_impl.h"

namespace dunlin::shipper {
namespace {

/// Holds the head of nearly every segment, or its summary and footer.
constexpr std::size_t kFirstReadBytes = 512;

/// Up to `size` bytes at `position`; with kLose none instead of an error of the disk.
Result<std::string> ReadBytes(const File& file, std::uint64_t position, std::size_t size,
                              Spool::Unreadable unreadable) {
  std::string bytes(size, '\0');
  auto got = file.ReadAt(position, bytes.data(), bytes.size());
  if (!got && unreadable == Spool::Unreadable::kFail) return std::move(got).error();
  bytes.resize(got ? *got : 0);
  return bytes;
}

/// The bytes of a segment's head, damaged or not.
Result<std::string> ReadHead(const File& file, Spool::Unreadable unreadable) {
  auto bytes = ReadBytes(file, 0, kFirstReadBytes, unreadable);
  if (!bytes) return bytes;
  std::size_t size = HeadSize(*bytes).value_or(0);
  if (size > bytes->size()) bytes = ReadBytes(file, 0, size, unreadable);
  if (bytes && bytes->size() > size) bytes->resize(size);
  return bytes;
}

/// Takes over what one record says that sums up all of a segment.
void Describe(Segment& segment, const SpoolRecord& sum) {
  segment.first_sequence = sum.info.first_sequence;
  segment.last_sequence = sum.info.sequence;
  segment.batches = sum.batches;
  segment.oldest_entry = sum.info.oldest_entry;
  segment.before = sum.info.before;
  segment.after = AfterBatch(sum.info);
  for (const OutputTotals& output : sum.info.totals) {
    segment.newest_entry_ns = std::max(segment.newest_entry_ns, output.last_time_ns);
  }
}

/// Describes a segment without summary by all of its records. Returns whether there was damage
/// behind the last one; no batches when there was no record.
Result<bool> DescribeByRecords(const File& file, Segment& segment, Spool::Unreadable unreadable) {
  RecordWalk walk(file, segment.name.salt, segment.records_position, segment.bytes, unreadable);
  for (;;) {
    auto next = walk.Next();
    if (!next) return std::move(next).error();
    if (!*next || (*next)->record.type == RecordType::kSummary) return walk.damaged_end();
    const SpoolBatchInfo& info = (*next)->record.info;
    if (segment.batches == 0) {
      Describe(segment, (*next)->record);
      segment.batches = 1;
    } else if (info.first_sequence > segment.last_sequence) {
      ++segment.batches;
      segment.last_sequence = info.sequence;
      segment.after = AfterBatch(info);
      for (const OutputTotals& output : info.totals) {
        segment.newest_entry_ns = std::max(segment.newest_entry_ns, output.last_time_ns);
      }
    }
  }
}

}  // namespace

Result<std::optional<SpoolRecord>> ReadSummary(const File& file, std::uint64_t bytes,
                                               std::uint64_t salt) {
  std::optional<SpoolRecord> none;
  auto tail_bytes = static_cast<std::size_t>(std::min<std::uint64_t>(bytes, kFirstReadBytes));
  for (;;) {
    auto tail = ReadBytes(file, bytes - tail_bytes, tail_bytes, Spool::Unreadable::kFail);
    if (!tail) return std::move(tail).error();
    if (tail->size() != tail_bytes || tail_bytes < kFooterBytes) return none;
    std::size_t size = SummarySize(std::string_view(*tail).substr(tail_bytes - kFooterBytes));
    if (size == 0 || size + kFooterBytes > bytes) return none;
    if (size + kFooterBytes > tail_bytes) {
      tail_bytes = size + kFooterBytes;
      continue;
    }
    auto record =
        DecodeRecord(std::string_view(*tail).substr(tail_bytes - kFooterBytes - size, size), salt);
    if (!record || record->type != RecordType::kSummary) return none;
    return record;
  }
}

Result<void> Spool::Impl::Load(Unreadable unreadable) {
  adopted = true;
  auto names = fs.List(place.boot);
  if (!names) return std::move(names).error();
  for (const std::string& name : *names) {
    if (auto segment = ParseSegmentName(name)) {
      if (auto loaded = LoadSegment(*segment, unreadable); !loaded) return loaded;
    } else if (name != kBootFileName) {
      ++foreign_files;
    }
  }
  // Behind the very last record there is no neighbour that knows how many lines that were; further
  // in front Read finds a hole, or nothing is missing.
  if (damaged_tail) ++damaged_batches;
  ForgetCovered();
  acknowledged_sequence = boot_file.slot().sequence;
  acknowledged_totals = boot_file.slot().before;
  last_sequence = segments.empty() ? acknowledged_sequence : segments.back().last_sequence;
  RemoveAcknowledged();
  if (segments.empty()) return {};
  if (identity.empty()) {
    return Error(ErrorCode::kCorruption,
                 Join("cannot adopt ", place.boot, ": no file tells whose it is"));
  }
  return AdvanceFront(unreadable);
}

Result<void> Spool::Impl::LoadSegment(const SegmentName& name, Unreadable unreadable) {
  Segment segment;
  segment.name = name;
  std::string path = PathOf(segment);
  auto file = fs.Open(path, FileSystem::Mode::kRead);
  if (!file) {
    if (unreadable == Unreadable::kLose) return {};  // a hole between its neighbours
    return std::move(file).error();
  }
  auto size = (*file)->Size();
  if (!size) return std::move(size).error();
  segment.bytes = *size;

  auto bytes = ReadHead(**file, unreadable);
  if (!bytes) return std::move(bytes).error();
  auto head = DecodeHead(*bytes);
  if (head) {
    if (head->name != name) {
      ++foreign_files;
      return {};
    }
    if (identity.empty()) identity = head->identity;
    segment.records_position = bytes->size();
  } else if (head.error().code() == ErrorCode::kUnsupported) {
    return std::move(head).error().Wrap(Join("cannot adopt ", path));
  } else {
    // The name says what the head did, and the first record is found by searching.
    segment.records_position = kHeadBytes;
  }

  damaged_tail = false;
  auto first = RecordWalk(**file, name.salt, segment.records_position, *size, unreadable).Here();
  if (!first) return std::move(first).error();
  std::optional<SpoolRecord> sum;
  if (*first && (*first)->record.type == RecordType::kGap) {
    sum = std::move((*first)->record);
    segment.gap = std::make_unique<SegmentGap>();
    segment.gap->gaps = sum->info.gaps;
    segment.gap->written = true;
  } else {
    auto summary = ReadSummary(**file, *size, name.salt);
    if (!summary && unreadable == Unreadable::kFail) return std::move(summary).error();
    if (summary) sum = std::move(*summary);
  }
  if (sum) {
    Describe(segment, *sum);
  } else {
    auto damaged_end = DescribeByRecords(**file, segment, unreadable);
    if (!damaged_end) return std::move(damaged_end).error();
    damaged_tail = *damaged_end;
  }
  if (segment.batches == 0) {
    Discard(std::move(path), *size);
  } else {
    segments.push_back(std::move(segment));
  }
  return {};
}

/// A gap that took in the one in front of it was written before that one was removed: a kill
/// between leaves both. Whatever the cause, later segments are right about their sequences.
void Spool::Impl::ForgetCovered() {
  std::vector<Segment> kept;
  for (auto segment = segments.rbegin(); segment != segments.rend(); ++segment) {
    if (!kept.empty() && segment->last_sequence >= kept.back().first_sequence) {
      const Segment& later = kept.back();
      if (segment->first_sequence >= later.first_sequence) {
        Discard(PathOf(*segment), segment->bytes);
        continue;
      }
      segment->last_sequence = later.first_sequence - 1;
      segment->after = later.before;
    }
    kept.push_back(std::move(*segment));
  }
  std::reverse(kept.begin(), kept.end());
  segments = std::move(kept);
}

}  // namespace dunlin::shipper
