#include "collector/store/segment_merge.h"

#include <algorithm>
#include <limits>
#include <map>
#include <utility>

#include "collector/store/block_reader.h"
#include "collector/store/compression.h"
#include "collector/store/segment_writer.h"
#include "protocol/base/log.h"
#include "protocol/base/text.h"

namespace dunlin::store {
namespace {

constexpr std::uint32_t kMergedRows = LimitsOf(BlockForm::kColumns).rows;

/// Blocks that are as merging would make them, or nearly so.
bool IsFull(const BlockInfo& block, std::uint64_t block_bytes) {
  if (block.form() != BlockForm::kColumns) return false;
  return block.line_bytes + block.rows >= block_bytes / 2 || block.rows >= kMergedRows / 2;
}

/// One block of a source.
struct SourceBlock {
  SegmentPtr segment;
  std::size_t index = 0;
  TimeSpan span;
  bool overlaps = false;  // some other block of its service in time

  const BlockInfo& info() const { return segment->blocks()[index]; }
};

/// A decoded block and the next of its rows.
struct Cursor {
  Cursor(const SegmentPtr& segment, std::size_t index) : block(segment, index) {}

  BlockReader block;
  RowColumns columns;
  std::uint32_t row = 0;

  std::int64_t time_ns() const { return columns.times[row]; }
  bool Before(const Cursor& other) const {
    if (time_ns() != other.time_ns()) return time_ns() < other.time_ns();
    return columns.arrivals[row] < other.columns.arrivals[other.row];
  }
};

void MarkOverlaps(std::vector<SourceBlock>& blocks) {
  std::int64_t latest = std::numeric_limits<std::int64_t>::min();
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    const TimeSpan& span = blocks[i].span;
    bool earlier = i > 0 && latest >= span.min_ns;
    bool later = i + 1 < blocks.size() && blocks[i + 1].span.min_ns <= span.max_ns;
    blocks[i].overlaps = earlier || later;
    latest = std::max(latest, span.max_ns);
  }
}

}  // namespace

/// Writes the rows of one service, of all sources, in order of (time, arrival).
class SegmentMerge::ServiceRows {
 public:
  ServiceRows(SegmentMerge& merge, SegmentWriter& writer, std::vector<SourceBlock> blocks)
      : merge_(merge),
        writer_(writer),
        block_bytes_(merge.options_.block_bytes),
        blocks_(std::move(blocks)) {
    std::sort(blocks_.begin(), blocks_.end(), [](const SourceBlock& a, const SourceBlock& b) {
      return std::pair(a.span.min_ns, a.info().first_arrival) <
             std::pair(b.span.min_ns, b.info().first_arrival);
    });
    MarkOverlaps(blocks_);
  }

  Result<void> Write() {
    while (next_ < blocks_.size() || !open_.empty()) {
      if (open_.empty() && CanCopy(blocks_[next_])) {
        if (auto done = Copy(blocks_[next_++]); !done) return done;
        continue;
      }
      // A block that may begin before the next row has to be looked into first.
      while (next_ < blocks_.size() &&
             (open_.empty() || blocks_[next_].span.min_ns <= open_.front()->time_ns())) {
        if (auto done = Open(blocks_[next_++]); !done) return done;
      }
      if (auto done = TakeRun(); !done) return done;
    }
    return Flush();
  }

 private:
  using CursorPtr = std::unique_ptr<Cursor>;
  static bool Later(const CursorPtr& a, const CursorPtr& b) { return b->Before(*a); }

  /// Not when that would cut off a small block before it.
  bool CanCopy(const SourceBlock& block) const {
    bool small_pending = !rows_.empty() && text_bytes_ < block_bytes_ / 2;
    return !block.overlaps && IsFull(block.info(), block_bytes_) && !small_pending;
  }

  Result<void> Copy(const SourceBlock& block) {
    if (auto done = Flush(); !done) return done;
    if (auto stop = merge_.interrupted_()) return std::move(*stop);
    auto copied = writer_.CopyBlock(*block.segment, block.index);
    if (!copied && copied.error().code() == ErrorCode::kCorruption) {
      merge_.unreadable_ = block.segment;
    }
    return copied;
  }

  Result<void> Open(const SourceBlock& block) {
    if (auto stop = merge_.interrupted_()) return std::move(*stop);
    auto cursor = std::make_unique<Cursor>(block.segment, block.index);
    for (auto load : {&BlockReader::LoadRows, &BlockReader::LoadText, &BlockReader::LoadEnds}) {
      if (auto loaded = (cursor->block.*load)(); !loaded) {
        merge_.unreadable_ = block.segment;
        return loaded;
      }
    }
    cursor->columns = cursor->block.columns();
    open_.push_back(std::move(cursor));
    std::push_heap(open_.begin(), open_.end(), Later);
    return {};
  }

  /// Takes rows of the block that is first for as long as it is.
  Result<void> TakeRun() {
    std::pop_heap(open_.begin(), open_.end(), Later);
    CursorPtr cursor = std::move(open_.back());
    open_.pop_back();
    bool more = true;
    do {
      if (auto done = Take(*cursor); !done) return done;
      more = ++cursor->row < cursor->columns.rows;
    } while (more && (open_.empty() || cursor->Before(*open_.front())) &&
             (next_ == blocks_.size() || cursor->time_ns() < blocks_[next_].span.min_ns));
    if (more) {
      open_.push_back(std::move(cursor));
      std::push_heap(open_.begin(), open_.end(), Later);
    } else {
      done_.push_back(std::move(cursor));  // its rows are not written yet
    }
    return {};
  }

