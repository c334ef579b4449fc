#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/base/file_system.h"
#include "protocol/base/result.h"
#include "shipper/spool/spool.h"
#include "shipper/spool/spool_format.h"

namespace dunlin::shipper {

/// A record as it lies in its segment. Positions are bytes from the start of the file.
struct FoundRecord {
  SpoolRecord record;
  std::uint64_t position = 0;
  std::uint64_t payload_position = 0;
  std::uint64_t next_position = 0;  // where the record behind it starts
  bool complete = false;            // the file holds all of its payload
};

/// Reads the records of one segment front to back, without their payloads. Where no record is, it
/// searches on: the salt in each checksum keeps log lines that look like records, and what old
/// files left on the disk, from being taken for one. Reads a few kilobytes at a time.
class RecordWalk {
 public:
  /// From `position`, a multiple of kSpoolAlignment, up to `end`. `file` outlives this.
  RecordWalk(const File& file, std::uint64_t salt, std::uint64_t position, std::uint64_t end,
             Spool::Unreadable unreadable)
      : file_(file), salt_(salt), position_(position), end_(end), unreadable_(unreadable) {}

  /// The next intact record; nothing at the end. Errors: with kFail those of the disk.
  Result<std::optional<FoundRecord>> Next();
  /// The record at the position reached; nothing, and no step further, when there is none.
  Result<std::optional<FoundRecord>> Here();
  /// After the end: whether the bytes behind the last record were none.
  bool damaged_end() const { return damaged_; }

 private:
  /// The bytes at `position`: `size` of them, fewer at the end.
  Result<std::string_view> Bytes(std::uint64_t position, std::size_t size);

  const File& file_;
  std::uint64_t salt_;
  std::uint64_t position_;
  std::uint64_t end_;
  Spool::Unreadable unreadable_;
  bool damaged_ = false;
  std::string window_;  // read ahead
  std::uint64_t window_position_ = 0;
};

}  // namespace dunlin::shipper
