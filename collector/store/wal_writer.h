#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "collector/store/wal_format.h"
#include "protocol/base/clock.h"
#include "protocol/base/file_system.h"

namespace dunlin::store {

/// Appends groups of records to the log and makes each group durable before it answers.
///
/// A file on which a write or sync failed is never written again: after a failed fdatasync Linux
/// marks the pages clean, so a second one that succeeds proves nothing. The group goes into a new
/// file instead, whose first LSN makes whatever reached the old one void.
/// Threads: Commit from one thread; the rest from any.
class WalWriter {
 public:
  struct Options {
    std::string folder;
    std::uint64_t file_bytes = 0;  // a new file is begun when a group would pass it
  };
  /// A file of an earlier run that still holds records no segment covers.
  struct OldFile {
    std::string path;
    std::uint64_t bytes = 0;
    Lsn last_lsn = 0;
  };

  WalWriter(FileSystem& fs, const Clock& clock, Options options, std::uint64_t next_number,
            Lsn next_lsn, std::vector<OldFile> old_files);

  /// Writes the batches with consecutive LSNs, the first of which it returns; all of them are
  /// durable then. Errors: kExhausted when the disk is full: none counts, and a later call may
  /// succeed; any other code: not even a new file would take them.
  Result<Lsn> Commit(std::span<const WalBatch> batches);

  /// Deletes the files that hold nothing above `covered`.
  void RemoveCovered(Lsn covered);

  struct Stats {
    std::uint64_t bytes = 0;  // of all files
    std::uint64_t written_bytes_total = 0;
    std::uint64_t syncs_total = 0;
    double sync_seconds_total = 0;
  };
  Stats stats() const;

 private:
  struct OpenFile {
    std::unique_ptr<File> file;
    WalFileName name;
    std::string path;
    std::uint64_t end = 0;       // where the next group goes
    std::uint64_t reserved = 0;  // bytes of the file that have space on disk
    Lsn last_lsn = 0;
    bool name_durable = false;
  };

  Result<void> TryCommit(std::span<const WalBatch> batches);
  Result<void> Begin();
  Result<void> Reserve(std::uint64_t end);
  void Encode(std::span<const WalBatch> batches);
  void Retire();

  FileSystem& fs_;
  const Clock& clock_;
  const Options options_;
  mutable std::mutex mutex_;
  std::uint64_t next_number_;
  Lsn next_lsn_;
  std::unique_ptr<OpenFile> current_;
  std::vector<OldFile> old_files_;
  std::string group_;  // encoded; kept for its memory
  Stats stats_;
};

}  // namespace dunlin::store
