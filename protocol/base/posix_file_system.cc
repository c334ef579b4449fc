#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "protocol/base/file_system.h"
#include "protocol/base/text.h"

namespace dunlin {
namespace {

Error PathError(int error_number, std::string_view attempt, std::string_view path) {
  return ErrnoError(error_number, Join("cannot ", attempt, " ", path));
}

/// Repeats a call that a signal interrupted.
template <typename Call>
auto Uninterrupted(Call call) {
  for (;;) {
    auto result = call();
    if (result >= 0 || errno != EINTR) return result;
  }
}

class PosixFile final : public File {
 public:
  PosixFile(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  ~PosixFile() override { ::close(fd_); }
  PosixFile(const PosixFile&) = delete;
  PosixFile& operator=(const PosixFile&) = delete;

  Result<std::size_t> ReadAt(std::uint64_t position, char* out, std::size_t size) const override {
    std::size_t done = 0;
    while (done < size) {
      ssize_t got = Uninterrupted([&] {
        return ::pread(fd_, out + done, size - done, static_cast<off_t>(position + done));
      });
      if (got < 0) return PathError(errno, "read", path_);
      if (got == 0) break;
      done += static_cast<std::size_t>(got);
    }
    return done;
  }

  Result<void> WriteAt(std::uint64_t position, std::string_view bytes) override {
    while (!bytes.empty()) {
      ssize_t put = Uninterrupted(
          [&] { return ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(position)); });
      if (put < 0) return PathError(errno, "write", path_);
      if (put == 0) return PathError(ENOSPC, "write", path_);  // would be tried for ever
      bytes.remove_prefix(static_cast<std::size_t>(put));
      position += static_cast<std::uint64_t>(put);
    }
    return {};
  }

  Result<void> Sync() override {
    // Not repeated after EINTR: an interrupted sync says nothing about what reached the disk.
    if (::fdatasync(fd_) != 0) return PathError(errno, "sync", path_);
    return {};
  }

  Result<void> Truncate(std::uint64_t size) override {
    if (Uninterrupted([&] { return ::ftruncate(fd_, static_cast<off_t>(size)); }) != 0) {
      return PathError(errno, "truncate", path_);
    }
    return {};
  }

  Result<void> Preallocate(std::uint64_t size) override {
    if (size == 0) return {};  // fallocate refuses it
    if (Uninterrupted([&] { return ::fallocate(fd_, 0, 0, static_cast<off_t>(size)); }) == 0)
      return {};
    if (errno != EOPNOTSUPP && errno != ENOSYS) return PathError(errno, "reserve space for", path_);
    auto have = Size();
    if (!have) return std::move(have).error();
    return *have >= size ? Result<void>() : Truncate(size);
  }

  Result<std::uint64_t> Size() const override {
    struct stat info {};
    if (::fstat(fd_, &info) != 0) return PathError(errno, "stat", path_);
    return static_cast<std::uint64_t>(info.st_size);
  }

 private:
  int fd_;
  std::string path_;
};

class PosixFileLock final : public FileLock {
 public:
  explicit PosixFileLock(int fd) : fd_(fd) {}
  ~PosixFileLock() override { ::close(fd_); }
  PosixFileLock(const PosixFileLock&) = delete;
  PosixFileLock& operator=(const PosixFileLock&) = delete;

 private:
  int fd_;
};

class PosixFileSystemImpl final : public FileSystem {
 public:
  Result<std::unique_ptr<File>> Open(const std::string& path, Mode mode) override {
    int flags = O_CLOEXEC;
    mode_t permissions = 0640;
    switch (mode) {
      case Mode::kRead:
        flags |= O_RDONLY;
        break;
      case Mode::kWrite:
        flags |= O_RDWR;
        break;
      case Mode::kCreate:
        flags |= O_RDWR | O_CREAT | O_TRUNC;
        break;
      case Mode::kCreatePrivate:
        // One that is there may be open to others already; this one is new.
        if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
          return PathError(errno, "remove", path);
        }
        flags |= O_RDWR | O_CREAT | O_EXCL;
        permissions = 0600;
        break;
      case Mode::kCreatePublic:
        flags |= O_RDWR | O_CREAT | O_TRUNC;
        permissions = 0644;
        break;
    }
    int fd = Uninterrupted([&] { return ::open(path.c_str(), flags, permissions); });
    if (fd < 0) return PathError(errno, "open", path);
    return std::unique_ptr<File>(std::make_unique<PosixFile>(fd, path));
  }

