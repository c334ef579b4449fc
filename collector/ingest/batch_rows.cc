#include "collector/ingest/batch_rows.h"

#include <array>
#include <utility>

#include "collector/ingest/entry_codec.h"
#include "collector/ingest/level.h"
#include "protocol/base/text.h"

namespace dunlin::ingest {
namespace {

/// The metadata sets of one batch: nearly every entry has a level and nothing else, so those sets
/// are made once and found by number.
class MetadataSets {
 public:
  explicit MetadataSets(std::vector<LabelSet>& sets) : sets_(sets) {}

  std::uint32_t OfLevel(Level level) {
    std::uint32_t& number = of_level_[static_cast<std::size_t>(level)];
    if (number == 0) number = Add(LabelSet{{"detected_level", std::string(LevelName(level))}});
    return number;
  }

  std::uint32_t Add(LabelSet labels) {
    sets_.push_back(std::move(labels));
    return static_cast<std::uint32_t>(sets_.size() - 1);
  }

 private:
  std::vector<LabelSet>& sets_;
  std::array<std::uint32_t, kLevels> of_level_{};
};

LabelSet MetadataOfMark(const wire::Mark& mark, Level level) {
  LabelSet labels{{"detected_level", std::string(LevelName(level))}};
  if (mark.unterminated) labels.Set("unterminated", "true");
  if (mark.fragment_id != 0) {
    labels.Set("fragment_id", Join(mark.fragment_id));
    labels.Set("fragment_index", Join(mark.fragment_index));
    if (mark.fragment_last) labels.Set("fragment_last", "true");
  }
  if (mark.truncated_bytes != 0) labels.Set("truncated_bytes", Join(mark.truncated_bytes));
  return labels;
}

std::uint32_t StreamNumber(wire::Output output) { return output == wire::Output::kStderr ? 1 : 0; }

/// The entry that stands for lines that were captured and will never come.
struct GapMarker {
  std::string line;
  LabelSet metadata;
};

GapMarker MakeGapMarker(std::uint64_t lines, std::uint64_t bytes, std::string_view reason) {
  GapMarker marker;
  marker.line = Join("dunlin: ", lines, lines == 1 ? " line (" : " lines (", bytes,
                     " bytes) missing here: ", reason);
  marker.metadata = LabelSet{{"detected_level", "warn"},
                             {"gap_lines", Join(lines)},
                             {"gap_bytes", Join(bytes)},
                             {"gap_reason", std::string(reason)}};
  return marker;
}

void AddGapRows(const std::vector<wire::Gap>& gaps, MetadataSets& metadata,
                store::RowBatch& batch) {
  // Row lines must not move, so all texts are in place before the first view is taken.
  std::vector<std::pair<std::size_t, std::size_t>> places;
  std::vector<std::uint32_t> sets;
  for (const wire::Gap& gap : gaps) {
    GapMarker marker = MakeGapMarker(gap.lines, gap.bytes, gap.reason);
    places.emplace_back(batch.text.size(), marker.line.size());
    sets.push_back(metadata.Add(std::move(marker.metadata)));
    batch.text += marker.line;
  }
  std::string_view text = batch.text;
  for (std::size_t i = 0; i < gaps.size(); ++i) {
    batch.rows.push_back({static_cast<std::int64_t>(gaps[i].time_ns), StreamNumber(gaps[i].output),
                          sets[i], text.substr(places[i].first, places[i].second)});
  }
}

}  // namespace

Result<store::RowBatch> BatchRowReader::Read(const wire::BatchView& batch,
                                             const OutputStreams& streams) {
  if (auto decoded = decoder_.Decode(batch, columns_); !decoded) {
    return std::move(decoded).error();
  }
  store::RowBatch out;
  out.streams = {streams.standard_output, streams.standard_error};
  MetadataSets metadata(out.metadata);
  out.rows.reserve(columns_.line_lengths.size() + batch.header.gaps.size());

  const std::size_t lines_bytes = columns_.lines.size();
  out.text = std::move(columns_.lines);
  columns_.lines.clear();
  KeepInPlaceWhenMoved(out.text);
  // Gaps come first in order of arrival: they were lost before the batch was sealed.
  AddGapRows(batch.header.gaps, metadata, out);

  const char* line = out.text.data();
  std::size_t used = 0;
  std::size_t entry = 0;
  auto mark = columns_.marks.begin();
  for (const wire::Run& run : columns_.runs) {
    const std::uint32_t stream = StreamNumber(run.output);
    for (std::uint32_t i = 0; i < run.entries; ++i, ++entry) {
      const std::size_t length = columns_.line_lengths[entry];
      used += length + 1;
      Check(used <= lines_bytes, "decoded columns do not add up");
      std::string_view text(line, length);
      Level level = DetectLevel(text);
      std::uint32_t set;
      if (mark != columns_.marks.end() && mark->entry == entry) {
        set = metadata.Add(MetadataOfMark(*mark, level));
        ++mark;
      } else {
        set = metadata.OfLevel(level);
      }
      // Unsigned, because a hostile time may sit at the end of its range.
      auto time_ns = static_cast<std::int64_t>(static_cast<std::uint64_t>(run.time_ns) + i);
      out.rows.push_back({time_ns, stream, set, text});
      line += length + 1;
    }
  }
  return out;
}

Result<store::RowBatch> BatchRowReaders::Read(const wire::BatchView& batch,
                                              const OutputStreams& streams) {
  std::unique_ptr<BatchRowReader> reader;
  {
    std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      reader = std::move(idle_.back());
      idle_.pop_back();
    }
  }
  if (!reader) reader = std::make_unique<BatchRowReader>();
  Result<store::RowBatch> rows = reader->Read(batch, streams);
  std::lock_guard lock(mutex_);
  idle_.push_back(std::move(reader));
  return rows;
}

Result<store::RowBatch> IngestPayloadDecoder::Decode(std::uint32_t payload_format,
                                                     std::string_view context,
                                                     std::string_view payload) const {
  switch (static_cast<PayloadFormat>(payload_format)) {
    case PayloadFormat::kAgentBatch: {
      auto streams = DecodeContext(context);
      if (!streams) return std::move(streams).error();
      auto batch = wire::DecodeBatch(payload);
      if (!batch) return std::move(batch).error();
      return readers_.Read(*batch, *streams);
    }
    case PayloadFormat::kEntries:
      return DecodeEntries(payload);
  }
  return Error(ErrorCode::kUnsupported,
               Join("payload format ", payload_format, " was written by a newer version"));
}

}  // namespace dunlin::ingest
