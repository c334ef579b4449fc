#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "protocol/base/file_system.h"
#include "protocol/base/result.h"
#include "shipper/spool/spool_format.h"

namespace dunlin::shipper {

/// The file that says whose a spool is and how far it is acknowledged. For the latter two slots of
/// a fixed size: saying it needs no room on a full disk; written in turn, a torn write leaves the
/// one before. One thread.
class BootFile {
 public:
  /// Creates the file with nothing acknowledged; its bytes are on disk when it returns OK.
  static Result<BootFile> Create(FileSystem& fs, const std::string& path,
                                 std::string_view identity);
  /// Opens it. One that is missing is made, without an identity; damaged slots say that nothing is
  /// acknowledged.
  static Result<BootFile> Open(FileSystem& fs, const std::string& path);

  /// Empty when it is damaged.
  const std::string& identity() const { return identity_; }
  const AcknowledgedSlot& slot() const { return slot_; }
  /// In the operating system's hands when it returns OK. After an error the file may say what it
  /// said when it was synced.
  Result<void> Write(const AcknowledgedSlot& slot);
  Result<void> Sync();

 private:
  explicit BootFile(std::unique_ptr<File> file) : file_(std::move(file)) {}

  std::unique_ptr<File> file_;
  std::string identity_;
  AcknowledgedSlot slot_;
  std::uint64_t next_position_ = 0;
  std::uint64_t synced_sequence_ = 0;
};

}  // namespace dunlin::shipper
