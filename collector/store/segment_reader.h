#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "collector/store/segment_format.h"
#include "collector/store/stream_table.h"
#include "protocol/base/file_system.h"

namespace dunlin::store {

/// An open, immutable segment: its directory in memory, its blocks read on demand. Any thread. It
/// keeps its file open, so that a reader goes on reading after retention deleted the name.
class SegmentReader {
 public:
  /// Reads and checks everything but the blocks. Errors: kNotFound, kCorruption, kUnsupported,
  /// those of the file system.
  static Result<std::shared_ptr<const SegmentReader>> Open(FileSystem& fs, const std::string& path,
                                                           StreamTable& streams);

  const std::string& path() const { return path_; }
  const SegmentFacts& facts() const { return facts_; }
  const std::vector<StreamPtr>& streams() const { return streams_; }
  const std::vector<BlockInfo>& blocks() const { return blocks_; }

  /// Replaces `out` by a frame's contents. Errors: kCorruption naming the place; kIo.
  Result<void> Read(const Frame& frame, std::string& out) const;

 private:
  SegmentReader(std::string path, std::unique_ptr<File> file)
      : path_(std::move(path)), file_(std::move(file)) {}
  Result<void> Load(StreamTable& streams);
  Error Damaged(std::string_view what) const;

  std::string path_;
  std::unique_ptr<File> file_;
  SegmentFacts facts_;
  std::vector<StreamPtr> streams_;
  std::vector<BlockInfo> blocks_;
};

}  // namespace dunlin::store
