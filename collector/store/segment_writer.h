#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "collector/store/compression.h"
#include "collector/store/counters.h"
#include "collector/store/gram_filter.h"
#include "collector/store/lines/lines_writer.h"
#include "collector/store/segment_format.h"
#include "collector/store/segment_reader.h"
#include "protocol/base/file_system.h"

namespace dunlin::store {

/// One row on its way into a block; `columns` outlives it.
struct RowRef {
  std::int64_t time_ns;
  std::uint64_t arrival;
  const RowColumns* columns;
  std::uint32_t row;
};

/// Writes one segment file block by block. What it leaves is a whole segment only after Finish; the
/// file has its final name from the caller, after that. One thread.
class SegmentWriter {
 public:
  /// Creates the file. `compressor` outlives the writer.
  static Result<std::unique_ptr<SegmentWriter>> Create(FileSystem& fs, const std::string& path,
                                                       Compressor& compressor);

  /// Adds rows of one service in order of (time, arrival), as one block; no more of them than
  /// LimitsOf(form) says. Lines that columns do not give back byte for byte are kept as text.
  Result<void> AddBlock(std::span<const RowRef> rows, BlockForm form);

  /// Takes what the segments whose rows will come counted of them, in place of counting anew; to be
  /// called first. Where one has no counters that can be read, rows are counted as they come.
  void TakeCounters(std::span<const std::shared_ptr<const SegmentReader>> sources);

  /// Adds a block of another segment as it is stored there, undecoded. `from` outlives the writer.
  /// Errors: kCorruption when it is damaged there.
  Result<void> CopyBlock(const SegmentReader& from, std::size_t block);

  /// Writes sections and footer and makes the file durable. `facts` brings what the writer cannot
  /// know: day, LSNs, arrivals, creation time; the rest is filled in.
  Result<SegmentFacts> Finish(SegmentFacts facts, const Provenance& provenance = {});

 private:
  SegmentWriter(std::unique_ptr<File> file, Compressor& compressor);

  Result<Frame> WriteFrame(std::string_view raw, int level);
  /// Writes what a frame stores; its encoding and uncompressed size are the caller's.
  Result<void> WriteStored(Frame& frame, std::string_view stored);
  Result<void> AddColumn(BlockInfo& block, ColumnKind kind, std::string_view raw, int level);
  std::uint32_t StreamRef(const LabelSet* stream);

  Result<void> AddTimes(BlockInfo& block, std::span<const RowRef> rows);
  Result<void> AddArrivals(BlockInfo& block, std::span<const RowRef> rows);
  Result<void> AddStreams(BlockInfo& block, std::span<const RowRef> rows);
  Result<void> AddMetadata(BlockInfo& block, std::span<const RowRef> rows);
  Result<void> AddText(BlockInfo& block, std::span<const RowRef> rows);
  /// Makes columns of the lines; false when they would not give the lines back.
  bool EncodeLines(std::span<const RowRef> rows);
  Result<void> AddLines(BlockInfo& block);
  Result<void> AddGrams(BlockInfo& block);
  Result<void> CopyTemplates(const SegmentReader& from, ColumnInfo& column);
  void AddCounters(std::span<const RowRef> rows);

  std::unique_ptr<File> file_;
  Compressor& compressor_;
  RandomId id_;
  std::uint64_t end_ = 0;
  std::vector<BlockInfo> blocks_;
  std::vector<const LabelSet*> streams_;
  std::unordered_map<const LabelSet*, std::uint32_t> stream_refs_;
  CountersBuilder counters_;
  bool counts_rows_ = true;  // in counters_, as blocks are added
  bool uncounted_ = false;   // some rows are in no counter: there will be none
  GramCollector grams_;
  TemplateDictionary templates_;
  LinesWriter lines_writer_{templates_};
  EncodedLines encoded_;
  std::string text_;    // of a block whose lines become columns
  std::string raw_;     // one column; kept for its memory
  std::string stored_;  // one frame; likewise
};

/// Writes a frozen head as segments, one per UTC day of its entries, under temporary names in
/// `folder`/segments/<day>/ and then renames them; nothing is visible until the manifest lists
/// them. On an error nothing of them stays, as far as files can still be removed.
Result<std::vector<SegmentFacts>> WriteSegments(FileSystem& fs, const std::string& folder,
                                                const Head& head, std::int64_t now_ns);

}  // namespace dunlin::store
