#pragma once

#include <string>

#include "shipper/spool/spool_format.h"

namespace dunlin::shipper::testing {

/// The spool that docs/spool-format.md shows and tests/golden/spool-v1 holds.
inline constexpr SegmentName kExampleName{1, 0x8f3a5c0e77b1d249};
inline constexpr std::string_view kExampleIdentity = "agent web-1";
inline constexpr std::string_view kExampleFrame = "a wire frame";
/// ... and the frame of the second batch, which carries a gap.
inline constexpr std::string_view kExampleGapFrame = "another one";

inline SpoolBatchInfo ExampleBatch() {
  SpoolBatchInfo info;
  info.first_sequence = info.sequence = 1;
  info.totals[0] = {2, 9, 1'767'225'600'000'000'000};
  info.oldest_entry = LogTimeOf(1'767'225'600'000'000'000);
  return info;
}

inline SpoolBatchInfo ExampleGapBatch() {
  SpoolBatchInfo info;
  info.first_sequence = 2;
  info.sequence = 4;
  info.gaps = {{1'767'225'601'000'000'000, wire::Output::kStdout, 3, 30, "mem_full"}};
  info.oldest_entry = LogTimeOf(1'767'225'601'000'000'000);
  info.before = AfterBatch(ExampleBatch());
  return info;
}

inline void AppendExample(std::string& out, const SpoolBatchInfo& info, std::string_view frame) {
  SpoolRecord record;
  record.payload_bytes = static_cast<std::uint32_t>(frame.size());
  record.payload_checksum = PayloadChecksum(frame, kExampleName.salt);
  record.info = info;
  out.resize(AlignedUp(out.size()));
  AppendRecord(out, record, kExampleName.salt);
  out += frame;
}

/// The segment, with its summary.
inline std::string ExampleSegment() {
  std::string out = EncodeHead(kExampleName, kExampleIdentity);
  AppendExample(out, ExampleBatch(), kExampleFrame);
  AppendExample(out, ExampleGapBatch(), kExampleGapFrame);
  out.resize(AlignedUp(out.size()));
  SpoolRecord summary;
  summary.type = RecordType::kSummary;
  summary.batches = 2;
  summary.info = ExampleBatch();
  summary.info.sequence = 4;
  summary.info.gaps = ExampleGapBatch().gaps;
  std::size_t begin = out.size();
  AppendRecord(out, summary, kExampleName.salt);
  AppendFooter(out, out.size() - begin);
  return out;
}

/// The boot file: the first batch is acknowledged.
inline std::string ExampleBootFile() {
  return EncodeSlot({1, AfterBatch(ExampleBatch())}) + EncodeSlot({}) +
         EncodeHead({}, kExampleIdentity);
}

}  // namespace dunlin::shipper::testing
