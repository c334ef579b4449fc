#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shipper/spool/boot_file.h"
#include "shipper/spool/record_walk.h"
#include "shipper/spool/spool.h"
#include "shipper/spool/spool_format.h"

namespace dunlin::shipper {

/// What a dropped segment left.
struct SegmentGap {
  std::vector<wire::Gap> gaps;
  bool written = false;             // its file says so, too
  std::vector<std::string> covers;  // files of gaps it took in, to be removed once it is written
};

/// What is kept in memory of a segment.
struct Segment {
  SegmentName name;
  std::uint64_t first_sequence = 0;
  std::uint64_t last_sequence = 0;
  std::uint64_t records_position = 0;  // behind the head
  std::uint64_t bytes = 0;             // of the file, up to its last record
  std::uint32_t batches = 0;           // none: only a new segment that the first Append failed on
  bool synced = false;
  LogTime oldest_entry{};
  std::int64_t newest_entry_ns = 0;
  Totals before{};
  Totals after{};
  std::unique_ptr<SegmentGap> gap;
};

/// A place in a segment, between two records.
struct SegmentCursor {
  std::uint64_t number = 0;  // of the segment; 0: nowhere
  std::uint64_t position = 0;
  std::uint64_t sequence = 0;  // everything up to it is in front
  Totals after{};              // what that accounted for
};

/// The record a segment of `bytes` ends with; nothing when that is no summary. Errors: those of the
/// disk.
Result<std::optional<SpoolRecord>> ReadSummary(const File& file, std::uint64_t bytes,
                                               std::uint64_t salt);

/// The spool itself; see spool.h for what its calls promise.
struct Spool::Impl {
  struct Place {
    std::string folder;    // of all agents
    std::string instance;  // the folder in it
    std::string boot;      // the folder in that
    std::string lock;      // the file beside it
  };
  struct Garbage {
    std::string path;
    std::uint64_t bytes = 0;
  };

  Impl(FileSystem& file_system, SpoolOptions spool_options, Place spool_place,
       std::unique_ptr<FileLock> file_lock, BootFile boot)
      : fs(file_system),
        options(spool_options),
        place(std::move(spool_place)),
        lock(std::move(file_lock)),
        boot_file(std::move(boot)),
        identity(boot_file.identity()) {}

  // spool_load.cc: what an earlier process left.
  Result<void> Load(Unreadable unreadable);
  Result<void> LoadSegment(const SegmentName& name, Unreadable unreadable);
  void ForgetCovered();

  // spool_append.cc
  Result<void> Append(const SpoolBatchInfo& info, std::string_view frame);
  Result<void> StartSegment();
  Result<void> FinishSegment();
  void CloseSegment();
  Result<void> Sync();
  Result<void> SyncFiles();
  Result<void> SyncNames();

  // spool_read.cc
  Result<SpoolBatch> Read(std::uint64_t sequence, Unreadable unreadable);
  Result<SpoolBatch> ReadIn(const Segment& segment, std::uint64_t sequence, Unreadable unreadable);
  Result<SpoolBatch> ReadPayload(const Segment& segment, const File& file, FoundRecord found,
                                 Unreadable unreadable);
  SpoolBatch Lost(std::uint64_t first, std::uint64_t last, const Totals& before,
                  const Totals& after);
  SegmentCursor BeginOf(const Segment& segment) const;
  Result<const File*> FileOf(const Segment& segment);

  // spool_remove.cc: acknowledged and dropped.
  Result<void> Acknowledge(std::uint64_t sequence);
  void RemoveAcknowledged();
  Result<void> AdvanceFront(Unreadable unreadable);
  Result<void> CollectGarbage();
  void Discard(std::string path, std::uint64_t bytes);
  std::size_t OldestUnsent(std::uint64_t first_unsent) const;
  Result<std::optional<SpoolDrop>> DropOldest(std::uint64_t first_unsent, std::string_view reason);
  Result<SpoolRecord> SumOf(const Segment& segment);
  Result<void> WriteGap(Segment& segment);
  Result<void> WriteGaps();

  SpoolAccounts Accounts() const;
  std::uint64_t bytes() const;
  std::string PathOf(const Segment& segment) const {
    return place.boot + "/" + EncodeSegmentName(segment.name);
  }
  bool IsOpen(const Segment& segment) const { return open && &segment == &segments.back(); }

  FileSystem& fs;
  SpoolOptions options;
  Place place;
  std::unique_ptr<FileLock> lock;
  BootFile boot_file;
  std::string identity;
  bool adopted = false;

  std::vector<Segment> segments;  // by rising sequence; the last one may be open
  std::uint64_t next_number = 1;
  std::uint64_t last_sequence = 0;  // ever appended

  std::unique_ptr<File> open;  // of the last segment, while it grows
  SpoolRecord open_sum;        // its summary so far
  bool open_synced = true;
  bool open_torn = false;  // a failed Append left bytes behind its end
  bool names_synced = false;

  std::unique_ptr<File> read_file;
  std::uint64_t read_number = 0;  // of its segment
  SegmentCursor reading;          // where the last Read stopped

  std::uint64_t acknowledged_sequence = 0;
  Totals acknowledged_totals{};  // what everything up to there accounted for
  bool slot_written = true;
  bool slot_synced = true;
  SegmentCursor front;              // in the first segment, behind what is acknowledged
  std::uint32_t front_batches = 0;  // of it, acknowledged
  std::optional<LogTime> front_oldest;

  std::vector<Garbage> garbage;  // files to remove, after the slot that says so is synced
  std::size_t unwritten_gaps = 0;

  std::uint64_t damaged_batches = 0;
  Totals damaged{};
  std::uint64_t damage_counted_to = 0;
  std::uint64_t foreign_files = 0;
  bool damaged_tail = false;  // of the segment loaded last
};

}  // namespace dunlin::shipper
