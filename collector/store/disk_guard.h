#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>

#include "protocol/base/clock.h"
#include "protocol/base/file_system.h"
#include "protocol/base/result.h"

namespace dunlin::store {

/// Says whether the disk has room for new entries, and keeps some back for what has to be written
/// even when it has not: segments out of memory, and the manifest's records of what retention
/// removes.
///
/// That reserve is a file, the ballast, because free space alone may be taken by others, and a
/// quota does not show in it. It is given up when a write finds the disk full; until it fits again,
/// with `min_free_bytes` beside it, nothing new is stored. Any thread.
class DiskGuard {
 public:
  struct Options {
    std::string folder;
    std::uint64_t min_free_bytes = 0;
    std::uint64_t ballast_bytes = 0;  // zero: none
  };

  DiskGuard(FileSystem& fs, const Clock& clock, Options options);
  DiskGuard(const DiskGuard&) = delete;
  DiskGuard& operator=(const DiskGuard&) = delete;

  /// Looks at the disk, unless that was done within the last second.
  void Check();
  /// A write of the store found the disk full.
  void OnDiskFull();

  /// Why nothing can be stored, as of the last look.
  std::optional<Error> Refusal() const;
  bool full() const;
  std::uint64_t free_bytes() const;

 private:
  void Look();
  bool TakeBallast(std::uint64_t free);
  std::string BallastPath() const { return options_.folder + "/BALLAST"; }

  FileSystem& fs_;
  const Clock& clock_;
  const Options options_;
  /// Held while the disk is used, which may take its time; the answers below have their own mutex,
  /// so that asking for them never waits for a disk. Nest in this order.
  std::mutex disk_mutex_;
  std::optional<SteadyTime> looked_;
  bool has_ballast_ = false;

  mutable std::mutex mutex_;
  std::optional<Error> cannot_look_;
  std::uint64_t free_bytes_ = 0;
  bool full_ = false;
};

}  // namespace dunlin::store
