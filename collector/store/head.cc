#include "collector/store/head.h"

#include <algorithm>
#include <cstring>

#include "protocol/base/units.h"

namespace dunlin::store {
namespace {

/// Chunks of a service grow from small, so that thousands of quiet services cost little, to large,
/// so that a busy one has few.
constexpr std::uint32_t kMinChunkText = 4 * 1024;
constexpr std::uint32_t kMaxChunkText = 512 * 1024;
constexpr std::uint32_t kTextPerRow = 96;  // short enough that text fills up before rows do

constexpr std::uint64_t kRowOverhead =
    sizeof(std::int64_t) + sizeof(std::uint64_t) + 2 * sizeof(void*) + sizeof(std::uint32_t) + 1;

/// What a chunk takes before its first row: the first page of each column. Pages that are never
/// written take no memory.
constexpr std::uint64_t kChunkOverhead = 8 * 1024;

/// A label set in memory, roughly: two strings and their share of a hash node for each label.
std::uint64_t MemoryOf(const LabelSet& labels) {
  std::uint64_t bytes = 64;
  for (const auto& [name, value] : labels) bytes += 2 * 32 + name.size() + value.size();
  return bytes;
}

}  // namespace

ServiceKey ServiceOf(const LabelSet& labels) {
  return {std::string(labels.Get("project")), std::string(labels.Get("service"))};
}

HeadChunk::HeadChunk(std::uint32_t max_rows, std::uint32_t max_text_bytes)
    : max_rows_(max_rows),
      max_text_bytes_(max_text_bytes),
      // Not value-initialised, so that pages stay untouched until they are needed.
      times_(new std::int64_t[max_rows]),
      arrivals_(new std::uint64_t[max_rows]),
      streams_(new const LabelSet*[max_rows]),
      metadata_(new const LabelSet*[max_rows]),
      ends_(new std::uint32_t[max_rows]),
      text_(new char[max_text_bytes]) {}

bool HeadChunk::Fits(std::string_view line) const {
  return rows_ < max_rows_ && max_text_bytes_ - text_bytes_ > line.size();
}

void HeadChunk::Add(std::int64_t time_ns, std::uint64_t arrival, const LabelSet* stream,
                    const LabelSet* metadata, std::string_view line) {
  std::copy(line.begin(), line.end(), text_.get() + text_bytes_);
  auto end = text_bytes_ + static_cast<std::uint32_t>(line.size());
  text_[end] = '\n';
  if (std::memchr(text_.get() + text_bytes_, '\n', line.size()) != nullptr) newline_inside_ = true;
  text_bytes_ = end + 1;
  times_[rows_] = time_ns;
  arrivals_[rows_] = arrival;
  streams_[rows_] = stream;
  metadata_[rows_] = metadata;
  ends_[rows_] = end;
  span_.Add(time_ns);
  ++rows_;
}

RowColumns HeadChunk::columns() const {
  RowColumns columns;
  columns.rows = rows_;
  columns.times = times_.get();
  columns.arrivals = arrivals_.get();
  columns.streams = streams_.get();
  columns.metadata = metadata_.get();
  columns.ends = ends_.get();
  columns.text = std::string_view(text_.get(), text_bytes_);
  columns.newline_inside = newline_inside_;
  return columns;
}

Head::Head(StreamTable& streams, std::uint64_t first_arrival, Lsn covered, SteadyTime created)
    : stream_table_(streams),
      first_arrival_(first_arrival),
      first_lsn_(covered + 1),
      created_(created),
      next_arrival_(first_arrival),
      last_lsn_(covered) {}

Head::StreamInfo& Head::InfoOf(const LabelSet& labels) {
  StreamPtr stream = stream_table_.Intern(labels);
  StreamInfo& info = streams_[stream.get()];
  if (!info.stream) {
    info.group = &groups_[ServiceOf(labels)];
    stream_list_.push_back(stream);
    info.stream = std::move(stream);
    memory_bytes_ += MemoryOf(labels);
  }
  return info;
}

const LabelSet* Head::MetadataOf(const LabelSet& labels) {
  auto [at, added] = metadata_.insert(labels);
  if (added) memory_bytes_ += MemoryOf(labels);
  return &*at;
}

HeadChunk& Head::ChunkFor(Group& group, std::string_view line) {
  if (!group.empty() && group.back()->Fits(line)) return *group.back();
  std::uint32_t text = kMinChunkText << std::min<std::size_t>(group.size(), 8);
  text = std::min(text, kMaxChunkText);
  auto rows = text / kTextPerRow;
  text = std::max(text, static_cast<std::uint32_t>(line.size()) + 1);
  group.push_back(std::make_unique<HeadChunk>(rows, text));
  memory_bytes_ += kChunkOverhead;
  return *group.back();
}

void Head::Append(const RowBatch& batch, Lsn lsn) {
  std::lock_guard lock(mutex_);
  std::vector<StreamInfo*> streams;
  streams.reserve(batch.streams.size());
  for (const LabelSet& labels : batch.streams) streams.push_back(&InfoOf(labels));
  std::vector<const LabelSet*> metadata;
  metadata.reserve(batch.metadata.size());
  for (const LabelSet& labels : batch.metadata) metadata.push_back(MetadataOf(labels));
  std::uint64_t bytes = 0;
  for (const Row& row : batch.rows) {
    Check(row.stream < streams.size() && row.metadata < metadata.size(),
          "a row refers to label sets of its batch");
    StreamInfo& info = *streams[row.stream];
    ChunkFor(*info.group, row.line)
        .Add(row.time_ns, next_arrival_++, info.stream.get(), metadata[row.metadata], row.line);
    info.span.Add(row.time_ns);
    span_.Add(row.time_ns);
    bytes += row.line.size();
  }
  rows_ += batch.rows.size();
  line_bytes_ += bytes;
  memory_bytes_ += bytes + batch.rows.size() * kRowOverhead;
  last_lsn_ = lsn;
}

TimeSpan Head::span() const {
  std::lock_guard lock(mutex_);
  return span_;
}

std::vector<HeadSlice> Head::Slices(std::int64_t start_ns, std::int64_t end_ns) const {
  std::lock_guard lock(mutex_);
  std::vector<HeadSlice> slices;
  for (const auto& [key, group] : groups_) {
    for (const auto& chunk : group) {
      if (!chunk->span().Overlaps(start_ns, end_ns)) continue;
      slices.push_back({chunk->columns(), chunk->span()});
    }
  }
  return slices;
}

std::vector<StreamPtr> Head::streams() const {
  std::lock_guard lock(mutex_);
  return stream_list_;
}

void Head::AddStreams(std::int64_t start_ns, std::int64_t end_ns,
                      std::unordered_set<StreamPtr>& out) const {
  std::lock_guard lock(mutex_);
  for (const auto& [pointer, info] : streams_) {
    if (info.span.Overlaps(start_ns, end_ns)) out.insert(info.stream);
  }
}

}  // namespace dunlin::store
