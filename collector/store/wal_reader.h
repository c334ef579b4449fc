#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "collector/store/wal_format.h"
#include "protocol/base/file_system.h"

namespace dunlin::store {

/// A stretch of a WAL file that held acknowledged records and cannot be read.
struct WalDamage {
  std::uint64_t offset = 0;  // bytes from the start of the file
  std::uint64_t bytes = 0;
  Lsn first_lost = 0;  // records lost: [first_lost, end_lost); none when equal
  Lsn end_lost = 0;
};

/// What reading one file found.
struct WalReport {
  std::uint64_t records = 0;     // visited
  Lsn last_lsn = 0;              // highest intact; one below the first when there is none
  std::uint64_t torn_bytes = 0;  // a tail that was being written in a crash; nobody was promised it
  bool header_damaged = false;
  std::vector<WalDamage> damage;
};

/// A WAL file's place in the log.
struct WalFileEntry {
  WalFileName name;
  std::string path;
  std::uint64_t bytes = 0;
  Lsn first_lsn = 0;
  bool header_damaged = false;  // first_lsn is then that of its first intact record
  bool recycled = false;        // what follows the last record may be anything
  bool never_used = false;      // no intact header and no record: created just before a crash
};

/// The log's files in order, with their headers. Errors: kIo and others from the file system;
/// kUnsupported for a file of a newer program.
Result<std::vector<WalFileEntry>> ListWal(FileSystem& fs, const std::string& folder);

/// Visits the intact records of one file in order, from its start up to `end_lsn`, the first LSN of
/// the next file (none for the newest file). Views are valid during the visit. Errors: those of the
/// file system; damage is reported, not an error.
Result<WalReport> ReadWalFile(FileSystem& fs, const WalFileEntry& file, std::optional<Lsn> end_lsn,
                              const std::function<void(const WalRecord&)>& visit);

}  // namespace dunlin::store
