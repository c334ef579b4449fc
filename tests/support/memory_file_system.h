#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/file_system.h"

namespace dunlin::testing {

/// Files in memory that forget what a power failure would: bytes written since the last Sync of the
/// file, and names created, renamed or removed since the last SyncDirectory of their folder. Paths
/// are absolute; "/" exists. Any thread.
class MemoryFileSystem final : public FileSystem {
 public:
  MemoryFileSystem();
  ~MemoryFileSystem() override;
  MemoryFileSystem(const MemoryFileSystem&) = delete;
  MemoryFileSystem& operator=(const MemoryFileSystem&) = delete;

  /// Power failure: only synced bytes and names remain, locks are gone, and every File and FileLock
  /// of the time before fails (so that the crashed program's objects may be destroyed later without
  /// effect).
  void Crash();
  /// Power failure during which the disk kept some of what was not synced: each unsynced write
  /// stays whole, stays in part or is lost, and a leading part of the unsynced names stays, all
  /// drawn from `seed`.
  void CrashTorn(std::uint64_t seed);
  /// kill -9: as Crash, but what was written stays, synced or not.
  void Kill();

  /// Changes bytes behind the program's back, durably.
  void Corrupt(const std::string& path, std::uint64_t position, std::uint8_t xor_mask);
  /// Cuts the file behind the program's back, durably.
  void Cut(const std::string& path, std::uint64_t size);
  /// The file's present contents, synced or not; empty when there is none.
  std::string Contents(const std::string& path);
  /// Creates or replaces a file durably.
  void Put(const std::string& path, std::string contents);
  /// Every file below `folder`, sorted, with whole paths.
  std::vector<std::string> Files(const std::string& folder);

  /// What FreeSpace answers; writes that would grow files past it fail with kExhausted. Default:
  /// 1 TiB.
  void SetFreeSpace(std::uint64_t bytes);

  Result<std::unique_ptr<File>> Open(const std::string& path, Mode mode) override;
  Result<void> Rename(const std::string& from, const std::string& to) override;
  Result<void> Remove(const std::string& path) override;
  Result<void> CreateDirectories(const std::string& path) override;
  Result<void> RemoveDirectory(const std::string& path) override;
  Result<std::vector<std::string>> List(const std::string& path) override;
  bool Exists(const std::string& path) override;
  Result<void> SyncDirectory(const std::string& path) override;
  Result<std::unique_ptr<FileLock>> Lock(const std::string& path) override;
  Result<std::uint64_t> FreeSpace(const std::string& path) override;

 private:
  struct Node;
  struct State;
  class OpenFile;
  class HeldLock;

  std::shared_ptr<State> state_;
};

}  // namespace dunlin::testing
