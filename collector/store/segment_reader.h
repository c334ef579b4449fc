#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "collector/store/segment_format.h"
#include "collector/store/stream_table.h"
#include "protocol/base/file_system.h"

namespace dunlin::store {

/// An immutable segment: its directory in memory, its blocks read on demand. Any thread. No file is
/// kept open, as there may be many thousands of segments; whoever holds a reader can read, because
/// an expired file is deleted only when its last reader is gone.
class SegmentReader {
 public:
  /// Reads and checks everything but the blocks and the counters. Errors: kNotFound, kCorruption,
  /// kUnsupported, those of the file system.
  static Result<std::shared_ptr<const SegmentReader>> Open(FileSystem& fs, const std::string& path,
                                                           StreamTable& streams);

  ~SegmentReader();
  SegmentReader(const SegmentReader&) = delete;
  SegmentReader& operator=(const SegmentReader&) = delete;

  /// Deletes the file, and its folder when empty, once nobody holds this any more. A crash before
  /// that leaves a file that no manifest lists, which the next start removes.
  void DeleteWhenUnused() const { expired_ = true; }
  bool expired() const { return expired_; }

  const std::string& path() const { return path_; }
  const SegmentFacts& facts() const { return facts_; }
  const Provenance& provenance() const { return provenance_; }
  const std::vector<StreamPtr>& streams() const { return streams_; }
  const std::vector<BlockInfo>& blocks() const { return blocks_; }

  /// Texts of the templates that blocks of columns name by number; read when first asked for.
  /// Errors: kCorruption, kIo.
  using Templates = std::vector<std::string>;
  Result<std::shared_ptr<const Templates>> ReadTemplates() const;

  /// Where its counters are; none when they would not have paid.
  const std::optional<Frame>& counters() const { return counters_; }

  /// Replaces `out` by a frame's contents. Errors: kCorruption naming the place; kIo.
  Result<void> Read(const Frame& frame, std::string& out) const;
  /// The same with the bytes as they are stored, their checksum verified.
  Result<void> ReadStored(const Frame& frame, std::string& out) const;

 private:
  SegmentReader(FileSystem& fs, std::string path) : fs_(fs), path_(std::move(path)) {}
  Result<void> Load(StreamTable& streams);
  Result<void> Read(const File& file, const Frame& frame, std::string& out) const;
  Result<void> ReadStored(const File& file, const Frame& frame, std::string& out) const;
  Error Damaged(std::string_view what) const;

  FileSystem& fs_;
  const std::string path_;
  mutable std::atomic<bool> expired_{false};
  SegmentFacts facts_;
  Provenance provenance_;
  std::vector<StreamPtr> streams_;
  std::vector<BlockInfo> blocks_;
  std::optional<Frame> templates_frame_;
  mutable std::mutex templates_mutex_;
  mutable std::shared_ptr<const Templates> templates_;  // shared with the blocks that use them
  std::optional<Frame> counters_;
};

}  // namespace dunlin::store
