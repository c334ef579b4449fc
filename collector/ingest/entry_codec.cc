#include "collector/ingest/entry_codec.h"

#include "protocol/base/coding.h"

namespace dunlin::ingest {
namespace {

std::uint32_t AddTo(std::vector<LabelSet>& sets, const LabelSet& labels) {
  if (sets.empty() || sets.back() != labels) sets.push_back(labels);
  return static_cast<std::uint32_t>(sets.size() - 1);
}

Error Malformed(std::string_view what) {
  return Error(ErrorCode::kCorruption, "malformed entries: " + std::string(what));
}

/// A count of things that take at least one byte each, so that a damaged one allocates little.
Result<std::size_t> ReadCount(ByteReader& reader, std::string_view what) {
  auto count = reader.ReadVarint();
  if (!count || *count > reader.rest().size()) return Malformed(what);
  return static_cast<std::size_t>(*count);
}

Result<void> ReadSets(ByteReader& reader, std::string_view what, std::vector<LabelSet>& out) {
  auto count = ReadCount(reader, what);
  if (!count) return std::move(count).error();
  for (std::size_t i = 0; i < *count; ++i) {
    auto labels = ReadLabelSet(reader);
    if (!labels) return std::move(labels).error().Wrap(what);
    out.push_back(std::move(*labels));
  }
  return {};
}

}  // namespace

std::uint32_t EntryEncoder::AddStream(const LabelSet& labels) { return AddTo(streams_, labels); }

std::uint32_t EntryEncoder::AddMetadata(const LabelSet& labels) {
  return labels.empty() ? 0 : AddTo(metadata_, labels);
}

void EntryEncoder::Add(std::uint32_t stream, std::uint32_t metadata, std::int64_t time_ns,
                       std::string_view line) {
  AppendVarint(rows_, stream);
  AppendVarint(rows_, metadata);
  // Unsigned, so that two far ends of time wrap around instead of overflowing.
  auto delta = static_cast<std::uint64_t>(time_ns) - static_cast<std::uint64_t>(previous_time_ns_);
  AppendVarint(rows_, ZigZag(static_cast<std::int64_t>(delta)));
  AppendLengthPrefixed(rows_, line);
  previous_time_ns_ = time_ns;
  ++entries_;
}

std::string EntryEncoder::Finish() const {
  std::string out;
  KeepInPlaceWhenMoved(out);
  AppendVarint(out, streams_.size());
  for (const LabelSet& labels : streams_) AppendLabelSet(out, labels);
  AppendVarint(out, metadata_.size() - 1);
  for (std::size_t i = 1; i < metadata_.size(); ++i) AppendLabelSet(out, metadata_[i]);
  AppendVarint(out, entries_);
  out += rows_;
  return out;
}

Result<store::RowBatch> DecodeEntries(std::string_view payload) {
  ByteReader reader(payload);
  store::RowBatch batch;
  if (auto read = ReadSets(reader, "streams", batch.streams); !read) {
    return std::move(read).error();
  }
  if (auto read = ReadSets(reader, "metadata", batch.metadata); !read) {
    return std::move(read).error();
  }
  auto count = ReadCount(reader, "rows");
  if (!count) return std::move(count).error();
  batch.rows.reserve(*count);
  std::int64_t time_ns = 0;
  for (std::size_t i = 0; i < *count; ++i) {
    auto stream = reader.ReadVarint();
    auto metadata = reader.ReadVarint();
    auto delta = reader.ReadVarint();
    auto line = reader.ReadLengthPrefixed();
    if (!line) return Malformed("a row ends early");
    if (*stream >= batch.streams.size() || *metadata >= batch.metadata.size()) {
      return Malformed("a row refers to a label set that is not there");
    }
    time_ns = static_cast<std::int64_t>(static_cast<std::uint64_t>(time_ns) +
                                        static_cast<std::uint64_t>(UnZigZag(*delta)));
    batch.rows.push_back({time_ns, static_cast<std::uint32_t>(*stream),
                          static_cast<std::uint32_t>(*metadata), *line});
  }
  if (!reader.empty()) return Malformed("bytes after the last row");
  return batch;
}

void KeepInPlaceWhenMoved(std::string& text) { text.reserve(sizeof(std::string) * 2); }

}  // namespace dunlin::ingest
