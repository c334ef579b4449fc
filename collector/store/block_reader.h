#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "collector/store/lines/lines_reader.h"
#include "collector/store/segment_reader.h"

namespace dunlin::store {

/// The values of a block of columns, frame by frame as they are asked for.
class BlockValues final : public ValueBytes {
 public:
  BlockValues(const SegmentReader& segment, const BlockInfo& block);
  Result<std::string_view> Read(std::uint64_t offset, std::uint64_t size) override;
  std::uint64_t memory_bytes() const { return memory_bytes_; }

 private:
  struct Part {
    std::uint64_t begin;
    const Frame* frame;
    std::string bytes;  // empty until it is read
  };
  const SegmentReader& segment_;
  std::vector<Part> parts_;
  std::uint64_t memory_bytes_ = 0;
};

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
  /// The distinct sets of metadata, and then those of the rows.
  Result<void> LoadMetadataSets();
  Result<void> LoadMetadata();
  /// Everything but lines.
  Result<void> LoadRows();
  /// The bytes of the filter of grams; nothing when the block has none. Errors: kCorruption, kIo.
  Result<std::optional<std::string>> ReadGrams() const;
  /// Of a block of columns: what lines() needs, which reads values as it goes.
  Result<void> LoadLines();
  LinesReader& lines() { return *lines_; }
  /// Gives back what LoadLines and lines() have read since.
  void ReleaseLines();

  /// Of a block of columns it is made from them.
  const std::string& text() const { return text_; }
  bool newline_inside() const { return newline_inside_; }
  /// Needs LoadText; finds the ends on the first call. Errors: kCorruption.
  Result<void> LoadEnds();
  const std::vector<std::uint32_t>& ends() const { return ends_; }
  /// Index in info().streams per row; needs LoadStreams. Empty when there is one stream only.
  const std::vector<std::uint32_t>& stream_refs() const { return stream_refs_; }

  /// Needs LoadMetadataSets; empty when no row has metadata.
  const std::vector<LabelSet>& metadata_sets() const { return metadata_sets_; }

  /// What is loaded.
  RowColumns columns() const;
  std::uint64_t memory_bytes() const;

 private:
  Error Damaged(std::string_view what) const;
  Result<void> ReadColumn(ColumnKind kind, std::string& out) const;
  /// One varint per row, each below `limit`.
  Result<void> ReadRefs(ColumnKind kind, std::uint64_t limit, std::vector<std::uint32_t>& out);
  Result<void> LoadArrivals();

  Result<void> LoadTextFromColumns();

  std::shared_ptr<const SegmentReader> segment_;
  const BlockInfo& info_;
  std::shared_ptr<const SegmentReader::Templates> templates_;  // shared with the segment
  std::vector<std::uint32_t> template_numbers_;
  std::string layout_;
  std::string groups_;
  std::optional<BlockValues> values_;
  std::optional<LinesReader> lines_;
  std::string text_;
  bool newline_inside_ = false;
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
  /// Lets go of a segment's blocks, and so of its file; it has expired, so that none come later.
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
