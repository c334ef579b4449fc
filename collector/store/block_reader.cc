#include "collector/store/block_reader.h"

#include <algorithm>
#include <cstring>

#include "protocol/base/give_back.h"
#include "protocol/base/text.h"
#include "protocol/base/varints.h"

namespace dunlin::store {
namespace {

const LabelSet& NoMetadata() {
  static const LabelSet empty;
  return empty;
}

}  // namespace

BlockValues::BlockValues(const SegmentReader& segment, const BlockInfo& block) : segment_(segment) {
  std::uint64_t begin = 0;
  for (const ColumnInfo& column : block.columns) {
    if (column.kind != ColumnKind::kValues) continue;
    parts_.push_back({begin, &column.frame, {}});
    begin += column.frame.raw_bytes;
  }
}

Result<std::string_view> BlockValues::Read(std::uint64_t offset, std::uint64_t size) {
  auto part = std::upper_bound(parts_.begin(), parts_.end(), offset,
                               [](std::uint64_t at, const Part& p) { return at < p.begin; });
  if (part == parts_.begin()) return Error(ErrorCode::kCorruption, "values are missing");
  --part;
  const std::uint64_t at = offset - part->begin;
  if (at > part->frame->raw_bytes || size > part->frame->raw_bytes - at) {
    return Error(ErrorCode::kCorruption, "a column is not where it should be");
  }
  if (part->bytes.empty()) {
    if (auto read = segment_.Read(*part->frame, part->bytes); !read) return read.error();
    memory_bytes_ += part->bytes.size();
  }
  return std::string_view(part->bytes).substr(at, size);
}

BlockReader::BlockReader(std::shared_ptr<const SegmentReader> segment, std::size_t block)
    : segment_(std::move(segment)),
      info_(segment_->blocks()[block]),
      newline_inside_(info_.Find(ColumnKind::kLengths) != nullptr) {}

Error BlockReader::Damaged(std::string_view what) const {
  return Error(ErrorCode::kCorruption,
               Join("segment ", segment_->path(), " is damaged: ", what, " of a block"));
}

Result<void> BlockReader::ReadColumn(ColumnKind kind, std::string& out) const {
  const Frame* frame = info_.Find(kind);
  if (frame == nullptr) return Damaged("missing column");
  return segment_->Read(*frame, out);
}

Result<void> BlockReader::ReadRefs(ColumnKind kind, std::uint64_t limit,
                                   std::vector<std::uint32_t>& out) {
  std::string raw;
  if (auto read = ReadColumn(kind, raw); !read) return read;
  out.resize(info_.rows);
  std::uint32_t* next = out.data();
  std::uint64_t greatest = 0;
  bool read = ForEachVarint(raw, out.size(), [&](std::uint64_t value) {
    greatest = std::max(greatest, value);
    *next++ = static_cast<std::uint32_t>(value);
  });
  if (!read || greatest >= limit) return Damaged("reference");
  return {};
}

Result<std::optional<std::string>> BlockReader::ReadGrams() const {
  if (info_.Find(ColumnKind::kGrams) == nullptr) return std::optional<std::string>();
  std::optional<std::string> bytes(std::in_place);
  if (auto read = ReadColumn(ColumnKind::kGrams, *bytes); !read) return std::move(read).error();
  return bytes;
}

Result<void> BlockReader::LoadLines() {
  if (lines_) return {};
  auto templates = segment_->ReadTemplates();
  if (!templates) return std::move(templates).error();
  templates_ = std::move(*templates);
  std::string numbers;
  if (auto read = ReadColumn(ColumnKind::kTemplates, numbers); !read) return read;
  if (auto read = ReadColumn(ColumnKind::kLayout, layout_); !read) return read;
  if (auto read = ReadColumn(ColumnKind::kGroups, groups_); !read) return read;
  ByteReader reader(numbers);
  while (!reader.empty()) {
    const std::uint64_t number = reader.ReadVarint().value_or(UINT64_MAX);
    if (number >= templates_->size()) return Damaged("template");
    template_numbers_.push_back(static_cast<std::uint32_t>(number));
  }
  values_.emplace(*segment_, info_);
  auto lines =
      LinesReader::Open(layout_, template_numbers_, groups_, info_.rows, *templates_, *values_);
  if (!lines) return std::move(lines).error().Wrap(Damaged("lines").message());
  lines_ = std::move(*lines);
  return {};
}

void BlockReader::ReleaseLines() {
  lines_.reset();
  values_.reset();
  GiveBack(template_numbers_);
  GiveBack(layout_);
  GiveBack(groups_);
}

Result<void> BlockReader::LoadTextFromColumns() {
  if (auto done = LoadLines(); !done) return done;
  std::string text;
  std::vector<std::uint32_t> ends;
  auto done = lines_->AppendLines(info_.line_bytes + info_.rows, text, ends);
  if (!done) return done.error().Wrap(Damaged("lines").message());
  const auto newlines = std::count(text.begin(), text.end(), '\n');
  newline_inside_ = static_cast<std::uint64_t>(newlines) != info_.rows;
  text_ = std::move(text);
  ends_ = std::move(ends);
  return {};
}

Result<void> BlockReader::LoadText() {
  if (!text_.empty()) return {};
  if (info_.form() == BlockForm::kColumns) return LoadTextFromColumns();
  if (auto read = ReadColumn(ColumnKind::kText, text_); !read) return read;
  if (text_.empty() || text_.back() != '\n') return Damaged("text");
  return {};
}

Result<void> BlockReader::LoadEnds() {
  if (!ends_.empty()) return {};
  std::vector<std::uint32_t> ends;
  ends.reserve(info_.rows);
  if (newline_inside()) {
    std::vector<std::uint32_t> lengths;
    auto read = ReadRefs(ColumnKind::kLengths, text_.size(), lengths);
    if (!read) return read;
    std::uint64_t at = 0;
    for (std::uint32_t length : lengths) {
      at += length;
      if (at >= text_.size() || text_[at] != '\n') return Damaged("line lengths");
      ends.push_back(static_cast<std::uint32_t>(at));
      ++at;
    }
    if (at != text_.size()) return Damaged("line lengths");
  } else {
    const char* begin = text_.data();
    const char* end = begin + text_.size();
    for (const char* at = begin; at < end; ++at) {
      at = static_cast<const char*>(std::memchr(at, '\n', static_cast<std::size_t>(end - at)));
      ends.push_back(static_cast<std::uint32_t>(at - begin));
    }
    if (ends.size() != info_.rows) return Damaged("number of lines");
  }
  ends_ = std::move(ends);
  return {};
}

Result<void> BlockReader::LoadTimes() {
  if (!times_.empty()) return {};
  if (info_.Find(ColumnKind::kTimes) == nullptr) {
    times_.assign(info_.rows, info_.span.min_ns);
    return {};
  }
  std::string raw;
  if (auto read = ReadColumn(ColumnKind::kTimes, raw); !read) return read;
  std::vector<std::int64_t> times(info_.rows);
  std::int64_t* next = times.data();
  std::int64_t time = info_.span.min_ns;
  bool whole = ForEachVarint(raw, times.size(), [&](std::uint64_t distance) {
    time = TimeAfter(time, distance);
    *next++ = time;
  });
  if (!whole) return Damaged("times");
  times_ = std::move(times);
  return {};
}

Result<void> BlockReader::LoadArrivals() {
  if (!arrivals_.empty()) return {};
  std::vector<std::uint64_t> arrivals(info_.rows);
  std::string raw;
  bool stored = info_.Find(ColumnKind::kArrivals) != nullptr;
  if (stored) {
    if (auto read = ReadColumn(ColumnKind::kArrivals, raw); !read) return read;
  }
  std::uint64_t next = info_.first_arrival;
  if (stored) {
    std::uint64_t* out = arrivals.data();
    bool whole = ForEachVarint(raw, arrivals.size(), [&](std::uint64_t value) {
      next += static_cast<std::uint64_t>(UnZigZag(value));
      *out++ = next++;
    });
    if (!whole) return Damaged("arrivals");
  } else {
    for (std::uint64_t& arrival : arrivals) arrival = next++;
  }
  arrivals_ = std::move(arrivals);
  return {};
}

Result<void> BlockReader::LoadStreams() {
  if (!streams_.empty()) return {};
  auto label_set = [&](std::uint32_t ref) {
    return segment_->streams()[info_.streams[ref].stream].get();
  };
  if (info_.streams.size() == 1) {
    streams_.assign(info_.rows, label_set(0));
    return {};
  }
  if (auto read = ReadRefs(ColumnKind::kStreams, info_.streams.size(), stream_refs_); !read) {
    return read;
  }
  streams_.reserve(info_.rows);
  for (std::uint32_t ref : stream_refs_) streams_.push_back(label_set(ref));
  return {};
}

Result<void> BlockReader::LoadMetadataSets() {
  if (!metadata_sets_.empty() || info_.Find(ColumnKind::kMetadata) == nullptr) return {};
  std::string raw;
  if (auto read = ReadColumn(ColumnKind::kMetadataSets, raw); !read) return read;
  ByteReader reader(raw);
  std::uint64_t count = reader.ReadVarint().value_or(0);
  if (count == 0 || count > info_.rows) return Damaged("metadata");
  std::vector<LabelSet> sets;
  sets.reserve(count);
  for (std::uint64_t i = 0; i < count; ++i) {
    auto labels = ReadLabelSet(reader);
    if (!labels) return Damaged("metadata");
    sets.push_back(std::move(*labels));
  }
  metadata_sets_ = std::move(sets);
  return {};
}

Result<void> BlockReader::LoadMetadata() {
  if (!metadata_.empty()) return {};
  if (info_.Find(ColumnKind::kMetadata) == nullptr) {
    metadata_.assign(info_.rows, &NoMetadata());
    return {};
  }
  if (auto loaded = LoadMetadataSets(); !loaded) return loaded;
  std::vector<std::uint32_t> refs;
  auto read = ReadRefs(ColumnKind::kMetadata, metadata_sets_.size(), refs);
  if (!read) return read;
  metadata_.reserve(info_.rows);
  for (std::uint32_t ref : refs) metadata_.push_back(&metadata_sets_[ref]);
  return {};
}

Result<void> BlockReader::LoadRows() {
  for (auto load : {&BlockReader::LoadTimes, &BlockReader::LoadArrivals, &BlockReader::LoadStreams,
                    &BlockReader::LoadMetadata}) {
    if (auto done = (this->*load)(); !done) return done;
  }
  return {};
}

RowColumns BlockReader::columns() const {
  auto data = [](const auto& column) { return column.empty() ? nullptr : column.data(); };
  RowColumns columns;
  columns.rows = info_.rows;
  columns.times = data(times_);
  columns.arrivals = data(arrivals_);
  columns.streams = data(streams_);
  columns.metadata = data(metadata_);
  columns.ends = data(ends_);
  columns.text = text_;
  columns.newline_inside = newline_inside();
  return columns;
}

std::uint64_t BlockReader::memory_bytes() const {
  std::uint64_t per_row = sizeof(std::uint32_t) * 2 + sizeof(std::uint64_t) * 4;
  std::uint64_t bytes = text_.size() + info_.rows * per_row + metadata_sets_.size() * 256;
  if (lines_) {
    bytes += lines_->memory_bytes() + values_->memory_bytes() + layout_.size() + groups_.size();
  }
  return bytes;
}

std::shared_ptr<const BlockReader> BlockCache::Get(const SegmentReader* segment,
                                                   std::size_t block) {
  std::lock_guard lock(mutex_);
  auto found = index_.find({segment, block});
  if (found == index_.end()) return nullptr;
  items_.splice(items_.begin(), items_, found->second);
  return found->second->second;
}

void BlockCache::Put(const SegmentReader* segment, std::size_t block,
                     std::shared_ptr<const BlockReader> reader) {
  std::uint64_t bytes = reader->memory_bytes();
  if (bytes > max_bytes_) return;
  std::lock_guard lock(mutex_);
  // After Forget nobody would let go of it, and its file would stay.
  if (segment->expired()) return;
  Key key{segment, block};
  if (index_.contains(key)) return;
  items_.emplace_front(key, std::move(reader));
  index_[key] = items_.begin();
  bytes_ += bytes;
  while (bytes_ > max_bytes_) {
    bytes_ -= items_.back().second->memory_bytes();
    index_.erase(items_.back().first);
    items_.pop_back();
  }
}

void BlockCache::Forget(const SegmentReader* segment) {
  std::lock_guard lock(mutex_);
  for (auto item = items_.begin(); item != items_.end();) {
    if (item->first.segment == segment) {
      bytes_ -= item->second->memory_bytes();
      index_.erase(item->first);
      item = items_.erase(item);
    } else {
      ++item;
    }
  }
}

}  // namespace dunlin::store
