#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/label_set.h"
#include "protocol/base/random.h"
#include "protocol/base/result.h"

namespace dunlin::wire {

/// The messages of dunlin.proto except Batch, as plain values. Encode* return a payload, Decode*
/// read one and skip unknown fields; errors: kCorruption. Why by hand: the protobuf runtime is most
/// of a megabyte in a static agent (docs/wire-format.md, "Code").
inline constexpr std::uint32_t kProtocolVersion = 1;

struct Hello {
  std::uint32_t protocol_version = kProtocolVersion;
  std::uint32_t min_protocol_version = kProtocolVersion;
  std::string agent_version;
  RandomId agent_id{};
  RandomId boot_id{};
  std::string project;
  std::string service;
  std::string deployment;
  std::string container;
  std::string host;
  LabelSet labels;
  std::uint64_t first_sequence = 1;
  std::string token;
  std::string metrics_address;

  friend bool operator==(const Hello&, const Hello&) = default;
};

struct Welcome {
  std::uint32_t protocol_version = kProtocolVersion;
  std::string collector_version;
  RandomId collector_id{};
  std::uint64_t next_sequence = 1;
  std::uint32_t max_frame_bytes = 0;
  std::uint32_t max_unacknowledged_batches = 0;

  friend bool operator==(const Welcome&, const Welcome&) = default;
};

struct Ack {
  std::uint64_t sequence = 0;
  friend bool operator==(const Ack&, const Ack&) = default;
};

struct Reject {
  std::uint64_t sequence = 0;
  std::string reason;
  friend bool operator==(const Reject&, const Reject&) = default;
};

struct SlowDown {
  std::uint32_t delay_ms = 0;
  std::string reason;
  friend bool operator==(const SlowDown&, const SlowDown&) = default;
};

struct Goodbye {
  std::string reason;
  bool retry = true;
  friend bool operator==(const Goodbye&, const Goodbye&) = default;
};

struct Ping {
  std::uint64_t nonce = 0;
  friend bool operator==(const Ping&, const Ping&) = default;
};

struct Pong {
  std::uint64_t nonce = 0;
  friend bool operator==(const Pong&, const Pong&) = default;
};

struct MetricSample {
  LabelSet labels;
  double value = 0;
  std::string suffix;  // "_bucket", "_sum", "_count" or empty
  friend bool operator==(const MetricSample&, const MetricSample&) = default;
};

struct MetricFamily {
  std::string name;
  std::string help;
  std::string type;  // counter, gauge, histogram, summary or untyped
  std::vector<MetricSample> samples;
  friend bool operator==(const MetricFamily&, const MetricFamily&) = default;
};

struct Metrics {
  std::uint64_t time_ns = 0;
  std::vector<MetricFamily> families;
  friend bool operator==(const Metrics&, const Metrics&) = default;
};

std::string Encode(const Hello& message);
std::string Encode(const Welcome& message);
std::string Encode(const Ack& message);
std::string Encode(const Reject& message);
std::string Encode(const SlowDown& message);
std::string Encode(const Goodbye& message);
std::string Encode(const Ping& message);
std::string Encode(const Pong& message);
std::string Encode(const Metrics& message);

Result<Hello> DecodeHello(std::string_view payload);
Result<Welcome> DecodeWelcome(std::string_view payload);
Result<Ack> DecodeAck(std::string_view payload);
Result<Reject> DecodeReject(std::string_view payload);
Result<SlowDown> DecodeSlowDown(std::string_view payload);
Result<Goodbye> DecodeGoodbye(std::string_view payload);
Result<Ping> DecodePing(std::string_view payload);
Result<Pong> DecodePong(std::string_view payload);
Result<Metrics> DecodeMetrics(std::string_view payload);

}  // namespace dunlin::wire
