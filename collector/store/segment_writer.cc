#include "collector/store/segment_writer.h"

#include <algorithm>
#include <cstring>
#include <map>

#include "collector/store/lines/lines_check.h"
#include "protocol/base/checksum.h"
#include "protocol/base/log.h"
#include "protocol/base/text.h"

namespace dunlin::store {
namespace {

// docs/segment-format.md, "Compression", has the measurements behind these.
constexpr int kTextLevel = 1;
constexpr int kColumnLevel = 3;
constexpr int kValuesLevel = 1;

/// A head rarely has entries of more than two days. Beyond this many the oldest share a file, so
/// that wild timestamps cannot cost a file each.
constexpr std::size_t kMaxDaysPerHead = 64;

constexpr std::int64_t kNsPerDay = 86'400'000'000'000;

std::int64_t DayOf(std::int64_t time_ns) {
  return time_ns / kNsPerDay - (time_ns % kNsPerDay < 0 ? 1 : 0);
}

bool Earlier(const RowRef& a, const RowRef& b) {
  return a.time_ns != b.time_ns ? a.time_ns < b.time_ns : a.arrival < b.arrival;
}

}  // namespace

SegmentWriter::SegmentWriter(std::unique_ptr<File> file, Compressor& compressor)
    : file_(std::move(file)), compressor_(compressor), id_(NewRandomId()) {}

Result<std::unique_ptr<SegmentWriter>> SegmentWriter::Create(FileSystem& fs,
                                                             const std::string& path,
                                                             Compressor& compressor) {
  auto file = fs.Open(path, FileSystem::Mode::kCreate);
  if (!file) return std::move(file).error();
  std::unique_ptr<SegmentWriter> writer(new SegmentWriter(std::move(*file), compressor));
  std::string header = EncodeSegmentHeader(writer->id_);
  if (auto written = writer->file_->WriteAt(0, header); !written) return written.error();
  writer->end_ = header.size();
  return writer;
}

Result<Frame> SegmentWriter::WriteFrame(std::string_view raw, int level) {
  Frame frame;
  frame.raw_bytes = raw.size();
  stored_.clear();
  compressor_.Append(stored_, raw, level);
  std::string_view stored = stored_;
  if (stored.size() < raw.size()) {
    frame.encoding = Encoding::kZstd;
  } else {
    stored = raw;
  }
  if (auto written = WriteStored(frame, stored); !written) return written.error();
  return frame;
}

Result<void> SegmentWriter::WriteStored(Frame& frame, std::string_view stored) {
  frame.offset = end_;
  frame.stored_bytes = stored.size();
  frame.checksum = Checksum(stored, SeedOf(id_) + frame.offset);
  if (auto written = file_->WriteAt(end_, stored); !written) return written;
  end_ += stored.size();
  return {};
}

Result<void> SegmentWriter::AddColumn(BlockInfo& block, ColumnKind kind, std::string_view raw,
                                      int level) {
  auto frame = WriteFrame(raw, level);
  if (!frame) return std::move(frame).error();
  block.columns.push_back({kind, *frame});
  return {};
}

std::uint32_t SegmentWriter::StreamRef(const LabelSet* stream) {
  auto [at, added] = stream_refs_.try_emplace(stream, static_cast<std::uint32_t>(streams_.size()));
  if (added) streams_.push_back(stream);
  return at->second;
}

Result<void> SegmentWriter::AddTimes(BlockInfo& block, std::span<const RowRef> rows) {
  if (block.span.min_ns == block.span.max_ns) return {};
  raw_.clear();
  std::int64_t previous = block.span.min_ns;
  for (const RowRef& row : rows) {
    AppendVarint(raw_, TimeDistance(previous, row.time_ns));
    previous = row.time_ns;
  }
  return AddColumn(block, ColumnKind::kTimes, raw_, kColumnLevel);
}

Result<void> SegmentWriter::AddArrivals(BlockInfo& block, std::span<const RowRef> rows) {
  raw_.clear();
  bool counts_up = true;
  std::uint64_t expected = rows[0].arrival;
  for (const RowRef& row : rows) {
    counts_up = counts_up && row.arrival == expected;
    AppendVarint(raw_, ZigZag(static_cast<std::int64_t>(row.arrival - expected)));
    expected = row.arrival + 1;
  }
  if (counts_up) return {};
  return AddColumn(block, ColumnKind::kArrivals, raw_, kColumnLevel);
}

Result<void> SegmentWriter::AddStreams(BlockInfo& block, std::span<const RowRef> rows) {
  raw_.clear();
  std::unordered_map<const LabelSet*, std::uint32_t> local;
  for (const RowRef& row : rows) {
    const LabelSet* stream = row.columns->streams[row.row];
    auto [at, added] = local.try_emplace(stream, static_cast<std::uint32_t>(block.streams.size()));
    if (added) block.streams.push_back({StreamRef(stream), 0, {}});
    BlockStream& info = block.streams[at->second];
    ++info.rows;
    info.span.Add(row.time_ns);
    AppendVarint(raw_, at->second);
  }
  if (block.streams.size() == 1) return {};
  return AddColumn(block, ColumnKind::kStreams, raw_, kColumnLevel);
}

Result<void> SegmentWriter::AddMetadata(BlockInfo& block, std::span<const RowRef> rows) {
  raw_.clear();
  std::vector<const LabelSet*> sets;
  std::unordered_map<const LabelSet*, std::size_t> local;
  for (const RowRef& row : rows) {
    const LabelSet* set = row.columns->metadata[row.row];
    auto [at, added] = local.try_emplace(set, sets.size());
    if (added) sets.push_back(set);
    AppendVarint(raw_, at->second);
  }
  if (sets.size() == 1 && sets[0]->empty()) return {};
  if (auto done = AddColumn(block, ColumnKind::kMetadata, raw_, kColumnLevel); !done) return done;
  raw_.clear();
  AppendVarint(raw_, sets.size());
  for (const LabelSet* set : sets) AppendLabelSet(raw_, *set);
  return AddColumn(block, ColumnKind::kMetadataSets, raw_, kColumnLevel);
}

Result<void> SegmentWriter::AddText(BlockInfo& block, std::span<const RowRef> rows) {
  bool newline_inside = std::any_of(rows.begin(), rows.end(), [](const RowRef& row) {
    if (!row.columns->newline_inside) return false;
    return row.columns->Line(row.row).find('\n') != std::string_view::npos;
  });
  if (newline_inside) {
    raw_.clear();
    for (const RowRef& row : rows) AppendVarint(raw_, row.columns->Line(row.row).size());
    if (auto done = AddColumn(block, ColumnKind::kLengths, raw_, kColumnLevel); !done) return done;
  }
  raw_.clear();
  for (const RowRef& row : rows) {
    std::string_view line = row.columns->Line(row.row);
    raw_.append(line.data(), line.size() + 1);  // the newline follows in the head, too
    block.line_bytes += line.size();
  }
  return AddColumn(block, ColumnKind::kText, raw_, kTextLevel);
}

void SegmentWriter::AddCounters(std::span<const RowRef> rows) {
  counters_.BeginBlock();
  for (const RowRef& row : rows) {
    const RowColumns& columns = *row.columns;
    counters_.Add(columns.streams[row.row], columns.metadata[row.row], row.time_ns,
                  columns.ends[row.row] - columns.LineStart(row.row));
  }
}

bool SegmentWriter::EncodeLines(std::span<const RowRef> rows) {
  std::vector<TextRange> lines;
  lines.reserve(rows.size());
  text_.clear();
  for (const RowRef& row : rows) {
    std::string_view line = row.columns->Line(row.row);
    lines.push_back(
        {static_cast<std::uint32_t>(text_.size()), static_cast<std::uint32_t>(line.size())});
    text_.append(line.data(), line.size() + 1);
  }
  lines_writer_.Encode(text_, lines, encoded_);
  return ComesBack(encoded_, templates_, static_cast<std::uint32_t>(rows.size()), text_);
}

Result<void> SegmentWriter::AddLines(BlockInfo& block) {
  block.line_bytes = text_.size() - block.rows;
  raw_.clear();
  for (std::uint32_t number : encoded_.templates) AppendVarint(raw_, number);
  if (auto done = AddColumn(block, ColumnKind::kTemplates, raw_, kColumnLevel); !done) return done;
  for (auto [kind, bytes] : {std::pair(ColumnKind::kLayout, &encoded_.layout),
                             std::pair(ColumnKind::kGroups, &encoded_.groups)}) {
    if (auto done = AddColumn(block, kind, *bytes, kColumnLevel); !done) return done;
  }
  std::size_t begin = 0;
  for (std::size_t end : encoded_.frame_ends) {
    std::string_view values = std::string_view(encoded_.values).substr(begin, end - begin);
    if (auto done = AddColumn(block, ColumnKind::kValues, values, kValuesLevel); !done) return done;
    begin = end;
  }
  return AddGrams(block);
}

/// A filter of at most a fixed part of what the block takes without it.
Result<void> SegmentWriter::AddGrams(BlockInfo& block) {
  std::uint64_t stored = 0;
  for (const ColumnInfo& column : block.columns) stored += column.frame.stored_bytes;
  grams_.Clear();
  grams_.Add(text_);
  const std::string filter = grams_.Encode(std::max<std::uint64_t>(stored / kGramFilterPart, 2));
  return AddColumn(block, ColumnKind::kGrams, filter, kValuesLevel);
}

void SegmentWriter::TakeCounters(std::span<const std::shared_ptr<const SegmentReader>> sources) {
  std::vector<SegmentCounters> counters;
  for (const auto& source : sources) {
    if (!source->counters()) return;
    std::string bytes;
    if (!source->Read(*source->counters(), bytes)) return;
    auto read = ReadCounters(bytes);
    if (!read || read->streams.size() != source->streams().size()) return;
    counters.push_back(std::move(*read));
  }
  for (std::size_t i = 0; i < sources.size(); ++i) {
    for (std::size_t stream = 0; stream < counters[i].streams.size(); ++stream) {
      counters_.Merge(sources[i]->streams()[stream].get(), counters[i],
                      counters[i].streams[stream]);
    }
  }
  counts_rows_ = false;
}

Result<void> SegmentWriter::AddBlock(std::span<const RowRef> rows, BlockForm form) {
  Check(!rows.empty() && rows.size() <= LimitsOf(form).rows, "a block has rows, within its limit");
  BlockInfo block;
  block.rows = static_cast<std::uint32_t>(rows.size());
  block.span = {rows.front().time_ns, rows.back().time_ns};
  block.first_arrival = rows.front().arrival;
  // Small columns first: one read ahead of the text gets them all.
  if (auto done = AddTimes(block, rows); !done) return done;
  if (auto done = AddArrivals(block, rows); !done) return done;
  if (auto done = AddStreams(block, rows); !done) return done;
  if (auto done = AddMetadata(block, rows); !done) return done;
  bool columns = form == BlockForm::kColumns && EncodeLines(rows);
  if (form == BlockForm::kColumns && !columns) {
    log::Fail("lines do not come back from columns, they are kept as text: please report this",
              {{"rows", rows.size()}});
  }
  auto done = columns ? AddLines(block) : AddText(block, rows);
  if (!done) return done;
  if (counts_rows_) AddCounters(rows);
  blocks_.push_back(std::move(block));
  return {};
}

Result<void> SegmentWriter::CopyBlock(const SegmentReader& from, std::size_t index) {
  BlockInfo block = from.blocks()[index];
  for (BlockStream& stream : block.streams) {
    stream.stream = StreamRef(from.streams()[stream.stream].get());
  }
  uncounted_ = uncounted_ || counts_rows_;
  for (ColumnInfo& column : block.columns) {
    if (column.kind == ColumnKind::kTemplates) {
      if (auto done = CopyTemplates(from, column); !done) return done;
      continue;
    }
    if (auto read = from.ReadStored(column.frame, stored_); !read) return read;
    if (auto written = WriteStored(column.frame, stored_); !written) return written;
  }
  blocks_.push_back(std::move(block));
  return {};
}

/// Numbers of templates are of the segment's own dictionary.
Result<void> SegmentWriter::CopyTemplates(const SegmentReader& from, ColumnInfo& column) {
  auto templates = from.ReadTemplates();
  if (!templates) return std::move(templates).error();
  std::string numbers;
  if (auto read = from.Read(column.frame, numbers); !read) return read;
  raw_.clear();
  for (ByteReader reader(numbers); !reader.empty();) {
    const std::uint64_t number = reader.ReadVarint().value_or(UINT64_MAX);
    if (number >= (*templates)->size()) {
      return Error(ErrorCode::kCorruption,
                   Join("segment ", from.path(), " is damaged: template of a block"));
    }
    AppendVarint(raw_, templates_.Add((**templates)[number]));
  }
  auto frame = WriteFrame(raw_, kColumnLevel);
  if (!frame) return std::move(frame).error();
  column.frame = *frame;
  return {};
}

Result<SegmentFacts> SegmentWriter::Finish(SegmentFacts facts, const Provenance& provenance) {
  SegmentFooter footer;
  raw_.clear();
  AppendVarint(raw_, streams_.size());
  for (const LabelSet* stream : streams_) AppendLabelSet(raw_, *stream);
  auto frame = WriteFrame(raw_, kColumnLevel);
  if (!frame) return std::move(frame).error();
  footer.sections.emplace_back(SectionKind::kStreams, *frame);

  raw_.clear();
  AppendVarint(raw_, blocks_.size());
  facts.id = id_;
  facts.rows = 0;
  facts.line_bytes = 0;
  facts.span = {};
  for (const BlockInfo& block : blocks_) {
    AppendBlockInfo(raw_, block);
    facts.rows += block.rows;
    facts.line_bytes += block.line_bytes;
    facts.span.Add(block.span.min_ns);
    facts.span.Add(block.span.max_ns);
  }
  frame = WriteFrame(raw_, kColumnLevel);
  if (!frame) return std::move(frame).error();
  footer.sections.emplace_back(SectionKind::kBlocks, *frame);

  if (templates_.size() > 0) {
    frame = WriteFrame(templates_.Encode(), kColumnLevel);
    if (!frame) return std::move(frame).error();
    footer.sections.emplace_back(SectionKind::kTemplates, *frame);
  }

  if (std::string counters = counters_.Encode(streams_); !counters.empty() && !uncounted_) {
    frame = WriteFrame(counters, kColumnLevel);
    if (!frame) return std::move(frame).error();
    footer.sections.emplace_back(SectionKind::kCounters, *frame);
  }
  if (provenance.level > 0) {
    raw_.clear();
    AppendProvenance(raw_, provenance);
    frame = WriteFrame(raw_, kColumnLevel);
    if (!frame) return std::move(frame).error();
    footer.sections.emplace_back(SectionKind::kSources, *frame);
  }

  // The file's size is part of the footer, and the footer of the file: repeat until both agree.
  facts.file_bytes = end_;
  std::string bytes;
  for (;;) {
    footer.facts = facts;
    bytes = EncodeSegmentFooter(footer);
    if (facts.file_bytes == end_ + bytes.size()) break;
    facts.file_bytes = end_ + bytes.size();
  }
  if (auto written = file_->WriteAt(end_, bytes); !written) return written.error();
  if (auto synced = file_->Sync(); !synced) return synced.error();
  return facts;
}

namespace {

/// Cuts one service's rows of one day, in order, into blocks.
Result<void> AddBlocks(SegmentWriter& writer, std::span<const RowRef> rows) {
  constexpr BlockLimits kLimits = LimitsOf(BlockForm::kText);
  while (!rows.empty()) {
    std::size_t count = 0;
    std::uint64_t bytes = 0;
    while (count < rows.size() && count < kLimits.rows) {
      std::uint64_t more = rows[count].columns->Line(rows[count].row).size() + 1;
      if (count > 0 && bytes + more > kLimits.text_bytes) break;
      bytes += more;
      ++count;
    }
    if (auto done = writer.AddBlock(rows.first(count), BlockForm::kText); !done) return done;
    rows = rows.subspan(count);
  }
  return {};
}

/// The segments of one head while they are written, by day.
class DaySegments {
 public:
  DaySegments(FileSystem& fs, const std::string& folder) : fs_(fs), folder_(folder) {}
  /// Removes what was written unless all of it was finished.
  ~DaySegments() {
    if (finished_) return;
    for (const auto& [day, open] : open_) {
      // What cannot be removed now goes at the next start, as no manifest record lists it.
      if (open.writer && !fs_.Remove(open.path)) continue;
    }
  }
  DaySegments(const DaySegments&) = delete;
  DaySegments& operator=(const DaySegments&) = delete;

