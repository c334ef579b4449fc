#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "collector/store/dedup.h"
#include "collector/store/segment_format.h"
#include "protocol/base/file_system.h"

namespace dunlin::store {

/// Acknowledged entries that are known to be gone: a quarantined segment or a damaged stretch of
/// the WAL. Every scan of the span says so, until retention would have removed them anyway.
struct Loss {
  TimeSpan span;
  std::string text;
};

/// The state that the manifest's records add up to.
struct ManifestState {
  Lsn covered_lsn = 0;  // every WAL record up to here is in segments
  std::uint64_t next_arrival = 0;
  std::map<RandomId, SegmentFacts> segments;
  std::vector<Loss> losses;
  DedupState dedup;  // as of covered_lsn
};

/// One atomic change. Fields left as they are change nothing.
struct ManifestEdit {
  Lsn covered_lsn = 0;
  std::uint64_t next_arrival = 0;
  std::vector<SegmentFacts> added;
  std::vector<RandomId> removed;
  std::vector<Loss> lost;
  std::int64_t losses_until_ns = 0;  // losses that end before it are forgotten; zero: none
  std::string dedup_changes;
};

/// The only place that says which segments exist and what the WAL still holds beyond them: a log of
/// edits, and CURRENT naming it (docs/segment-format.md, "Manifest"). One edit is one commit.
/// One thread at a time.
class Manifest {
 public:
  struct Opened;
  /// Reads the state of `folder`, or begins an empty one; damage is reported, not an error. Errors:
  /// those of the file system; kUnsupported for a newer program's.
  static Result<Opened> Open(FileSystem& fs, const std::string& folder, std::int64_t now_ns);

  const ManifestState& state() const { return state_; }

  /// Makes the edit durable and applies it. After an error it is not known whether a crash would
  /// find the edit made, so the caller repeats the same edit until it succeeds.
  Result<void> Append(const ManifestEdit& edit, std::int64_t now_ns);

  /// For what a start found on the disk, which is so whether it can be written down or not: applies
  /// the edit and begins a new file with the whole state. After an error that file is begun by the
  /// next Append.
  Result<void> Adopt(const ManifestEdit& edit, std::int64_t now_ns);

 private:
  Manifest(FileSystem& fs, std::string folder) : fs_(fs), folder_(std::move(folder)) {}
  Result<void> Rewrite();
  Result<bool> Read(const std::string& name);
  void Apply(const ManifestEdit& edit);
  std::string PathOf(std::uint64_t number) const;

  FileSystem& fs_;
  const std::string folder_;
  ManifestState state_;
  std::uint64_t number_ = 0;
  std::unique_ptr<File> file_;  // none: the next edit begins a new file
  std::uint64_t end_ = 0;
  std::uint64_t rewrite_at_ = 0;
};

struct Manifest::Opened {
  std::unique_ptr<Manifest> manifest;
  /// Records or CURRENT were damaged: segments that are not listed may have been. Nothing is
  /// written until Adopt, so that until then every start finds the damage.
  bool damaged = false;
};

}  // namespace dunlin::store
