#include "protocol/wire/messages.h"

#include <algorithm>
#include <cstring>

#include "protocol/base/text.h"
#include "protocol/wire/fields.h"

namespace dunlin::wire {
namespace {

Error Malformed(std::string_view message, std::string_view cause) {
  return Error(ErrorCode::kCorruption, Join("cannot read ", message, " message: ", cause));
}

Error EndsEarly(std::string_view message) {
  return Malformed(message, "it is cut short or not protobuf");
}

void PutId(std::string& out, std::uint32_t number, const RandomId& id) {
  PutBytes(out, number, std::string_view(reinterpret_cast<const char*>(id.data()), id.size()));
}

/// False unless the field is bytes of an id's size.
bool ReadId(const FieldReader& fields, RandomId& id) {
  std::string_view bytes;
  fields.Read(bytes);
  if (bytes.size() != id.size()) return false;
  std::memcpy(id.data(), bytes.data(), id.size());
  return true;
}

void PutLabels(std::string& out, std::uint32_t number, const LabelSet& labels) {
  std::string label;
  for (const auto& [name, value] : labels) {
    label.clear();
    PutBytes(label, 1, name);
    PutBytes(label, 2, value);
    PutMessage(out, number, label);
  }
}

/// Far above what any identity or sample has; each further label would cost more than the last.
constexpr std::size_t kMaxLabels = 64;

/// Adds one Label message to `labels`; false when it is malformed or there are too many.
bool ReadLabel(const FieldReader& fields, LabelSet& labels) {
  std::string_view bytes;
  std::string_view name;
  std::string_view value;
  fields.Read(bytes);
  FieldReader label(bytes);
  while (label.Next()) {
    if (label.number() == 1) label.Read(name);
    if (label.number() == 2) label.Read(value);
  }
  if (label.failed() || !IsValidLabelName(name)) return false;
  if (labels.size() >= kMaxLabels && !labels.Has(name)) return false;
  labels.Set(name, value);
  return true;
}

}  // namespace

std::string Encode(const Hello& message) {
  std::string out;
  PutVarint(out, 1, message.protocol_version);
  PutVarint(out, 2, message.min_protocol_version);
  PutBytes(out, 3, message.agent_version);
  PutId(out, 4, message.agent_id);
  PutId(out, 5, message.boot_id);
  PutBytes(out, 6, message.project);
  PutBytes(out, 7, message.service);
  PutBytes(out, 8, message.deployment);
  PutBytes(out, 9, message.container);
  PutBytes(out, 10, message.host);
  PutLabels(out, 11, message.labels);
  PutVarint(out, 12, message.first_sequence);
  PutBytes(out, 13, message.token);
  PutBytes(out, 14, message.metrics_address);
  return out;
}

Result<Hello> DecodeHello(std::string_view payload) {
  Hello message;
  message.protocol_version = 0;
  message.min_protocol_version = 0;
  message.first_sequence = 0;
  bool has_agent_id = false;
  bool has_boot_id = false;
  FieldReader fields(payload);
  while (fields.Next()) {
    switch (fields.number()) {
      case 1:
        fields.Read(message.protocol_version);
        break;
      case 2:
        fields.Read(message.min_protocol_version);
        break;
      case 3:
        fields.Read(message.agent_version);
        break;
      case 4:
        has_agent_id = ReadId(fields, message.agent_id);
        break;
      case 5:
        has_boot_id = ReadId(fields, message.boot_id);
        break;
      case 6:
        fields.Read(message.project);
        break;
      case 7:
        fields.Read(message.service);
        break;
      case 8:
        fields.Read(message.deployment);
        break;
      case 9:
        fields.Read(message.container);
        break;
      case 10:
        fields.Read(message.host);
        break;
      case 11:
        if (!ReadLabel(fields, message.labels))
          return Malformed("hello", "a label is malformed or one too many");
        break;
      case 12:
        fields.Read(message.first_sequence);
        break;
      case 13:
        fields.Read(message.token);
        break;
      case 14:
        fields.Read(message.metrics_address);
        break;
      default:
        break;
    }
  }
  if (fields.failed()) return EndsEarly("hello");
  // Without them two agents would be taken for one, and their batches for each other's duplicates.
  if (!has_agent_id || !has_boot_id) {
    return Malformed("hello", "agent_id and boot_id are 16 bytes each");
  }
  return message;
}

std::string Encode(const Welcome& message) {
  std::string out;
  PutVarint(out, 1, message.protocol_version);
  PutBytes(out, 2, message.collector_version);
  PutId(out, 3, message.collector_id);
  PutVarint(out, 4, message.next_sequence);
  PutVarint(out, 5, message.max_frame_bytes);
  PutVarint(out, 6, message.max_unacknowledged_batches);
  return out;
}

Result<Welcome> DecodeWelcome(std::string_view payload) {
  Welcome message;
  message.protocol_version = 0;
  message.next_sequence = 0;
  FieldReader fields(payload);
  while (fields.Next()) {
    switch (fields.number()) {
      case 1:
        fields.Read(message.protocol_version);
        break;
      case 2:
        fields.Read(message.collector_version);
        break;
      case 3:
        if (!ReadId(fields, message.collector_id)) {
          return Malformed("welcome", "collector_id is 16 bytes");
        }
        break;
      case 4:
        fields.Read(message.next_sequence);
        break;
      case 5:
        fields.Read(message.max_frame_bytes);
        break;
      case 6:
        fields.Read(message.max_unacknowledged_batches);
        break;
      default:
        break;
    }
  }
  if (fields.failed()) return EndsEarly("welcome");
  return message;
}

std::string Encode(const Ack& message) {
  std::string out;
  PutVarint(out, 1, message.sequence);
  return out;
}

Result<Ack> DecodeAck(std::string_view payload) {
  Ack message;
  FieldReader fields(payload);
  while (fields.Next()) {
    if (fields.number() == 1) fields.Read(message.sequence);
  }
  if (fields.failed()) return EndsEarly("ack");
  return message;
}

std::string Encode(const Reject& message) {
  std::string out;
  PutVarint(out, 1, message.sequence);
  PutBytes(out, 2, message.reason);
  return out;
}

Result<Reject> DecodeReject(std::string_view payload) {
  Reject message;
  FieldReader fields(payload);
  while (fields.Next()) {
    if (fields.number() == 1) fields.Read(message.sequence);
    if (fields.number() == 2) fields.Read(message.reason);
  }
  if (fields.failed()) return EndsEarly("reject");
  return message;
}

std::string Encode(const SlowDown& message) {
  std::string out;
  PutVarint(out, 1, message.delay_ms);
  PutBytes(out, 2, message.reason);
  return out;
}

Result<SlowDown> DecodeSlowDown(std::string_view payload) {
  SlowDown message;
  FieldReader fields(payload);
  while (fields.Next()) {
    if (fields.number() == 1) fields.Read(message.delay_ms);
    if (fields.number() == 2) fields.Read(message.reason);
  }
  if (fields.failed()) return EndsEarly("slow-down");
  return message;
}

std::string Encode(const Goodbye& message) {
  std::string out;
  PutBytes(out, 1, message.reason);
  PutVarint(out, 2, message.retry ? 1 : 0);
  return out;
}

Result<Goodbye> DecodeGoodbye(std::string_view payload) {
  Goodbye message;
  message.retry = false;
  FieldReader fields(payload);
  while (fields.Next()) {
    if (fields.number() == 1) fields.Read(message.reason);
    if (fields.number() == 2) fields.Read(message.retry);
  }
  if (fields.failed()) return EndsEarly("goodbye");
  return message;
}

std::string Encode(const Ping& message) {
  std::string out;
  PutVarint(out, 1, message.nonce);
  return out;
}

Result<Ping> DecodePing(std::string_view payload) {
  Ping message;
  FieldReader fields(payload);
  while (fields.Next()) {
    if (fields.number() == 1) fields.Read(message.nonce);
  }
  if (fields.failed()) return EndsEarly("ping");
  return message;
}

std::string Encode(const Pong& message) {
  std::string out;
  PutVarint(out, 1, message.nonce);
  return out;
}

Result<Pong> DecodePong(std::string_view payload) {
  Pong message;
  FieldReader fields(payload);
  while (fields.Next()) {
    if (fields.number() == 1) fields.Read(message.nonce);
  }
  if (fields.failed()) return EndsEarly("pong");
  return message;
}

namespace {

/// As the Prometheus data model has it: a label name that may hold colons too.
bool IsValidMetricName(std::string_view name) {
  std::string without_colons(name);
  std::replace(without_colons.begin(), without_colons.end(), ':', '_');
  return IsValidLabelName(without_colons);
}

bool IsOneOf(std::string_view text, std::initializer_list<std::string_view> choices) {
  return std::find(choices.begin(), choices.end(), text) != choices.end();
}

bool ReadSample(const FieldReader& parent, MetricSample& sample) {
  std::string_view bytes;
  parent.Read(bytes);
  FieldReader fields(bytes);
  while (fields.Next()) {
    if (fields.number() == 1 && !ReadLabel(fields, sample.labels)) return false;
    if (fields.number() == 2) fields.Read(sample.value);
    if (fields.number() == 3) fields.Read(sample.suffix);
  }
  return !fields.failed() && IsOneOf(sample.suffix, {"", "_bucket", "_sum", "_count"});
}

bool ReadFamily(const FieldReader& parent, MetricFamily& family) {
  std::string_view bytes;
  parent.Read(bytes);
  FieldReader fields(bytes);
  while (fields.Next()) {
    if (fields.number() == 1) fields.Read(family.name);
    if (fields.number() == 2) fields.Read(family.help);
    if (fields.number() == 3) fields.Read(family.type);
    if (fields.number() == 4 && !ReadSample(fields, family.samples.emplace_back())) return false;
  }
  return !fields.failed() && IsValidMetricName(family.name) &&
         IsOneOf(family.type, {"counter", "gauge", "histogram", "summary", "untyped"});
}

}  // namespace

std::string Encode(const Metrics& message) {
  std::string out;
  PutVarint(out, 1, message.time_ns);
  std::string family_bytes;
  std::string sample_bytes;
  for (const MetricFamily& family : message.families) {
    family_bytes.clear();
    PutBytes(family_bytes, 1, family.name);
    PutBytes(family_bytes, 2, family.help);
    PutBytes(family_bytes, 3, family.type);
    for (const MetricSample& sample : family.samples) {
      sample_bytes.clear();
      PutLabels(sample_bytes, 1, sample.labels);
      PutDouble(sample_bytes, 2, sample.value);
      PutBytes(sample_bytes, 3, sample.suffix);
      PutMessage(family_bytes, 4, sample_bytes);
    }
    PutMessage(out, 2, family_bytes);
  }
  return out;
}

Result<Metrics> DecodeMetrics(std::string_view payload) {
  Metrics message;
  FieldReader fields(payload);
  while (fields.Next()) {
    if (fields.number() == 1) fields.Read(message.time_ns);
    if (fields.number() == 2 && !ReadFamily(fields, message.families.emplace_back())) {
      return Malformed("metrics", "a family is malformed or breaks the Prometheus naming rules");
    }
  }
  if (fields.failed()) return EndsEarly("metrics");
  return message;
}

}  // namespace dunlin::wire
