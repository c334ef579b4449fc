#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "collector/store/segment_reader.h"

namespace dunlin::store {

/// One block of a segment, decoded column by column as they are asked for. One thread until it is
/// complete; then immutable.
class BlockReader {
 public:
  BlockReader(std::shared_ptr<const SegmentReader> segment, std::size_t block);
  BlockReader(const BlockReader&) = delete;
  BlockReader& operator=(const BlockReader&) = delete;

  const BlockInfo& info() const { return info_; }

  /// Each loads once. Errors: kCorruption, kIo.
  Result<void> LoadText();
  Result<void> LoadTimes();
  Result<void> LoadStreams();
  Result<void> LoadAll();

  const std::string& text() const { return text_; }
  bool newline_inside() const { return info_.Find(ColumnKind::kLengths) != nullptr; }
  /// Needs LoadText; finds the ends on the first call. Errors: kCorruption.
  Result<void> LoadEnds();
  const std::vector<std::uint32_t>& ends() const { return ends_; }
  /// Index in info().streams per row; needs LoadStreams. Empty when there is one stream only.
  const std::vector<std::uint32_t>& stream_refs() const { return stream_refs_; }

  /// What is loaded.
  RowColumns columns() const;
  std::uint64_t memory_bytes() const;

 private:
  Error Damaged(std::string_view what) const;
  Result<void> ReadColumn(ColumnKind kind, std::string& out) const;
  /// One varint per row, each below `limit`.
  Result<void> ReadRefs(ColumnKind kind, std::uint64_t limit, std::vector<std::uint32_t>& out);
  Result<void> LoadArrivals();
  Result<void> LoadMetadata();

  std::shared_ptr<const SegmentReader> segment_;
  const BlockInfo& info_;
  std::string text_;
  std::vector<std::uint32_t> ends_;
  std::vector<std::int64_t> times_;
  std::vector<std::uint64_t> arrivals_;
  std::vector<std::uint32_t> stream_refs_;
  std::vector<const LabelSet*> streams_;
  std::vector<LabelSet> metadata_sets_;
  std::vector<const LabelSet*> metadata_;
};

/// Keeps the blocks that ordered scans read last: paging through a range reads each block once, not
/// once per page. Any thread.
class BlockCache {
 public:
  explicit BlockCache(std::uint64_t max_bytes) : max_bytes_(max_bytes) {}

  std::shared_ptr<const BlockReader> Get(const SegmentReader* segment, std::size_t block);
  void Put(const SegmentReader* segment, std::size_t block,
           std::shared_ptr<const BlockReader> reader);
  /// Lets go of a segment's blocks, and so of its file.
  void Forget(const SegmentReader* segment);

 private:
  struct Key {
    const SegmentReader* segment;  // kept alive by the block itself
    std::size_t block;
    friend bool operator==(const Key&, const Key&) = default;
  };
  struct Hash {
    std::size_t operator()(const Key& key) const noexcept {
      return std::hash<const void*>()(key.segment) * 31 + key.block;
    }
  };
  using Item = std::pair<Key, std::shared_ptr<const BlockReader>>;

  const std::uint64_t max_bytes_;
  std::mutex mutex_;
  std::uint64_t bytes_ = 0;
  std::list<Item> items_;  // latest used first
  std::unordered_map<Key, std::list<Item>::iterator, Hash> index_;
};

}  // namespace dunlin::store
