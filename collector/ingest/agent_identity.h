#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "protocol/base/label_set.h"
#include "protocol/base/random.h"
#include "protocol/base/result.h"
#include "protocol/wire/messages.h"

namespace dunlin::ingest {

/// What an agent says about itself may not exceed these: its labels name streams for ever.
struct IdentityLimits {
  std::size_t name_bytes = 128;    // of project, service, deployment, container, host, label names
  std::size_t value_bytes = 1024;  // of a --label's value
  std::size_t labels = 30;         // --label
};

/// Who sends on a connection.
struct AgentIdentity {
  RandomId agent{};
  RandomId boot{};
  LabelSet labels;  // project, service, deployment, container, host; what names the agent
  LabelSet extra;   // --label
  std::uint64_t first_sequence = 1;
  std::string version;
  std::string metrics_address;

  /// "shop/web/v2/web-1", for logs.
  std::string ToString() const;
  friend bool operator==(const AgentIdentity&, const AgentIdentity&) = default;
};

/// Errors: kInvalidArgument with a sentence for the person who set the agent's flags.
Result<AgentIdentity> IdentityOf(const wire::Hello& hello, const IdentityLimits& limits = {});

/// The label sets of an agent's two streams; what one connection's batches are enriched with.
struct OutputStreams {
  LabelSet standard_output;
  LabelSet standard_error;
  friend bool operator==(const OutputStreams&, const OutputStreams&) = default;
};

OutputStreams StreamsOf(const AgentIdentity& identity);

/// The context the WAL keeps beside an agent's batch (docs/ingest-formats.md).
std::string EncodeContext(const OutputStreams& streams);
/// Errors: kCorruption.
Result<OutputStreams> DecodeContext(std::string_view context);

}  // namespace dunlin::ingest
