#include "collector/ingest/agent_identity.h"

#include <algorithm>
#include <array>
#include <utility>

#include "protocol/base/coding.h"
#include "protocol/base/text.h"

namespace dunlin::ingest {
namespace {

constexpr std::array<std::string_view, 7> kReserved{
    "project", "service", "deployment", "container", "host", "output", "service_name"};

Error Invalid(std::string message) {
  return Error(ErrorCode::kInvalidArgument, std::move(message));
}

}  // namespace

std::string AgentIdentity::ToString() const {
  return Join(labels.Get("project"), '/', labels.Get("service"), '/', labels.Get("deployment"), '/',
              labels.Get("container"));
}

Result<AgentIdentity> IdentityOf(const wire::Hello& hello, const IdentityLimits& limits) {
  AgentIdentity identity;
  identity.agent = hello.agent_id;
  identity.boot = hello.boot_id;
  identity.first_sequence = std::max<std::uint64_t>(hello.first_sequence, 1);
  identity.version = hello.agent_version.substr(0, limits.name_bytes);
  identity.metrics_address = hello.metrics_address.substr(0, limits.name_bytes);

  const std::array<std::pair<std::string_view, const std::string*>, 5> names{
      {{"project", &hello.project},
       {"service", &hello.service},
       {"deployment", &hello.deployment},
       {"container", &hello.container},
       {"host", &hello.host}}};
  for (const auto& [name, value] : names) {
    if (value->size() > limits.name_bytes) {
      return Invalid(Join("--", name, " is longer than ", limits.name_bytes, " bytes"));
    }
    identity.labels.Set(name, *value);
  }
  for (std::string_view needed : {"project", "service"}) {
    if (!identity.labels.Has(needed)) return Invalid(Join("--", needed, " is empty"));
  }

  if (hello.labels.size() > limits.labels) {
    return Invalid(Join("more than ", limits.labels, " --label"));
  }
  for (const auto& [name, value] : hello.labels) {
    if (!IsValidLabelName(name) || name.size() > limits.name_bytes) {
      return Invalid(Join("--label ", name.substr(0, limits.name_bytes),
                          " is not a label name: letters, digits and _, at most ",
                          limits.name_bytes, " bytes"));
    }
    if (std::find(kReserved.begin(), kReserved.end(), name) != kReserved.end()) {
      return Invalid(Join("--label ", name, " is reserved: use --", name, " or another name"));
    }
    if (value.size() > limits.value_bytes) {
      return Invalid(
          Join("the value of --label ", name, " is longer than ", limits.value_bytes, " bytes"));
    }
  }
  identity.extra = hello.labels;
  return identity;
}

OutputStreams StreamsOf(const AgentIdentity& identity) {
  std::vector<LabelSet::Label> labels(identity.labels.begin(), identity.labels.end());
  labels.insert(labels.end(), identity.extra.begin(), identity.extra.end());
  OutputStreams streams;
  streams.standard_output = LabelSet(labels);
  streams.standard_error = streams.standard_output;
  streams.standard_output.Set("output", "stdout");
  streams.standard_error.Set("output", "stderr");
  return streams;
}

std::string EncodeContext(const OutputStreams& streams) {
  std::string context;
  AppendLabelSet(context, streams.standard_output);
  AppendLabelSet(context, streams.standard_error);
  return context;
}

Result<OutputStreams> DecodeContext(std::string_view context) {
  ByteReader reader(context);
  auto out = ReadLabelSet(reader);
  if (!out) return std::move(out).error().Wrap("cannot read the labels of stdout");
  auto err = ReadLabelSet(reader);
  if (!err) return std::move(err).error().Wrap("cannot read the labels of stderr");
  if (!reader.empty()) return Error(ErrorCode::kCorruption, "bytes after the labels of a batch");
  return OutputStreams{std::move(*out), std::move(*err)};
}

}  // namespace dunlin::ingest