  Result<void> Rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) {
      return PathError(errno, "rename", Join(from, " to ", to));
    }
    return {};
  }

  Result<void> Remove(const std::string& path) override {
    if (::unlink(path.c_str()) != 0) return PathError(errno, "remove", path);
    return {};
  }

  Result<void> CreateDirectories(const std::string& path) override {
    if (path.empty() || path == "/" || IsDirectory(path)) return {};
    if (auto parent = CreateDirectories(ParentPath(path)); !parent) return parent;
    if (::mkdir(path.c_str(), 0750) != 0 && !(errno == EEXIST && IsDirectory(path))) {
      return PathError(errno, "create folder", path);
    }
    return {};
  }

  Result<void> RemoveDirectory(const std::string& path) override {
    if (::rmdir(path.c_str()) != 0) return PathError(errno, "remove folder", path);
    return {};
  }

  Result<std::vector<std::string>> List(const std::string& path) override {
    DIR* dir = ::opendir(path.c_str());
    if (dir == nullptr) return PathError(errno, "list", path);
    std::vector<std::string> names;
    int error_number = 0;
    for (;;) {
      errno = 0;  // readdir tells its end from its failure by this alone
      dirent* item = ::readdir(dir);
      error_number = errno;
      if (item == nullptr) break;
      std::string_view name = item->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
    }
    ::closedir(dir);
    if (error_number != 0) return PathError(error_number, "list", path);
    std::sort(names.begin(), names.end());
    return names;
  }

  bool Exists(const std::string& path) override { return ::access(path.c_str(), F_OK) == 0; }

  Result<void> SyncDirectory(const std::string& path) override {
    int fd =
        Uninterrupted([&] { return ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
    if (fd < 0) return PathError(errno, "open folder", path);
    int failed = ::fsync(fd);
    int error_number = errno;
    ::close(fd);
    if (failed != 0) return PathError(error_number, "sync folder", path);
    return {};
  }

  Result<std::unique_ptr<FileLock>> Lock(const std::string& path) override {
    // Whoever held it may have removed the file between our open and our flock: then this locks a
    // file that nobody else will find, and the next one to come locks another.
    for (int attempt = 0; attempt < 100; ++attempt) {
      auto fd = LockOnce(path);
      if (!fd) return std::move(fd).error();
      if (!LeadsTo(path, *fd)) {
        ::close(*fd);
        continue;
      }
      // The id is for people; the lock itself is the flock. A full disk must not refuse it.
      std::string pid;
      AppendInteger(pid, ::getpid());
      if (::ftruncate(*fd, 0) == 0) {
        [[maybe_unused]] ssize_t put = ::pwrite(*fd, pid.data(), pid.size(), 0);
      }
      return std::unique_ptr<FileLock>(std::make_unique<PosixFileLock>(*fd));
    }
    return Error(ErrorCode::kAlreadyExists, Join("cannot lock ", path, ": it is being replaced"));
  }

  Result<std::uint64_t> FreeSpace(const std::string& path) override {
    struct statvfs info {};
    if (::statvfs(path.c_str(), &info) != 0) return PathError(errno, "read free space of", path);
    return static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize;
  }

 private:
  /// A descriptor that holds the lock of what `path` led to.
  static Result<int> LockOnce(const std::string& path) {
    int fd =
        Uninterrupted([&] { return ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640); });
    if (fd < 0) return PathError(errno, "open lock file", path);
    if (::flock(fd, LOCK_EX | LOCK_NB) == 0) return fd;
    int error_number = errno;
    char owner[32] = {};
    ssize_t got = ::pread(fd, owner, sizeof owner - 1, 0);
    ::close(fd);
    if (error_number != EWOULDBLOCK) return PathError(error_number, "lock", path);
    std::string message = Join("cannot lock ", path, ": another process uses this folder");
    if (got > 0)
      message += Join(" (process ", std::string_view(owner, static_cast<std::size_t>(got)), ")");
    return Error(ErrorCode::kAlreadyExists, std::move(message));
  }

  static bool LeadsTo(const std::string& path, int fd) {
    struct stat named {};
    struct stat opened {};
    return ::stat(path.c_str(), &named) == 0 && ::fstat(fd, &opened) == 0 &&
           named.st_ino == opened.st_ino && named.st_dev == opened.st_dev;
  }

  static bool IsDirectory(const std::string& path) {
    struct stat info {};
    return ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
  }
};

}  // namespace

FileSystem& PosixFileSystem() {
  static PosixFileSystemImpl fs;
  return fs;
}

}  // namespace dunlin
