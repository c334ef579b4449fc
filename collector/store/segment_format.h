#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "collector/store/head.h"
#include "collector/store/wal_format.h"
#include "protocol/base/coding.h"
#include "protocol/base/random.h"
#include "protocol/base/result.h"
#include "protocol/base/units.h"

/// A segment file (docs/segment-format.md), shared by its writer and its reader: header, block
/// columns, sections, footer, tail.
namespace dunlin::store {

inline constexpr std::string_view kSegmentMagic = "DUNLNSEG";
inline constexpr std::string_view kSegmentEndMagic = "DUNLNEND";
inline constexpr std::uint32_t kSegmentVersion = 2;
inline constexpr std::uint32_t kOldestSegmentVersion = 1;
inline constexpr std::size_t kSegmentHeaderBytes = 64;
inline constexpr std::size_t kSegmentTailBytes = 32;
inline constexpr std::string_view kSegmentSuffix = ".seg";

/// How the lines of a block are kept.
enum class BlockForm {
  kText,     // as text: written fast, searched whole
  kColumns,  // by template, values in columns: small, searched where a match can be
};

/// A block ends at whichever comes first. Larger ones compress better; smaller ones waste less when
/// few rows are wanted. A longer line is a block of its own.
struct BlockLimits {
  std::uint64_t text_bytes;
  std::uint32_t rows;
};
inline constexpr BlockLimits LimitsOf(BlockForm form) {
  return form == BlockForm::kText ? BlockLimits{8_MiB, 64 * 1024}
                                  : BlockLimits{32_MiB, 1024 * 1024};
}
/// No frame unfolds to more; a directory that says so is damaged.
inline constexpr std::uint64_t kMaxFrameRawBytes = 1_GiB;

/// Absent columns mean: times all equal the block's first; arrivals count up by one; one stream;
/// no metadata; no line holds a newline.
enum class ColumnKind : std::uint8_t {
  kTimes = 1,         // varint per row: nanoseconds since the previous row, or the block's first
  kArrivals = 2,      // zigzag varint per row: arrival - previous arrival - 1
  kStreams = 3,       // varint per row: index in the block's stream list
  kMetadata = 4,      // varint per row: index in kMetadataSets
  kMetadataSets = 5,  // varint count, then label sets
  kLengths = 6,       // varint per row: bytes of the line
  kText = 7,          // each line, then a newline
  kGrams = 8,         // filter of grams of the lines (docs/segment-format.md, "Filters of grams")
  // Lines as columns, in place of lengths and text (docs/line-columns.md).
  kLayout = 9,      // groups, and what is known of their columns
  kTemplates = 10,  // varint per group: its template in the segment's dictionary
  kGroups = 11,     // the group of each row
  kValues = 12,     // bytes of columns; several frames, which together are all of them in order
};

/// Nanoseconds from `earlier` to `later`, and back; unsigned, so that no pair of times overflows.
inline std::uint64_t TimeDistance(std::int64_t earlier, std::int64_t later) {
  return static_cast<std::uint64_t>(later) - static_cast<std::uint64_t>(earlier);
}
inline std::int64_t TimeAfter(std::int64_t earlier, std::uint64_t distance) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(earlier) + distance);
}

enum class SectionKind : std::uint32_t {
  kStreams = 1,
  kBlocks = 2,
  kTemplates = 3,
  kCounters = 4,
  kSources = 5,
};

enum class Encoding : std::uint8_t { kPlain = 0, kZstd = 1 };

/// Where a frame of bytes lies in the file and what it is. Its checksum is XXH3-64 of the stored
/// bytes, seeded with the file's seed plus `offset`, so that bytes from another place or file fail.
struct Frame {
  Encoding encoding = Encoding::kPlain;
  std::uint64_t offset = 0;
  std::uint64_t stored_bytes = 0;
  std::uint64_t raw_bytes = 0;
  std::uint64_t checksum = 0;
};

struct ColumnInfo {
  ColumnKind kind;
  Frame frame;
};

/// A stream's part of one block.
struct BlockStream {
  std::uint32_t stream = 0;  // in the segment's stream table
  std::uint32_t rows = 0;
  TimeSpan span;
};

struct BlockInfo {
  std::uint32_t rows = 0;
  std::uint64_t line_bytes = 0;  // without the newlines added
  TimeSpan span;
  std::uint64_t first_arrival = 0;  // of the first row in time order
  std::vector<BlockStream> streams;
  std::vector<ColumnInfo> columns;

  const Frame* Find(ColumnKind kind) const;
  BlockForm form() const {
    return Find(ColumnKind::kLayout) == nullptr ? BlockForm::kText : BlockForm::kColumns;
  }
};

/// What the manifest and the footer both know of a segment.
struct SegmentFacts {
  RandomId id{};
  std::int64_t day = 0;  // UTC days since 1970-01-01; names the folder
  std::uint64_t file_bytes = 0;
  std::uint64_t rows = 0;
  std::uint64_t line_bytes = 0;
  TimeSpan span;
  Lsn first_lsn = 0;  // of the WAL records it holds rows of
  Lsn last_lsn = 0;
  std::uint64_t first_arrival = 0;
  std::uint64_t end_arrival = 0;
  std::int64_t created_ns = 0;

  /// segments/<day>/<id>.seg, relative to the data folder; the day as YYYY-MM-DD.
  std::string RelativePath() const;
};

/// How a segment came to be.
struct Provenance {
  std::uint32_t level = 0;  // 0: written from a head; merged: one more than what it was made of
  /// The segments of level 0 whose entries a merged one holds, however often they were merged
  /// since: what recovery needs to take in each entry once. None for level 0.
  std::vector<RandomId> sources;
};

std::uint64_t SeedOf(const RandomId& id);
std::string DayName(std::int64_t day);

void AppendFacts(std::string& out, const SegmentFacts& facts);
std::optional<SegmentFacts> ReadFacts(ByteReader& reader);

void AppendProvenance(std::string& out, const Provenance& provenance);
std::optional<Provenance> ReadProvenance(ByteReader& reader);

std::string EncodeSegmentHeader(const RandomId& id);
/// Errors: kCorruption, kUnsupported.
Result<RandomId> DecodeSegmentHeader(std::string_view bytes);

struct SegmentFooter {
  SegmentFacts facts;
  std::vector<std::pair<SectionKind, Frame>> sections;
};
/// Footer and tail: the end of the file.
std::string EncodeSegmentFooter(const SegmentFooter& footer);
struct SegmentTail {
  std::uint32_t footer_bytes = 0;
  std::uint64_t footer_checksum = 0;
};
/// Errors: kCorruption.
Result<SegmentTail> DecodeSegmentTail(std::string_view last_bytes);
Result<SegmentFooter> DecodeSegmentFooter(std::string_view bytes, const SegmentTail& tail);

void AppendBlockInfo(std::string& out, const BlockInfo& block);
std::optional<BlockInfo> ReadBlockInfo(ByteReader& reader);

}  // namespace dunlin::store
