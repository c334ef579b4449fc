#include "collector/store/wal_format.h"

#include <algorithm>

#include "protocol/base/checksum.h"
#include "protocol/base/coding.h"
#include "protocol/base/text.h"

namespace dunlin::store {
namespace {

constexpr std::string_view kWalSuffix = ".wal";
constexpr std::uint32_t kRecycled = 1;  // compatible
constexpr std::uint8_t kHasId = 1;
constexpr std::uint8_t kHasContentHash = 2;

std::size_t Padded(std::size_t size) {
  return (size + kWalAlignment - 1) / kWalAlignment * kWalAlignment;
}

void AppendId(std::string& out, const RandomId& id) {
  for (std::uint8_t byte : id) out.push_back(static_cast<char>(byte));
}

std::optional<RandomId> ReadId(ByteReader& reader) { return reader.ReadFixed<RandomId>(); }

std::uint64_t RecordChecksum(std::string_view record, std::uint64_t seed, Lsn lsn) {
  return Checksum(record.substr(8), seed + lsn);
}

}  // namespace

std::string WalFileName::ToString() const {
  std::string big_endian;
  for (int shift = 56; shift >= 0; shift -= 8) {
    big_endian.push_back(static_cast<char>(number >> shift));
  }
  std::string name;
  AppendHex(name, big_endian);
  return Join(name, "-", ToHex(id), kWalSuffix);
}

std::optional<WalFileName> WalFileName::Parse(std::string_view name) {
  if (name.size() != 16 + 1 + 32 + kWalSuffix.size() || name[16] != '-' ||
      !name.ends_with(kWalSuffix)) {
    return std::nullopt;
  }
  auto number = ParseHex(name.substr(0, 16));
  auto id = ParseHex(name.substr(17, 32));
  if (!number || !id) return std::nullopt;
  WalFileName parsed;
  for (char c : *number) parsed.number = parsed.number << 8 | static_cast<unsigned char>(c);
  std::transform(id->begin(), id->end(), parsed.id.begin(),
                 [](char c) { return static_cast<std::uint8_t>(c); });
  return parsed;
}

std::uint64_t WalFileName::seed() const {
  std::uint64_t seed = 0;
  std::memcpy(&seed, id.data(), sizeof seed);
  return seed;
}

std::string EncodeWalFileHeader(const WalFileHeader& header) {
  std::string out(kWalMagic);
  AppendFixed<std::uint32_t>(out, kWalVersion);
  AppendFixed<std::uint32_t>(out, header.recycled ? kRecycled : 0);  // compatible features
  AppendFixed<std::uint32_t>(out, 0);                                // incompatible features
  AppendFixed<std::uint32_t>(out, 0);
  AppendId(out, header.id);
  AppendFixed<std::uint64_t>(out, header.first_lsn);
  AppendFixed<std::int64_t>(out, header.created_ns);
  AppendFixed<std::uint64_t>(out, Checksum(out));
  Check(out.size() == kWalHeaderBytes, "WAL header has its fixed size");
  return out;
}

Result<WalFileHeader> DecodeWalFileHeader(std::string_view bytes) {
  bytes = bytes.substr(0, kWalHeaderBytes);
  if (bytes.size() < kWalHeaderBytes || !bytes.starts_with(kWalMagic) ||
      Checksum(bytes.substr(0, kWalHeaderBytes - 8)) !=
          LoadFixed<std::uint64_t>(bytes.data() + kWalHeaderBytes - 8)) {
    return Error(ErrorCode::kCorruption, "damaged WAL file header");
  }
  auto version = LoadFixed<std::uint32_t>(bytes.data() + 8);
  auto incompatible = LoadFixed<std::uint32_t>(bytes.data() + 16);
  if (version != kWalVersion || incompatible != 0) {
    return Error(ErrorCode::kUnsupported, Join("WAL file of version ", version, " with features ",
                                               incompatible, ": written by a newer program"));
  }
  WalFileHeader header;
  header.recycled = (LoadFixed<std::uint32_t>(bytes.data() + 12) & kRecycled) != 0;
  std::memcpy(header.id.data(), bytes.data() + 24, header.id.size());
  header.first_lsn = LoadFixed<std::uint64_t>(bytes.data() + 40);
  header.created_ns = LoadFixed<std::int64_t>(bytes.data() + 48);
  return header;
}

void AppendWalRecord(std::string& out, std::uint64_t seed, const WalRecord& record) {
  std::size_t start = out.size();
  const WalBatch& batch = record.batch;
  AppendFixed<std::uint64_t>(out, 0);  // the checksum, below
  AppendFixed<std::uint32_t>(out, 0);  // the body's size, below
  out.push_back(static_cast<char>(WalRecordType::kBatch));
  out.append(3, '\0');
  AppendFixed<std::uint64_t>(out, record.lsn);
  AppendFixed<std::uint64_t>(out, record.durable_lsn);

  out.push_back(
      static_cast<char>((batch.id ? kHasId : 0) | (batch.content_hash ? kHasContentHash : 0)));
  if (batch.id) {
    AppendId(out, batch.id->agent);
    AppendId(out, batch.id->boot);
    AppendVarint(out, batch.id->sequence);
  }
  if (batch.content_hash) AppendId(out, *batch.content_hash);
  AppendFixed<std::int64_t>(out, batch.received_ns);
  AppendVarint(out, batch.payload_format);
  AppendLengthPrefixed(out, batch.context);
  AppendLengthPrefixed(out, batch.payload);

  std::size_t size = out.size() - start;
  Check(size - kWalRecordHeaderBytes <= kMaxWalBodyBytes, "WAL record body is within its limit");
  StoreFixed(out.data() + start + 8, static_cast<std::uint32_t>(size - kWalRecordHeaderBytes));
  out.append(Padded(size) - size, '\0');
  std::string_view whole(out.data() + start, size);
  StoreFixed(out.data() + start, RecordChecksum(whole, seed, record.lsn));
}

WalRecordClaim WalRecordClaimAt(std::string_view bytes) {
  return {static_cast<std::uint8_t>(bytes[12]), LoadFixed<std::uint64_t>(bytes.data() + 16),
          LoadFixed<std::uint64_t>(bytes.data() + 24)};
}

std::optional<std::size_t> IntactWalRecordBytes(std::string_view bytes, std::uint64_t seed) {
  if (bytes.size() < kWalRecordHeaderBytes) return std::nullopt;
  auto body = LoadFixed<std::uint32_t>(bytes.data() + 8);
  auto lsn = LoadFixed<std::uint64_t>(bytes.data() + 16);
  std::size_t size = kWalRecordHeaderBytes + body;
  if (body > kMaxWalBodyBytes || size > bytes.size()) return std::nullopt;
  if (RecordChecksum(bytes.substr(0, size), seed, lsn) != LoadFixed<std::uint64_t>(bytes.data())) {
    return std::nullopt;
  }
  return Padded(size);
}

Result<WalRecord> DecodeWalRecord(std::string_view bytes) {
  WalRecord record;
  auto type = static_cast<std::uint8_t>(bytes[12]);
  record.lsn = LoadFixed<std::uint64_t>(bytes.data() + 16);
  record.durable_lsn = LoadFixed<std::uint64_t>(bytes.data() + 24);
  if (type != static_cast<std::uint8_t>(WalRecordType::kBatch)) {
    return Error(ErrorCode::kUnsupported,
                 Join("WAL record ", record.lsn, " of unknown type ", type));
  }
  ByteReader reader(
      bytes.substr(kWalRecordHeaderBytes, LoadFixed<std::uint32_t>(bytes.data() + 8)));
  WalBatch& batch = record.batch;
  std::uint8_t flags = reader.ReadFixed<std::uint8_t>().value_or(0);
  if (flags & kHasId) {
    BatchId id;
    id.agent = ReadId(reader).value_or(RandomId{});
    id.boot = ReadId(reader).value_or(RandomId{});
    id.sequence = reader.ReadVarint().value_or(0);
    batch.id = id;
  }
  if (flags & kHasContentHash) batch.content_hash = ReadId(reader).value_or(RandomId{});
  batch.received_ns = reader.ReadFixed<std::int64_t>().value_or(0);
  batch.payload_format = static_cast<std::uint32_t>(reader.ReadVarint().value_or(0));
  batch.context = reader.ReadLengthPrefixed().value_or(std::string_view());
  batch.payload = reader.ReadLengthPrefixed().value_or(std::string_view());
  if (reader.failed()) {
    return Error(ErrorCode::kCorruption, Join("malformed WAL record ", record.lsn));
  }
  return record;
}

}  // namespace dunlin::store