  /// Days from the newest back get a file each until there are too many; older rows go with the
  /// oldest of those.
  void Plan(const std::map<std::int64_t, std::size_t>& days) {
    auto first = days.begin();
    if (days.size() > kMaxDaysPerHead) {
      std::advance(first, static_cast<std::ptrdiff_t>(days.size() - kMaxDaysPerHead));
    }
    oldest_ = first->first;
  }

  std::int64_t SegmentDay(std::int64_t day) const { return std::max(day, oldest_); }

  Result<SegmentWriter*> WriterOf(std::int64_t day) {
    Open& open = open_[day];
    if (!open.writer) {
      std::string day_folder = Join(folder_, "/segments/", DayName(day));
      if (auto made = fs_.CreateDirectories(day_folder); !made) return made.error();
      open.path = Join(day_folder, "/", ToHex(NewRandomId()), ".tmp");
      auto writer = SegmentWriter::Create(fs_, open.path, compressor_);
      if (!writer) return std::move(writer).error();
      open.writer = std::move(*writer);
    }
    return open.writer.get();
  }

  Result<std::vector<SegmentFacts>> Finish(const SegmentFacts& common) {
    std::vector<SegmentFacts> finished;
    for (auto& [day, open] : open_) {
      SegmentFacts facts = common;
      facts.day = day;
      auto done = open.writer->Finish(facts);
      if (!done) return std::move(done).error();
      std::string path = Join(folder_, "/", done->RelativePath());
      if (auto renamed = fs_.Rename(open.path, path); !renamed) return renamed.error();
      open.path = path;
      if (auto synced = fs_.SyncDirectory(ParentPath(path)); !synced) return synced.error();
      finished.push_back(*done);
    }
    // The day folders themselves may be new.
    if (auto synced = fs_.SyncDirectory(Join(folder_, "/segments")); !synced) {
      return synced.error();
    }
    finished_ = true;
    return finished;
  }

