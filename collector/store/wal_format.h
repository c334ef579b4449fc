#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "collector/store/store.h"
#include "protocol/base/random.h"
#include "protocol/base/result.h"

/// The write-ahead log on disk (docs/wal-format.md), shared by its writer and its reader.
namespace dunlin::store {

/// Log sequence number: 1, 2, 3, ... one per WAL record, never reused once acknowledged.
using Lsn = std::uint64_t;

inline constexpr std::string_view kWalMagic = "DUNLNWAL";
inline constexpr std::uint32_t kWalVersion = 1;
inline constexpr std::size_t kWalHeaderBytes = 64;
inline constexpr std::size_t kWalRecordHeaderBytes = 32;
/// Records start at multiples of this, so that a search for the next one after damage is cheap.
inline constexpr std::size_t kWalAlignment = 8;
/// Records written at once, at most. Bounds how far a record's durable_lsn is behind its lsn, which
/// tells bytes that look like a record from one before its checksum is tried.
inline constexpr std::size_t kMaxWalGroupRecords = 1U << 16;
/// A record longer than this is damage. Far above what one request may carry.
inline constexpr std::uint32_t kMaxWalBodyBytes = 512U << 20;

enum class WalRecordType : std::uint8_t { kBatch = 1 };

/// One file of the log; number and id are in its name too, so that a damaged header costs nothing.
struct WalFileName {
  std::uint64_t number = 0;  // files are read in this order
  RandomId id{};             // seeds every checksum in the file

  std::string ToString() const;
  static std::optional<WalFileName> Parse(std::string_view name);
  std::uint64_t seed() const;
};

/// Files that hold nothing any more, kept for their space. Never read.
inline constexpr std::string_view kWalSpareSuffix = ".spare";

struct WalFileHeader {
  RandomId id{};
  Lsn first_lsn = 0;  // records of earlier files from here on are void
  std::int64_t created_ns = 0;
  /// The file's space held an earlier file: what follows the last record is not zeros.
  bool recycled = false;
};

std::string EncodeWalFileHeader(const WalFileHeader& header);
/// Errors: kCorruption; kUnsupported for a version or feature this program does not know.
Result<WalFileHeader> DecodeWalFileHeader(std::string_view bytes);

/// What a kBatch record holds; views of the request or of the file.
struct WalBatch {
  std::optional<BatchId> id;
  std::optional<RandomId> content_hash;
  std::int64_t received_ns = 0;
  std::uint32_t payload_format = 0;
  std::string_view context;
  std::string_view payload;
};

struct WalRecord {
  Lsn lsn = 0;
  /// Everything up to here was durable when the record was written: tells a torn group, which
  /// nobody was promised, from damage to acknowledged records.
  Lsn durable_lsn = 0;
  WalBatch batch;
};

/// What a record's header says of itself, before anything is checked.
struct WalRecordClaim {
  std::uint8_t type = 0;
  Lsn lsn = 0;
  Lsn durable_lsn = 0;
};
/// `bytes` has at least kWalRecordHeaderBytes.
WalRecordClaim WalRecordClaimAt(std::string_view bytes);

/// Appends the whole record with its padding.
void AppendWalRecord(std::string& out, std::uint64_t seed, const WalRecord& record);

/// The bytes a record takes in the file when whole and intact at the start of `bytes`, or nothing.
/// Checks the checksum only.
std::optional<std::size_t> IntactWalRecordBytes(std::string_view bytes, std::uint64_t seed);

/// Takes apart an intact record. Errors: kCorruption, kUnsupported for an unknown type.
Result<WalRecord> DecodeWalRecord(std::string_view bytes);

}  // namespace dunlin::store
