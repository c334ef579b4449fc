#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "protocol/base/file_system.h"

namespace dunlin::testing {

/// Passes calls on to another file system and lets some of them fail. Calls that change something
/// are counted, from 0; a test repeats its story with n = 0, 1, 2, ... until calls() <= n. Any
/// thread.
class FaultyFileSystem final : public FileSystem {
 public:
  enum class Call {
    kCreate,  // Open with a mode that creates
    kWrite,   // WriteAt, Truncate, Preallocate
    kSync,
    kRename,
    kRemove,
    kCreateDirectories,
    kSyncDirectory,
    kRead,  // ReadAt: counted only where it is asked for by name
  };
  enum class Lasting { kOnce, kForever };

  explicit FaultyFileSystem(FileSystem& under);
  ~FaultyFileSystem() override;

  /// The n-th counted call from now fails with `code`; with kForever every later one too. Only
  /// calls of `kinds` count, all when empty. A failing write first writes half of its bytes.
  void FailCall(std::uint64_t n, Lasting lasting, ErrorCode code = ErrorCode::kIo,
                std::set<Call> kinds = {});
  /// Opening for reading, reading and listing fail with `code` for paths that contain `part`. They
  /// are not counted.
  void FailReads(std::string part, ErrorCode code);
  /// The same with the error that errno makes.
  void FailCallWithErrno(std::uint64_t n, Lasting lasting, int error_number,
                         std::set<Call> kinds = {});
  /// No more failures; counting starts again at 0, over calls of every kind.
  void Heal();
  /// Counted calls since the last FailCall or Heal.
  std::uint64_t calls() const;
  /// Failures since the last FailCall or Heal.
  std::uint64_t failures() const;

  /// Runs before each counted call, on its thread, with the call's number. It may crash the file
  /// system below.
  void OnCall(std::function<void(std::uint64_t n, Call kind, const std::string& path)> observer);

  /// Sync calls of files wait until ReleaseSyncs; WaitForHeldSync returns when one waits.
  void HoldSyncs();
  void ReleaseSyncs();
  void WaitForHeldSync();

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
  class FaultyFile;
  struct State {
    mutable std::mutex mutex;
    std::condition_variable changed;
    std::uint64_t calls = 0;
    std::uint64_t failures = 0;
    std::optional<std::uint64_t> fail_at;
    Lasting lasting = Lasting::kOnce;
    ErrorCode code = ErrorCode::kIo;
    int error_number = 0;  // instead of the code when it is not 0
    std::set<Call> kinds;
    std::optional<std::pair<std::string, ErrorCode>> unreadable;  // part of the path
    std::function<void(std::uint64_t, Call, const std::string&)> observer;
    bool hold_syncs = false;
    int held_syncs = 0;

    Result<void> Count(Call kind, const std::string& path);
    Result<void> CheckRead(const std::string& path) const;
  };

  FileSystem& under_;
  std::shared_ptr<State> state_;  // shared with open files, which may outlive this
};

}  // namespace dunlin::testing
