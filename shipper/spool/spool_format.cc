#include "shipper/spool/spool_format.h"

#include <algorithm>
#include <utility>

#include "protocol/base/check.h"
#include "protocol/base/coding.h"
#include "protocol/base/crc32c.h"
#include "protocol/base/text.h"

namespace dunlin::shipper {
namespace {

constexpr std::string_view kSegmentMagic = "DUNLNSPL";
constexpr std::uint32_t kSegmentVersion = 1;
constexpr std::uint32_t kKnownIncompatibleFlags = 0;
constexpr std::size_t kHeadChecksumAt = 44;

constexpr std::uint32_t kRecordMagic = 0x524E5344;  // "DSNR"
constexpr std::uint32_t kFooterMagic = 0x464E5344;  // "DSNF"
constexpr std::uint32_t kSlotMagic = 0x414E5344;    // "DSNA"

constexpr std::string_view kSegmentSuffix = ".spool";
constexpr std::size_t kHexDigits = 16;

void AppendHexNumber(std::string& out, std::uint64_t value) {
  for (int shift = 60; shift >= 0; shift -= 4) out += "0123456789abcdef"[(value >> shift) & 0xF];
}

std::optional<std::uint64_t> ParseHexNumber(std::string_view text) {
  std::uint64_t value = 0;
  auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (ec != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::uint32_t Salted(std::string_view bytes, std::uint64_t salt) {
  char seed[sizeof salt];
  StoreFixed(seed, salt);
  return Crc32c(bytes, Crc32c(std::string_view(seed, sizeof seed)));
}

void AppendTotals(std::string& out, const Totals& totals) {
  for (const OutputTotals& output : totals) {
    AppendFixed(out, output.lines);
    AppendFixed(out, output.bytes);
    AppendFixed(out, output.last_time_ns);
  }
}

Totals ReadTotals(ByteReader& reader) {
  Totals totals{};
  for (OutputTotals& output : totals) {
    output.lines = reader.ReadFixed<std::uint64_t>().value_or(0);
    output.bytes = reader.ReadFixed<std::uint64_t>().value_or(0);
    output.last_time_ns = reader.ReadFixed<std::int64_t>().value_or(0);
  }
  return totals;
}

std::string EncodeGaps(const std::vector<wire::Gap>& gaps) {
  std::string out;
  for (const wire::Gap& gap : gaps) {
    AppendFixed(out, static_cast<std::uint8_t>(gap.output));
    AppendVarint(out, gap.time_ns);
    AppendVarint(out, gap.lines);
    AppendVarint(out, gap.bytes);
    AppendLengthPrefixed(out, gap.reason);
  }
  return out;
}

std::optional<std::vector<wire::Gap>> DecodeGaps(std::string_view bytes) {
  std::vector<wire::Gap> gaps;
  ByteReader reader(bytes);
  while (!reader.empty()) {
    auto output = reader.ReadFixed<std::uint8_t>();
    auto time = reader.ReadVarint();
    auto lines = reader.ReadVarint();
    auto size = reader.ReadVarint();
    auto reason = reader.ReadLengthPrefixed();
    if (!reason || *output < 1 || *output > kOutputs) return std::nullopt;
    gaps.push_back(
        {*time, static_cast<wire::Output>(*output), *lines, *size, std::string(*reason)});
  }
  return gaps;
}

Error DamagedHead() { return Error(ErrorCode::kCorruption, "damaged head of a spool segment"); }

}  // namespace

std::string EncodeSegmentName(const SegmentName& name) {
  std::string out;
  AppendHexNumber(out, name.number);
  out += '-';
  AppendHexNumber(out, name.salt);
  out += kSegmentSuffix;
  return out;
}

std::optional<SegmentName> ParseSegmentName(std::string_view name) {
  if (name.size() != 2 * kHexDigits + 1 + kSegmentSuffix.size()) return std::nullopt;
  auto number = ParseHexNumber(name.substr(0, kHexDigits));
  auto salt = ParseHexNumber(name.substr(kHexDigits + 1, kHexDigits));
  if (!number || !salt) return std::nullopt;
  SegmentName parsed{*number, *salt};
  // Only as it is written here: upper-case digits or another separator are somebody else's file.
  if (EncodeSegmentName(parsed) != name) return std::nullopt;
  return parsed;
}

std::string EncodeHead(const SegmentName& name, std::string_view identity) {
  Check(identity.size() <= kMaxIdentityBytes, "identity too long");
  std::string out(kSegmentMagic);
  AppendFixed(out, kSegmentVersion);
  AppendFixed(out, std::uint32_t{0});  // compatible flags
  AppendFixed(out, kKnownIncompatibleFlags);
  AppendFixed(out, static_cast<std::uint32_t>(identity.size()));
  AppendFixed(out, name.number);
  AppendFixed(out, name.salt);
  AppendFixed(out, std::uint32_t{0});  // reserved
  AppendFixed(out, Crc32c(identity, Crc32c(out)));
  out += identity;
  out.resize(AlignedUp(out.size()));
  return out;
}

std::optional<std::size_t> HeadSize(std::string_view bytes) {
  if (bytes.size() < kHeadBytes || !bytes.starts_with(kSegmentMagic)) return std::nullopt;
  auto identity_bytes = LoadFixed<std::uint32_t>(bytes.data() + 20);
  if (identity_bytes > kMaxIdentityBytes) return std::nullopt;
  return AlignedUp(kHeadBytes + identity_bytes);
}

Result<SegmentHead> DecodeHead(std::string_view bytes) {
  auto size = HeadSize(bytes);
  if (!size || bytes.size() != *size) return DamagedHead();
  std::string_view identity = bytes.substr(kHeadBytes, LoadFixed<std::uint32_t>(bytes.data() + 20));
  if (LoadFixed<std::uint32_t>(bytes.data() + kHeadChecksumAt) !=
      Crc32c(identity, Crc32c(bytes.substr(0, kHeadChecksumAt)))) {
    return DamagedHead();
  }
  auto version = LoadFixed<std::uint32_t>(bytes.data() + 8);
  auto incompatible = LoadFixed<std::uint32_t>(bytes.data() + 16);
  if (version != kSegmentVersion || (incompatible & ~kKnownIncompatibleFlags) != 0) {
    return Error(ErrorCode::kUnsupported,
                 Join("a spool segment of version ", version, " and flags ", incompatible));
  }
  return SegmentHead{
      {LoadFixed<std::uint64_t>(bytes.data() + 24), LoadFixed<std::uint64_t>(bytes.data() + 32)},
      identity};
}

bool AppendRecord(std::string& out, const SpoolRecord& record, std::uint64_t salt) {
  std::string gaps = EncodeGaps(record.info.gaps);
  if (gaps.size() > kMaxGapsBytes) return false;
  std::size_t begin = out.size();
  AppendFixed(out, std::uint32_t{0});  // checksum, below
  AppendFixed(out, kRecordMagic);
  AppendFixed(out, static_cast<std::uint8_t>(record.type));
  AppendFixed(out, std::uint8_t{0});  // reserved
  AppendFixed(out, static_cast<std::uint16_t>(gaps.size()));
  AppendFixed(out, record.payload_bytes);
  AppendFixed(out, record.payload_checksum);
  AppendFixed(out, record.batches);
  AppendFixed(out, record.info.first_sequence);
  AppendFixed(out, record.info.sequence);
  AppendFixed(out, NanosecondsOf(record.info.oldest_entry));
  AppendTotals(out, record.info.totals);
  AppendTotals(out, record.info.before);
  out += gaps;
  StoreFixed(out.data() + begin, Salted(std::string_view(out).substr(begin + 4), salt));
  return true;
}

std::size_t RecordSize(std::string_view bytes) {
  if (bytes.size() < kRecordBytes || LoadFixed<std::uint32_t>(bytes.data() + 4) != kRecordMagic) {
    return 0;
  }
  return kRecordBytes + LoadFixed<std::uint16_t>(bytes.data() + 10);
}

std::optional<SpoolRecord> DecodeRecord(std::string_view bytes, std::uint64_t salt) {
  if (RecordSize(bytes) != bytes.size()) return std::nullopt;
  ByteReader reader(bytes);
  auto checksum = reader.ReadFixed<std::uint32_t>();
  if (*checksum != Salted(reader.rest(), salt)) return std::nullopt;
  SpoolRecord record;
  reader.ReadFixed<std::uint32_t>();  // magic
  auto type = reader.ReadFixed<std::uint8_t>().value_or(0);
  if (type < static_cast<std::uint8_t>(RecordType::kBatch) ||
      type > static_cast<std::uint8_t>(RecordType::kSummary)) {
    return std::nullopt;
  }
  record.type = static_cast<RecordType>(type);
  reader.ReadFixed<std::uint8_t>();   // reserved
  reader.ReadFixed<std::uint16_t>();  // size of the gaps
  record.payload_bytes = reader.ReadFixed<std::uint32_t>().value_or(0);
  record.payload_checksum = reader.ReadFixed<std::uint32_t>().value_or(0);
  record.batches = reader.ReadFixed<std::uint32_t>().value_or(0);
  record.info.first_sequence = reader.ReadFixed<std::uint64_t>().value_or(0);
  record.info.sequence = reader.ReadFixed<std::uint64_t>().value_or(0);
  record.info.oldest_entry = LogTimeOf(reader.ReadFixed<std::int64_t>().value_or(0));
  record.info.totals = ReadTotals(reader);
  record.info.before = ReadTotals(reader);
  auto gaps = DecodeGaps(reader.rest());
  if (!gaps || record.info.first_sequence == 0 ||
      record.info.first_sequence > record.info.sequence || record.info.sequence > kMaxSequence) {
    return std::nullopt;
  }
  record.info.gaps = std::move(*gaps);
  return record;
}

std::uint32_t PayloadChecksum(std::string_view payload, std::uint64_t salt) {
  return Salted(payload, salt);
}

void AppendFooter(std::string& out, std::size_t summary_bytes) {
  AppendFixed(out, kFooterMagic);
  AppendFixed(out, static_cast<std::uint32_t>(summary_bytes));
}

std::size_t SummarySize(std::string_view bytes) {
  if (bytes.size() != kFooterBytes || LoadFixed<std::uint32_t>(bytes.data()) != kFooterMagic) {
    return 0;
  }
  std::size_t size = LoadFixed<std::uint32_t>(bytes.data() + 4);
  return size >= kRecordBytes && size <= kRecordBytes + kMaxGapsBytes ? size : 0;
}

std::string EncodeSlot(const AcknowledgedSlot& slot) {
  std::string out;
  AppendFixed(out, std::uint32_t{0});  // checksum, below
  AppendFixed(out, kSlotMagic);
  AppendFixed(out, slot.sequence);
  AppendTotals(out, slot.before);
  StoreFixed(out.data(), Crc32c(std::string_view(out).substr(4)));
  return out;
}

std::optional<AcknowledgedSlot> DecodeSlot(std::string_view bytes) {
  if (bytes.size() != kSlotBytes || LoadFixed<std::uint32_t>(bytes.data() + 4) != kSlotMagic ||
      LoadFixed<std::uint32_t>(bytes.data()) != Crc32c(bytes.substr(4))) {
    return std::nullopt;
  }
  ByteReader reader(bytes.substr(8));
  AcknowledgedSlot slot;
  slot.sequence = reader.ReadFixed<std::uint64_t>().value_or(0);
  slot.before = ReadTotals(reader);
  if (slot.sequence > kMaxSequence) return std::nullopt;
  return slot;
}

void Add(Totals& sum, const Totals& more) {
  for (std::size_t i = 0; i < kOutputs; ++i) {
    sum[i].lines += more[i].lines;
    sum[i].bytes += more[i].bytes;
    sum[i].last_time_ns = std::max(sum[i].last_time_ns, more[i].last_time_ns);
  }
}

Totals AccountedFor(const SpoolBatchInfo& info) {
  Totals sum = info.totals;
  for (const wire::Gap& gap : info.gaps) {
    Totals one{};
    one[IndexOf(gap.output)] = {gap.lines, gap.bytes, static_cast<std::int64_t>(gap.time_ns)};
    Add(sum, one);
  }
  return sum;
}

Totals AfterBatch(const SpoolBatchInfo& info) {
  Totals sum = info.before;
  Add(sum, AccountedFor(info));
  return sum;
}

Totals Difference(const Totals& from, const Totals& to) {
  Totals difference = to;
  for (std::size_t i = 0; i < kOutputs; ++i) {
    difference[i].lines -= std::min(difference[i].lines, from[i].lines);
    difference[i].bytes -= std::min(difference[i].bytes, from[i].bytes);
  }
  return difference;
}

}  // namespace dunlin::shipper
