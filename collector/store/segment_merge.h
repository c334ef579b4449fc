#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "collector/store/segment_reader.h"
#include "collector/store/stream_table.h"
#include "protocol/base/units.h"

namespace dunlin::store {

using SegmentPtr = std::shared_ptr<const SegmentReader>;

/// Merges segments of one day into a new one with the same entries (docs/segment-format.md,
/// "Merging"). Blocks of a service are decoded as their time comes and let go when their entries
/// are written, so that memory holds one block's worth of entries and the blocks that overlap in
/// time. One thread.
class SegmentMerge {
 public:
  /// `interrupted` is asked between blocks and answers why to stop, if so.
  using Interrupted = std::function<std::optional<Error>()>;

  struct Options {
    std::string folder;                  // the store's
    std::uint64_t block_bytes = 24_MiB;  // of text in a merged block, unless a line is longer
  };

  /// `sources` is not empty.
  SegmentMerge(FileSystem& fs, Options options, std::vector<SegmentPtr> sources,
               StreamTable& streams, Interrupted interrupted);
  SegmentMerge(const SegmentMerge&) = delete;
  SegmentMerge& operator=(const SegmentMerge&) = delete;

  /// The merged segment, durable and checked; no manifest lists it yet. On an error nothing of it
  /// stays, as far as files can still be removed. Errors: what `interrupted` answered; of the file
  /// system; those of reading a source, which unreadable() then names.
  Result<SegmentPtr> Run(std::int64_t now_ns);

  /// The source that could not be read, after such an error.
  const SegmentPtr& unreadable() const { return unreadable_; }

 private:
  class ServiceRows;
  class TemporaryFile;

  Result<SegmentFacts> WriteTo(const std::string& path, std::int64_t now_ns);
  Result<void> CheckMerged(const SegmentFacts& merged) const;

  FileSystem& fs_;
  const Options options_;
  const std::vector<SegmentPtr> sources_;  // shared with the view and its readers
  StreamTable& streams_;
  const Interrupted interrupted_;
  SegmentPtr unreadable_;
};

}  // namespace dunlin::store
