#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/base/result.h"
#include "protocol/base/units.h"
#include "shipper/spool/spool_batch.h"

namespace dunlin::shipper {

/// docs/spool-format.md in code: bytes in, values out; no files.

inline constexpr std::string_view kBootFileName = "boot";
inline constexpr std::string_view kLockSuffix = ".lock";

/// Everything in a segment starts at a multiple of this.
inline constexpr std::uint64_t kSpoolAlignment = 8;
constexpr std::uint64_t AlignedUp(std::uint64_t position) {
  return (position + kSpoolAlignment - 1) / kSpoolAlignment * kSpoolAlignment;
}

/// Sequences above are damage; one more than this still fits.
inline constexpr std::uint64_t kMaxSequence = (std::uint64_t{1} << 63) - 1;

/// What a segment file's name says.
struct SegmentName {
  std::uint64_t number = 0;
  std::uint64_t salt = 0;  // random; starts all checksums of the file's records
  friend bool operator==(const SegmentName&, const SegmentName&) = default;
};
std::string EncodeSegmentName(const SegmentName& name);
std::optional<SegmentName> ParseSegmentName(std::string_view name);

/// The beginning of a segment.
inline constexpr std::size_t kHeadBytes = 48;  // before the identity
inline constexpr std::size_t kMaxIdentityBytes = 64_KiB;
std::string EncodeHead(const SegmentName& name, std::string_view identity);
/// Size of the whole head, padding included, by its first kHeadBytes, which may be damaged: then
/// nothing, or a size that DecodeHead will not confirm.
std::optional<std::size_t> HeadSize(std::string_view bytes);
struct SegmentHead {
  SegmentName name;
  std::string_view identity;  // of the bytes given
};
/// `bytes` is HeadSize long. Errors: kCorruption, kUnsupported for a head that a newer program
/// wrote.
Result<SegmentHead> DecodeHead(std::string_view bytes);

enum class RecordType : std::uint8_t {
  kBatch = 1,    // a payload follows: the wire frame
  kGap = 2,      // takes the place of a whole segment; nothing follows
  kSummary = 3,  // ends a full segment: the sums of its records
};

struct SpoolRecord {
  RecordType type = RecordType::kBatch;
  std::uint32_t batches = 1;  // of a summary: records that it sums up
  std::uint32_t payload_bytes = 0;
  std::uint32_t payload_checksum = 0;
  SpoolBatchInfo info;
};

inline constexpr std::size_t kRecordBytes = 144;  // before the gaps
inline constexpr std::size_t kMaxGapsBytes = 0xFFFF;
/// Appends record and gaps, without payload. Nothing when the gaps do not fit.
bool AppendRecord(std::string& out, const SpoolRecord& record, std::uint64_t salt);
/// Size of record and gaps when `bytes` (kRecordBytes or more) may start with one; 0 when they do
/// not.
std::size_t RecordSize(std::string_view bytes);
/// `bytes` is RecordSize long. Nothing when it is no intact record of this salt.
std::optional<SpoolRecord> DecodeRecord(std::string_view bytes, std::uint64_t salt);
std::uint32_t PayloadChecksum(std::string_view payload, std::uint64_t salt);

/// The last bytes of a segment that ends with a summary: how far back that starts.
inline constexpr std::size_t kFooterBytes = 8;
void AppendFooter(std::string& out, std::size_t summary_bytes);
/// Size of the summary record in front of the footer, or 0 when `bytes` is no footer.
std::size_t SummarySize(std::string_view bytes);

/// How far the spool is acknowledged. The boot file begins with two, written in turn.
struct AcknowledgedSlot {
  std::uint64_t sequence = 0;
  Totals before{};  // what everything up to it accounted for
};
inline constexpr std::size_t kSlotBytes = 64;
inline constexpr std::size_t kSlotsBytes = 2 * kSlotBytes;  // a head follows, for the identity
std::string EncodeSlot(const AcknowledgedSlot& slot);
std::optional<AcknowledgedSlot> DecodeSlot(std::string_view bytes);

/// What a batch accounts for: its entries and what its gaps stand for.
Totals AccountedFor(const SpoolBatchInfo& info);
/// The sum at its end: before and AccountedFor.
Totals AfterBatch(const SpoolBatchInfo& info);
/// What lies between two sums. Never less than nothing.
Totals Difference(const Totals& from, const Totals& to);
void Add(Totals& sum, const Totals& more);

}  // namespace dunlin::shipper
