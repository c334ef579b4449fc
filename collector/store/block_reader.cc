#include "collector/store/block_reader.h"

#include <algorithm>
#include <cstring>

#include "protocol/base/text.h"

namespace dunlin::store {
namespace {

const LabelSet& NoMetadata() {
  static const LabelSet empty;
  return empty;
}

}  // namespace

BlockReader::BlockReader(std::shared_ptr<const SegmentReader> segment, std::size_t block)
    : segment_(std::move(segment)), info_(segment_->blocks()[block]) {}

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
  ByteReader reader(raw);
  out.resize(info_.rows);
  for (std::uint32_t& ref : out) {
    std::uint64_t value = reader.ReadVarint().value_or(limit);
    if (value >= limit) return Damaged("reference");
    ref = static_cast<std::uint32_t>(value);
  }
  return {};
}

Result<void> BlockReader::LoadText() {
  if (!text_.empty()) return {};
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
  ByteReader reader(raw);
  std::vector<std::int64_t> times(info_.rows);
  std::int64_t time = info_.span.min_ns;
  for (std::int64_t& out : times) {
    time = TimeAfter(time, reader.ReadVarint().value_or(0));
    out = time;
  }
  if (reader.failed()) return Damaged("times");
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
  ByteReader reader(raw);
  std::uint64_t next = info_.first_arrival;
  for (std::uint64_t& arrival : arrivals) {
    if (stored) next += static_cast<std::uint64_t>(UnZigZag(reader.ReadVarint().value_or(0)));
    arrival = next++;
  }
  if (reader.failed()) return Damaged("arrivals");
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

Result<void> BlockReader::LoadMetadata() {
  if (!metadata_.empty()) return {};
  if (info_.Find(ColumnKind::kMetadata) == nullptr) {
    metadata_.assign(info_.rows, &NoMetadata());
    return {};
  }
  std::string raw;
  if (auto read = ReadColumn(ColumnKind::kMetadataSets, raw); !read) return read;
  ByteReader reader(raw);
  std::uint64_t count = reader.ReadVarint().value_or(0);
  if (count > info_.rows) return Damaged("metadata");
  metadata_sets_.clear();
  metadata_sets_.reserve(count);
  for (std::uint64_t i = 0; i < count; ++i) {
    auto labels = ReadLabelSet(reader);
    if (!labels) return Damaged("metadata");
    metadata_sets_.push_back(std::move(*labels));
  }
  std::vector<std::uint32_t> refs;
  if (auto read = ReadRefs(ColumnKind::kMetadata, count, refs); !read) return read;
  metadata_.reserve(info_.rows);
  for (std::uint32_t ref : refs) metadata_.push_back(&metadata_sets_[ref]);
  return {};
}

Result<void> BlockReader::LoadAll() {
  for (auto load :
       {&BlockReader::LoadText, &BlockReader::LoadEnds, &BlockReader::LoadTimes,
        &BlockReader::LoadArrivals, &BlockReader::LoadStreams, &BlockReader::LoadMetadata}) {
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
  return text_.size() + info_.rows * per_row + metadata_sets_.size() * 256;
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
