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
///
/// Covered files become spare ones, whose space new files take over: overwriting blocks that were
/// written before is the fastest thing to sync, and works on a full disk.
/// Threads: Commit from one thread; the rest from any.
class WalWriter {
 public:
  struct Options {
    std::string folder;
    std::uint64_t file_bytes = 0;  // a new file is begun when a group would pass it
    std::size_t spare_files = 0;   // kept at most
  };
  /// A file that still holds records no segment covers.
  struct OldFile {
    std::string path;
    std::uint64_t bytes = 0;
    Lsn last_lsn = 0;
    /// Its space may be used again. Not after a failure, and not when an earlier run wrote it,
    /// which may have failed.
    bool reusable = false;
  };

  /// Takes over the spare files of an earlier run.
  WalWriter(FileSystem& fs, const Clock& clock, Options options, std::uint64_t next_number,
            Lsn next_lsn, std::vector<OldFile> old_files);
  /// Removes the spare files, so that an orderly stop leaves an empty folder.
  ~WalWriter();
  WalWriter(const WalWriter&) = delete;
  WalWriter& operator=(const WalWriter&) = delete;

  /// Writes the batches, at most kMaxWalGroupRecords, with consecutive LSNs, the first of which it
  /// returns; all of them are durable then. Errors: not even a new file would take them, none
  /// counts. A later call tries a new file again; kExhausted when the disk is full.
  Result<Lsn> Commit(std::span<const WalBatch> batches);

  /// Lets go of the files that hold nothing above `covered`.
  void RemoveCovered(Lsn covered);
  /// Gives the space of spare files back to the disk.
  void RemoveSpares();

  struct Stats {
    std::uint64_t bytes = 0;  // of all files, spare ones too
    std::uint64_t files = 0;
    std::uint64_t spare_files = 0;
    std::uint64_t written_bytes_total = 0;
    std::uint64_t syncs_total = 0;
    double sync_seconds_total = 0;
    std::uint64_t files_recycled_total = 0;
    std::uint64_t failures_total = 0;  // files given up after a failed write or sync
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
  struct Spare {
    std::string path;
    std::uint64_t bytes = 0;
  };

  Result<void> TryCommit(std::span<const WalBatch> batches);
  Result<void> Begin();
  Result<void> BeginInSpare(OpenFile& open);
  Result<void> BeginNew(OpenFile& open);
  Result<void> Reserve(OpenFile& open, std::uint64_t end);
  void Encode(std::span<const WalBatch> batches);
  /// Ends the current file; `reusable` unless something failed on it.
  void Retire(bool reusable);
  void GiveUp(const Error& error);
  bool MakeSpare(const OldFile& file);
  void AdoptSpares();
  bool Remove(const std::string& path, std::uint64_t bytes);

  FileSystem& fs_;
  const Clock& clock_;
  const Options options_;
  mutable std::mutex mutex_;
  std::uint64_t next_number_;
  Lsn next_lsn_;
  std::unique_ptr<OpenFile> current_;
  std::vector<OldFile> old_files_;
  std::vector<Spare> spares_;
  std::string group_;  // encoded; kept for its memory
  Stats stats_;
};

}  // namespace dunlin::store
