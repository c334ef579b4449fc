#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "protocol/base/file_system.h"
#include "protocol/base/result.h"
#include "shipper/spool/spool_format.h"

namespace dunlin::shipper {

/// The file that says how far a boot is acknowledged: two slots of a fixed size, so that saying it
/// needs no room on a full disk, written in turn, so that a torn write leaves the one before. One
/// thread.
class AcknowledgedFile {
 public:
  /// Creates the file with nothing acknowledged.
  static Result<AcknowledgedFile> Create(FileSystem& fs, const std::string& path);
  /// Opens it; one that is missing or has no intact slot says nothing is acknowledged.
  static Result<AcknowledgedFile> Open(FileSystem& fs, const std::string& path);

  const AcknowledgedSlot& slot() const { return slot_; }
  /// In the operating system's hands when it returns OK. After an error the file says what it said.
  Result<void> Write(const AcknowledgedSlot& slot);
  Result<void> Sync() { return file_->Sync(); }

 private:
  explicit AcknowledgedFile(std::unique_ptr<File> file) : file_(std::move(file)) {}

  std::unique_ptr<File> file_;
  AcknowledgedSlot slot_;
  std::uint64_t next_position_ = 0;
};

}  // namespace dunlin::shipper