 private:
  struct Open {
    std::unique_ptr<SegmentWriter> writer;
    std::string path;  // temporary, then final
  };
  FileSystem& fs_;
  const std::string& folder_;
  Compressor compressor_;
  std::int64_t oldest_ = 0;
  std::map<std::int64_t, Open> open_;
  bool finished_ = false;
};

}  // namespace

Result<std::vector<SegmentFacts>> WriteSegments(FileSystem& fs, const std::string& folder,
                                                const Head& head, std::int64_t now_ns) {
  if (head.rows() == 0) return std::vector<SegmentFacts>();
  std::map<std::int64_t, std::size_t> days;
  for (const auto& [key, group] : head.groups()) {
    for (const auto& chunk : group) {
      RowColumns columns = chunk->columns();
      for (std::uint32_t row = 0; row < columns.rows; ++row) ++days[DayOf(columns.times[row])];
    }
  }
  DaySegments segments(fs, folder);
  segments.Plan(days);
  for (const auto& [key, group] : head.groups()) {
    std::vector<RowColumns> chunks;
    std::vector<RowRef> rows;
    for (const auto& chunk : group) chunks.push_back(chunk->columns());
    for (const RowColumns& chunk : chunks) {
      for (std::uint32_t row = 0; row < chunk.rows; ++row) {
        rows.push_back({chunk.times[row], chunk.arrivals[row], &chunk, row});
      }
    }
    if (!std::is_sorted(rows.begin(), rows.end(), Earlier)) {
      std::sort(rows.begin(), rows.end(), Earlier);
    }
    std::span<const RowRef> rest = rows;
    while (!rest.empty()) {
      std::int64_t day = segments.SegmentDay(DayOf(rest.front().time_ns));
      auto end = std::partition_point(rest.begin(), rest.end(), [&](const RowRef& row) {
        return segments.SegmentDay(DayOf(row.time_ns)) <= day;
      });
      auto writer = segments.WriterOf(day);
      if (!writer) return std::move(writer).error();
      auto count = static_cast<std::size_t>(end - rest.begin());
      if (auto done = AddBlocks(**writer, rest.first(count)); !done) return done.error();
      rest = rest.subspan(count);
    }
  }
  SegmentFacts common;
  common.first_lsn = head.first_lsn();
  common.last_lsn = head.last_lsn();
  common.first_arrival = head.first_arrival();
  common.end_arrival = head.end_arrival();
  common.created_ns = now_ns;
  return segments.Finish(common);
}

}  // namespace dunlin::store
