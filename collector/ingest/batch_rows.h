#pragma once

#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

#include "collector/ingest/agent_identity.h"
#include "collector/store/store.h"
#include "protocol/wire/batch.h"

namespace dunlin::ingest {

/// Turns agents' batches into enriched rows: labels of the output, `detected_level`, and what a
/// batch marks as fragment, truncated, unterminated or lost, as metadata (README, "Words").
/// Holds decompression buffers; one thread.
class BatchRowReader {
 public:
  /// Lines point into the answer's `text`, taken over from the decompressor without copying.
  /// Errors: kCorruption.
  Result<store::RowBatch> Read(const wire::BatchView& batch, const OutputStreams& streams);

 private:
  wire::BatchDecoder decoder_;
  wire::Columns columns_;
};

/// Lends readers to whichever thread needs one and keeps as many as were ever needed at once.
class BatchRowReaders {
 public:
  Result<store::RowBatch> Read(const wire::BatchView& batch, const OutputStreams& streams);

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<BatchRowReader>> idle_;
};

/// Replays WAL payloads of both formats. Thread-safe.
class IngestPayloadDecoder : public store::PayloadDecoder {
 public:
  Result<store::RowBatch> Decode(std::uint32_t payload_format, std::string_view context,
                                 std::string_view payload) const override;

 private:
  mutable BatchRowReaders readers_;
};

}  // namespace dunlin::ingest