  Result<void> Take(const Cursor& cursor) {
    std::uint64_t bytes = cursor.columns.Line(cursor.row).size() + 1;
    bool full = rows_.size() == kMergedRows || text_bytes_ + bytes > block_bytes_;
    if (full) {
      if (auto done = Flush(); !done) return done;
    }
    rows_.push_back(
        {cursor.time_ns(), cursor.columns.arrivals[cursor.row], &cursor.columns, cursor.row});
    text_bytes_ += bytes;
    return {};
  }

  Result<void> Flush() {
    if (rows_.empty()) return {};
    if (auto stop = merge_.interrupted_()) return std::move(*stop);
    if (auto done = writer_.AddBlock(rows_, BlockForm::kColumns); !done) return done;
    rows_.clear();
    text_bytes_ = 0;
    done_.clear();
    return {};
  }

  SegmentMerge& merge_;
  SegmentWriter& writer_;
  const std::uint64_t block_bytes_;
  std::vector<SourceBlock> blocks_;  // by time
  std::size_t next_ = 0;
  std::vector<CursorPtr> open_;  // the one with the next row is at the front
  std::vector<CursorPtr> done_;  // read to their ends; rows_ refer to them
  std::vector<RowRef> rows_;     // of the next block to be written
  std::uint64_t text_bytes_ = 0;
};

/// A file that goes unless it is kept.
class SegmentMerge::TemporaryFile {
 public:
  TemporaryFile(FileSystem& fs, std::string path) : fs_(fs), path_(std::move(path)) {}
  ~TemporaryFile() {
    if (kept_) return;
    auto removed = fs_.Remove(path_);
    if (removed || removed.error().code() == ErrorCode::kNotFound) return;
    // The next start removes it, as no manifest record lists it.
    log::Warn("cannot remove an unfinished merge", {{"error", removed.error().message()}});
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  const std::string& path() const { return path_; }
  void RenamedTo(std::string path) { path_ = std::move(path); }
  void Keep() { kept_ = true; }

 private:
  FileSystem& fs_;
  std::string path_;
  bool kept_ = false;
};

SegmentMerge::SegmentMerge(FileSystem& fs, Options options, std::vector<SegmentPtr> sources,
                           StreamTable& streams, Interrupted interrupted)
    : fs_(fs),
      options_(std::move(options)),
      sources_(std::move(sources)),
      streams_(streams),
      interrupted_(std::move(interrupted)) {}

Result<SegmentPtr> SegmentMerge::Run(std::int64_t now_ns) {
  std::string day_folder = ParentPath(sources_.front()->path());
  TemporaryFile file(fs_, Join(day_folder, "/", ToHex(NewRandomId()), ".tmp"));
  auto facts = WriteTo(file.path(), now_ns);
  if (!facts) return std::move(facts).error();
  if (auto checked = CheckMerged(*facts); !checked) return checked.error();
  std::string path = Join(options_.folder, "/", facts->RelativePath());
  if (auto renamed = fs_.Rename(file.path(), path); !renamed) return renamed.error();
  file.RenamedTo(path);
  if (auto synced = fs_.SyncDirectory(day_folder); !synced) return synced.error();
  auto merged = SegmentReader::Open(fs_, path, streams_);
  if (merged) file.Keep();
  return merged;
}

Result<SegmentFacts> SegmentMerge::WriteTo(const std::string& path, std::int64_t now_ns) {
  std::map<ServiceKey, std::vector<SourceBlock>> services;
  SegmentFacts facts = sources_.front()->facts();
  facts.created_ns = now_ns;
  Provenance provenance;
  for (const SegmentPtr& source : sources_) {
    const SegmentFacts& part = source->facts();
    facts.first_lsn = std::min(facts.first_lsn, part.first_lsn);
    facts.last_lsn = std::max(facts.last_lsn, part.last_lsn);
    facts.first_arrival = std::min(facts.first_arrival, part.first_arrival);
    facts.end_arrival = std::max(facts.end_arrival, part.end_arrival);
    const Provenance& from = source->provenance();
    provenance.level = std::max(provenance.level, from.level + 1);
    if (from.level == 0) provenance.sources.push_back(part.id);
    provenance.sources.insert(provenance.sources.end(), from.sources.begin(), from.sources.end());
    for (std::size_t i = 0; i < source->blocks().size(); ++i) {
      const BlockInfo& block = source->blocks()[i];
      const LabelSet& stream = *source->streams()[block.streams.front().stream];
      services[ServiceOf(stream)].push_back({source, i, block.span});
    }
  }
  Compressor compressor;
  auto writer = SegmentWriter::Create(fs_, path, compressor);
  if (!writer) return std::move(writer).error();
  (*writer)->TakeCounters(sources_);
  for (auto& [service, blocks] : services) {
    ServiceRows rows(*this, **writer, std::move(blocks));
    if (auto done = rows.Write(); !done) return done.error();
  }
  return (*writer)->Finish(facts, provenance);
}

/// Whatever else may be wrong, entries are neither lost nor doubled.
Result<void> SegmentMerge::CheckMerged(const SegmentFacts& merged) const {
  std::uint64_t rows = 0;
  std::uint64_t line_bytes = 0;
  for (const SegmentPtr& source : sources_) {
    rows += source->facts().rows;
    line_bytes += source->facts().line_bytes;
  }
  if (merged.rows == rows && merged.line_bytes == line_bytes) return {};
  return Error(ErrorCode::kCorruption,
               Join("merging ", rows, " entries of ", line_bytes, " bytes gave ", merged.rows,
                    " of ", merged.line_bytes));
}

}  // namespace dunlin::store
