#include "collector/store/segment_format.h"

#include <algorithm>
#include <limits>

#include "protocol/base/checksum.h"
#include "protocol/base/clock.h"
#include "protocol/base/rfc3339.h"
#include "protocol/base/text.h"

namespace dunlin::store {
namespace {

constexpr std::int64_t kNsPerDay = 86'400'000'000'000;

void AppendFrame(std::string& out, const Frame& frame) {
  out.push_back(static_cast<char>(frame.encoding));
  AppendVarint(out, frame.offset);
  AppendVarint(out, frame.stored_bytes);
  AppendVarint(out, frame.raw_bytes);
  AppendFixed(out, frame.checksum);
}

std::optional<Frame> ReadFrame(ByteReader& reader) {
  Frame frame;
  auto encoding = reader.ReadFixed<std::uint8_t>();
  auto offset = reader.ReadVarint();
  auto stored = reader.ReadVarint();
  auto raw = reader.ReadVarint();
  auto checksum = reader.ReadFixed<std::uint64_t>();
  if (reader.failed() || *encoding > static_cast<std::uint8_t>(Encoding::kZstd) ||
      *raw > kMaxFrameRawBytes || *stored > kMaxFrameRawBytes) {
    return std::nullopt;
  }
  frame.encoding = static_cast<Encoding>(*encoding);
  frame.offset = *offset;
  frame.stored_bytes = *stored;
  frame.raw_bytes = *raw;
  frame.checksum = *checksum;
  return frame;
}

void AppendSpan(std::string& out, const TimeSpan& span) {
  AppendFixed(out, span.min_ns);
  AppendFixed(out, span.max_ns);
}

TimeSpan ReadSpan(ByteReader& reader) {
  TimeSpan span;
  span.min_ns = reader.ReadFixed<std::int64_t>().value_or(0);
  span.max_ns = reader.ReadFixed<std::int64_t>().value_or(0);
  return span;
}

}  // namespace

const Frame* BlockInfo::Find(ColumnKind kind) const {
  for (const ColumnInfo& column : columns) {
    if (column.kind == kind) return &column.frame;
  }
  return nullptr;
}

std::uint64_t SeedOf(const RandomId& id) {
  return LoadFixed<std::uint64_t>(reinterpret_cast<const char*>(id.data()));
}

std::string DayName(std::int64_t day) {
  // Of the first day that an int64 of nanoseconds reaches into it has no beginning: it shares the
  // folder of the second. Other days outside of it do not occur.
  day = std::max(day, std::numeric_limits<std::int64_t>::min() / kNsPerDay);
  return FormatRfc3339(LogTimeOf(day * kNsPerDay)).substr(0, 10);
}

std::string SegmentFacts::RelativePath() const {
  return Join("segments/", DayName(day), "/", ToHex(id), kSegmentSuffix);
}

void AppendFacts(std::string& out, const SegmentFacts& facts) {
  AppendFixed(out, facts.id);
  AppendVarint(out, ZigZag(facts.day));
  AppendVarint(out, facts.file_bytes);
  AppendVarint(out, facts.rows);
  AppendVarint(out, facts.line_bytes);
  AppendSpan(out, facts.span);
  AppendVarint(out, facts.first_lsn);
  AppendVarint(out, facts.last_lsn);
  AppendVarint(out, facts.first_arrival);
  AppendVarint(out, facts.end_arrival);
  AppendFixed(out, facts.created_ns);
}

std::optional<SegmentFacts> ReadFacts(ByteReader& reader) {
  SegmentFacts facts;
  facts.id = reader.ReadFixed<RandomId>().value_or(RandomId{});
  facts.day = UnZigZag(reader.ReadVarint().value_or(0));
  facts.file_bytes = reader.ReadVarint().value_or(0);
  facts.rows = reader.ReadVarint().value_or(0);
  facts.line_bytes = reader.ReadVarint().value_or(0);
  facts.span = ReadSpan(reader);
  facts.first_lsn = reader.ReadVarint().value_or(0);
  facts.last_lsn = reader.ReadVarint().value_or(0);
  facts.first_arrival = reader.ReadVarint().value_or(0);
  facts.end_arrival = reader.ReadVarint().value_or(0);
  facts.created_ns = reader.ReadFixed<std::int64_t>().value_or(0);
  if (reader.failed()) return std::nullopt;
  return facts;
}

void AppendProvenance(std::string& out, const Provenance& provenance) {
  AppendVarint(out, provenance.level);
  AppendVarint(out, provenance.sources.size());
  for (const RandomId& id : provenance.sources) AppendFixed(out, id);
}

std::optional<Provenance> ReadProvenance(ByteReader& reader) {
  Provenance provenance;
  provenance.level = static_cast<std::uint32_t>(reader.ReadVarint().value_or(0));
  std::uint64_t count = reader.ReadVarint().value_or(0);
  for (std::uint64_t i = 0; i < count && !reader.failed(); ++i) {
    provenance.sources.push_back(reader.ReadFixed<RandomId>().value_or(RandomId{}));
  }
  if (reader.failed()) return std::nullopt;
  return provenance;
}

std::string EncodeSegmentHeader(const RandomId& id) {
  std::string out(kSegmentMagic);
  AppendFixed<std::uint32_t>(out, kSegmentVersion);
  AppendFixed<std::uint32_t>(out, 0);  // compatible features
  AppendFixed<std::uint32_t>(out, 0);  // incompatible features
  AppendFixed<std::uint32_t>(out, 0);
  AppendFixed(out, id);
  out.append(kSegmentHeaderBytes - 8 - out.size(), '\0');
  AppendFixed<std::uint64_t>(out, Checksum(out));
  return out;
}

Result<RandomId> DecodeSegmentHeader(std::string_view bytes) {
  if (bytes.size() < kSegmentHeaderBytes || !bytes.starts_with(kSegmentMagic) ||
      Checksum(bytes.substr(0, kSegmentHeaderBytes - 8)) !=
          LoadFixed<std::uint64_t>(bytes.data() + kSegmentHeaderBytes - 8)) {
    return Error(ErrorCode::kCorruption, "damaged segment header");
  }
  auto version = LoadFixed<std::uint32_t>(bytes.data() + 8);
  auto incompatible = LoadFixed<std::uint32_t>(bytes.data() + 16);
  if (version < kOldestSegmentVersion || version > kSegmentVersion || incompatible != 0) {
    return Error(ErrorCode::kUnsupported, Join("segment of version ", version, " with features ",
                                               incompatible, ": written by a newer program"));
  }
  return LoadFixed<RandomId>(bytes.data() + 24);
}

std::string EncodeSegmentFooter(const SegmentFooter& footer) {
  std::string out;
  AppendFacts(out, footer.facts);
  AppendVarint(out, footer.sections.size());
  for (const auto& [kind, frame] : footer.sections) {
    AppendFixed(out, static_cast<std::uint32_t>(kind));
    AppendFrame(out, frame);
  }
  std::uint64_t checksum = Checksum(out);
  auto footer_bytes = static_cast<std::uint32_t>(out.size());
  std::string tail;
  AppendFixed(tail, footer_bytes);
  AppendFixed<std::uint32_t>(tail, 0);
  AppendFixed(tail, checksum);
  AppendFixed(tail, Checksum(tail));
  tail += kSegmentEndMagic;
  return out + tail;
}

Result<SegmentTail> DecodeSegmentTail(std::string_view bytes) {
  if (bytes.size() != kSegmentTailBytes || !bytes.ends_with(kSegmentEndMagic) ||
      Checksum(bytes.substr(0, 16)) != LoadFixed<std::uint64_t>(bytes.data() + 16)) {
    return Error(ErrorCode::kCorruption, "damaged segment tail");
  }
  return SegmentTail{LoadFixed<std::uint32_t>(bytes.data()),
                     LoadFixed<std::uint64_t>(bytes.data() + 8)};
}

Result<SegmentFooter> DecodeSegmentFooter(std::string_view bytes, const SegmentTail& tail) {
  Error damaged(ErrorCode::kCorruption, "damaged segment footer");
  if (Checksum(bytes) != tail.footer_checksum) return damaged;
  ByteReader reader(bytes);
  SegmentFooter footer;
  auto facts = ReadFacts(reader);
  if (!facts) return damaged;
  footer.facts = *facts;
  std::uint64_t sections = reader.ReadVarint().value_or(0);
  for (std::uint64_t i = 0; i < sections; ++i) {
    auto kind = reader.ReadFixed<std::uint32_t>();
    auto frame = ReadFrame(reader);
    if (!kind || !frame) return damaged;
    footer.sections.emplace_back(static_cast<SectionKind>(*kind), *frame);
  }
  return footer;
}

void AppendBlockInfo(std::string& out, const BlockInfo& block) {
  AppendVarint(out, block.rows);
  AppendVarint(out, block.line_bytes);
  AppendSpan(out, block.span);
  AppendVarint(out, block.first_arrival);
  AppendVarint(out, block.streams.size());
  for (const BlockStream& stream : block.streams) {
    AppendVarint(out, stream.stream);
    AppendVarint(out, stream.rows);
    AppendVarint(out, TimeDistance(block.span.min_ns, stream.span.min_ns));
    AppendVarint(out, TimeDistance(stream.span.max_ns, block.span.max_ns));
  }
  AppendVarint(out, block.columns.size());
  for (const ColumnInfo& column : block.columns) {
    out.push_back(static_cast<char>(column.kind));
    AppendFrame(out, column.frame);
  }
}

std::optional<BlockInfo> ReadBlockInfo(ByteReader& reader) {
  BlockInfo block;
  block.rows = static_cast<std::uint32_t>(reader.ReadVarint().value_or(0));
  block.line_bytes = reader.ReadVarint().value_or(0);
  block.span = ReadSpan(reader);
  block.first_arrival = reader.ReadVarint().value_or(0);
  std::uint64_t streams = reader.ReadVarint().value_or(0);
  for (std::uint64_t i = 0; i < streams && !reader.failed(); ++i) {
    BlockStream stream;
    stream.stream = static_cast<std::uint32_t>(reader.ReadVarint().value_or(0));
    stream.rows = static_cast<std::uint32_t>(reader.ReadVarint().value_or(0));
    stream.span.min_ns = TimeAfter(block.span.min_ns, reader.ReadVarint().value_or(0));
    stream.span.max_ns = TimeAfter(block.span.max_ns, 0 - reader.ReadVarint().value_or(0));
    block.streams.push_back(stream);
  }
  std::uint64_t columns = reader.ReadVarint().value_or(0);
  for (std::uint64_t i = 0; i < columns && !reader.failed(); ++i) {
    auto kind = reader.ReadFixed<std::uint8_t>();
    auto frame = ReadFrame(reader);
    if (!kind || !frame) return std::nullopt;
    block.columns.push_back({static_cast<ColumnKind>(*kind), *frame});
  }
  if (reader.failed() || block.rows == 0 || block.rows > LimitsOf(BlockForm::kColumns).rows ||
      block.streams.empty()) {
    return std::nullopt;
  }
  return block;
}

}  // namespace dunlin::store
