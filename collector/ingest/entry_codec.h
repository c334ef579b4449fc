#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "collector/store/rows.h"
#include "protocol/base/label_set.h"
#include "protocol/base/result.h"

namespace dunlin::ingest {

/// What AppendRequest::payload_format says about a payload (docs/ingest-formats.md).
enum class PayloadFormat : std::uint32_t {
  kAgentBatch = 1,  // a Batch as the agent sent it; the context is its two label sets
  kEntries = 2,     // what this header describes; no context
};

/// Writes entries in the form the WAL keeps for everything that is not an agent's batch. Streams
/// and metadata sets are written once and referred to by number.
class EntryEncoder {
 public:
  /// The number of a stream or metadata set; an equal one gets the same number while it follows
  /// directly, so that the common case needs no index.
  std::uint32_t AddStream(const LabelSet& labels);
  std::uint32_t AddMetadata(const LabelSet& labels);
  void Add(std::uint32_t stream, std::uint32_t metadata, std::int64_t time_ns,
           std::string_view line);

  std::uint64_t entries() const { return entries_; }
  /// The whole payload. Its bytes stay where they are when the string is moved.
  std::string Finish() const;

 private:
  std::vector<LabelSet> streams_;
  std::vector<LabelSet> metadata_{LabelSet{}};
  std::string rows_;
  std::uint64_t entries_ = 0;
  std::int64_t previous_time_ns_ = 0;
};

/// Reads what EntryEncoder wrote; lines point into `payload`. Errors: kCorruption.
Result<store::RowBatch> DecodeEntries(std::string_view payload);

/// Reserves enough for `text` that it lives on the heap: a shorter string lies inside its object,
/// and views into it would dangle when it is moved.
void KeepInPlaceWhenMoved(std::string& text);

}  // namespace dunlin::ingest
