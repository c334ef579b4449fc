#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/base/file_system.h"
#include "protocol/base/units.h"

namespace dunlin::shipper::testing {

/// Reads and bytes of one file system.
struct Counts {
  std::uint64_t reads = 0;
  std::uint64_t bytes_read = 0;
  std::uint64_t largest_read = 0;
};

class SparseFile final : public File {
 public:
  SparseFile(std::unique_ptr<File> under, Counts& counts)
      : under_(std::move(under)), counts_(counts) {}
  Result<std::size_t> ReadAt(std::uint64_t position, char* out, std::size_t size) const override {
    auto got = under_->ReadAt(position, out, size);
    ++counts_.reads;
    counts_.bytes_read += got ? *got : 0;
    counts_.largest_read = std::max<std::uint64_t>(counts_.largest_read, size);
    return got;
  }
  /// A large write leaves a hole of its size: what is tested reads no frames.
  Result<void> WriteAt(std::uint64_t position, std::string_view bytes) override {
    if (bytes.size() >= 64_KiB) return under_->Truncate(position + bytes.size());
    return under_->WriteAt(position, bytes);
  }
  Result<void> Sync() override { return {}; }
  Result<void> Truncate(std::uint64_t size) override { return under_->Truncate(size); }
  Result<void> Preallocate(std::uint64_t size) override { return under_->Preallocate(size); }
  Result<std::uint64_t> Size() const override { return under_->Size(); }

 private:
  std::unique_ptr<File> under_;
  Counts& counts_;
};

/// The real file system with holes for frames, so that gigabytes cost nothing.
class SparseFileSystem final : public FileSystem {
 public:
  Counts counts;

  Result<std::unique_ptr<File>> Open(const std::string& path, Mode mode) override {
    auto file = PosixFileSystem().Open(path, mode);
    if (!file) return file;
    return std::unique_ptr<File>(std::make_unique<SparseFile>(std::move(*file), counts));
  }
  Result<void> Rename(const std::string& from, const std::string& to) override {
    return PosixFileSystem().Rename(from, to);
  }
  Result<void> Remove(const std::string& path) override { return PosixFileSystem().Remove(path); }
  Result<void> CreateDirectories(const std::string& path) override {
    return PosixFileSystem().CreateDirectories(path);
  }
  Result<void> RemoveDirectory(const std::string& path) override {
    return PosixFileSystem().RemoveDirectory(path);
  }
  Result<std::vector<std::string>> List(const std::string& path) override {
    return PosixFileSystem().List(path);
  }
  bool Exists(const std::string& path) override { return PosixFileSystem().Exists(path); }
  Result<void> SyncDirectory(const std::string&) override { return {}; }
  Result<std::unique_ptr<FileLock>> Lock(const std::string& path) override {
    return PosixFileSystem().Lock(path);
  }
  Result<std::uint64_t> FreeSpace(const std::string& path) override {
    return PosixFileSystem().FreeSpace(path);
  }
};

}  // namespace dunlin::shipper::testing
