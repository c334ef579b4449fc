#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/result.h"

namespace dunlin {

/// One open file. Positions are bytes from its start. Ordinary blocking calls: never on a loop
/// thread. Reads may run on several threads at once; everything else needs the caller's own order.
/// Errors: kExhausted for a full disk or quota, kIo and others as errno says.
class File {
 public:
  virtual ~File() = default;

  /// Fills `out` from `position`; returns how many bytes there were, less only at the end of the
  /// file.
  virtual Result<std::size_t> ReadAt(std::uint64_t position, char* out, std::size_t size) const = 0;
  /// Writes all of `bytes` at `position`. On an error any part of them may be in the file.
  virtual Result<void> WriteAt(std::uint64_t position, std::string_view bytes) = 0;
  /// fdatasync. After an error the state of unsynced bytes is unknown for good: the caller must not
  /// try again on this file (Linux marks the pages clean).
  virtual Result<void> Sync() = 0;
  virtual Result<void> Truncate(std::uint64_t size) = 0;
  /// Reserves space for the range and sets the size to cover it; reads of it give zeros.
  virtual Result<void> Preallocate(std::uint64_t size) = 0;
  virtual Result<std::uint64_t> Size() const = 0;
};

/// An exclusive lock on a file, held until destroyed or the process ends.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

/// All file access of agent, collector and controller goes through this, so that tests can drop
/// unsynced bytes and fail the n-th call. Any thread. Paths are the operating system's.
class FileSystem {
 public:
  virtual ~FileSystem() = default;

  enum class Mode {
    kRead,           // must exist
    kWrite,          // read and write, must exist
    kCreate,         // read and write, created or emptied
    kCreatePrivate,  // likewise, for its owner alone from the start, whatever was there
    kCreatePublic,   // likewise, and everybody may read it as far as the umask allows
  };
  virtual Result<std::unique_ptr<File>> Open(const std::string& path, Mode mode) = 0;
  /// Atomic within one file system; replaces `to`. Durable after SyncDirectory of both parents.
  virtual Result<void> Rename(const std::string& from, const std::string& to) = 0;
  virtual Result<void> Remove(const std::string& path) = 0;
  /// The folder and its missing parents; exists already is success.
  virtual Result<void> CreateDirectories(const std::string& path) = 0;
  virtual Result<void> RemoveDirectory(const std::string& path) = 0;
  /// Names (not paths) of what is in the folder, sorted, without . and ...
  virtual Result<std::vector<std::string>> List(const std::string& path) = 0;
  virtual bool Exists(const std::string& path) = 0;
  /// Makes creations, renames and removals in the folder durable.
  virtual Result<void> SyncDirectory(const std::string& path) = 0;
  /// Creates `path` if needed and locks it. Errors: kAlreadyExists when another process (or owner)
  /// holds it; the sentence names its process id when known.
  virtual Result<std::unique_ptr<FileLock>> Lock(const std::string& path) = 0;
  /// Bytes an unprivileged process may still write where `path` lies.
  virtual Result<std::uint64_t> FreeSpace(const std::string& path) = 0;
};

/// The real thing; lives for the whole process.
FileSystem& PosixFileSystem();

/// The whole file. Errors as Open and ReadAt.
Result<std::string> ReadFile(FileSystem& fs, const std::string& path);

/// Replaces `path` by `contents` so that a crash leaves either the old or the new file, durably: a
/// temporary file beside it, Sync, Rename, SyncDirectory. `mode` is one of those that create.
Result<void> WriteFileAtomically(FileSystem& fs, const std::string& path, std::string_view contents,
                                 FileSystem::Mode mode = FileSystem::Mode::kCreate);

/// The folder part of a path: everything before the last slash, "." when there is none.
std::string ParentPath(const std::string& path);

}  // namespace dunlin
