#include "controller/model/spec.h"

#include "controller/model/spec_reader.h"
#include "protocol/base/checksum.h"
#include "protocol/base/json_writer.h"
#include "protocol/base/text.h"
#include "protocol/base/units.h"

namespace dunlin::controller {
namespace {

bool IsNameCharacter(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

void WriteMap(JsonWriter& out, std::string_view name,
              const std::map<std::string, std::string>& map) {
  out.Key(name);
  out.BeginObject();
  for (const auto& [key, value] : map) out.Field(key, value);
  out.EndObject();
}

}  // namespace

bool IsValidName(std::string_view name) {
  // 38 characters: container engines cut longer network aliases.
  if (name.empty() || name.size() > 38) return false;
  if (!IsNameCharacter(name.front()) || !IsNameCharacter(name.back())) return false;
  for (char c : name) {
    if (!IsNameCharacter(c) && c != '-') return false;
  }
  return true;
}

std::string_view ReadinessKindName(Readiness::Kind kind) {
  switch (kind) {
    case Readiness::Kind::kUptime:
      return "uptime";
    case Readiness::Kind::kHttp:
      return "http";
    case Readiness::Kind::kTcp:
      return "tcp";
  }
  return "unknown";
}

ParsedDeployRequest ParseDeployRequest(std::string_view json) {
  ParsedDeployRequest parsed;
  if (Trim(json).empty()) return parsed;
  SpecReader reader(parsed);
  reader.Read(json);
  return parsed;
}

Spec ApplyDeployRequest(const DeployRequest& request, const Spec* stored,
                        std::vector<FieldError>& errors) {
  Spec spec;
  if (!request.command && stored != nullptr) spec = *stored;
  if (request.command) spec.command = *request.command;
  if (request.env) {
    for (const auto& [key, value] : *request.env) spec.env[key] = value;
  }
  if (request.labels) {
    for (const auto& [key, value] : *request.labels) spec.labels[key] = value;
  }
  if (request.workdir) spec.workdir = *request.workdir;
  if (request.user) spec.user = *request.user;
  if (request.port) spec.port = *request.port;
  if (request.readiness) spec.readiness = *request.readiness;
  if (request.stop) spec.stop = *request.stop;

  if (spec.command.empty()) {
    errors.push_back({"command", "required",
                      "the service has no command yet; give one, such as [\"./server\"]"});
  }
  bool probes_port = spec.readiness.kind != Readiness::Kind::kUptime;
  if (probes_port && spec.readiness.port == 0 && spec.port == 0) {
    errors.push_back({"readiness.port", "required",
                      Join("readiness of kind ", ReadinessKindName(spec.readiness.kind),
                           " needs a port; set port or readiness.port")});
  }
  if (spec.readiness.min_healthy > spec.readiness.deadline) {
    errors.push_back({"readiness.min_healthy", "out_of_range",
                      "must not be longer than readiness.deadline, or no version could pass"});
  }
  if (spec.labels.size() > kMaxLabels) {
    errors.push_back({"labels", "too_many", Join("at most ", kMaxLabels, " labels")});
  }
  if (spec.env.size() > kMaxEnvironmentVariables) {
    errors.push_back({"env", "too_many", Join("at most ", kMaxEnvironmentVariables, " variables")});
  }
  return spec;
}

std::string SpecToJson(const Spec& spec) {
  std::string text;
  JsonWriter out(text);
  out.BeginObject();
  out.Key("command");
  out.BeginArray();
  for (const std::string& argument : spec.command) out.String(argument);
  out.EndArray();
  WriteMap(out, "env", spec.env);
  if (!spec.workdir.empty()) out.Field("workdir", spec.workdir);
  if (!spec.user.empty()) out.Field("user", spec.user);
  if (spec.port != 0) out.Field("port", static_cast<unsigned>(spec.port));
  const Readiness& readiness = spec.readiness;
  out.Key("readiness");
  out.BeginObject();
  out.Field("kind", ReadinessKindName(readiness.kind));
  if (readiness.kind == Readiness::Kind::kHttp) out.Field("path", readiness.path);
  if (readiness.port != 0) out.Field("port", static_cast<unsigned>(readiness.port));
  if (readiness.status != 0) out.Field("status", readiness.status);
  out.Field("interval", FormatDuration(readiness.interval));
  out.Field("timeout", FormatDuration(readiness.timeout));
  out.Field("min_healthy", FormatDuration(readiness.min_healthy));
  out.Field("deadline", FormatDuration(readiness.deadline));
  out.EndObject();
  out.Key("stop");
  out.BeginObject();
  out.Field("signal", spec.stop.signal);
  out.Field("grace", FormatDuration(spec.stop.grace));
  out.EndObject();
  WriteMap(out, "labels", spec.labels);
  out.EndObject();
  return text;
}

std::optional<Spec> SpecFromJson(std::string_view json) {
  ParsedDeployRequest parsed = ParseDeployRequest(json);
  Spec spec = ApplyDeployRequest(parsed.request, nullptr, parsed.errors);
  if (!parsed.errors.empty()) return std::nullopt;
  return spec;
}

std::string SpecHash(const Spec& spec) {
  std::string bytes;
  std::uint64_t hash = Checksum(SpecToJson(spec));
  for (int shift = 56; shift >= 0; shift -= 8) {
    bytes.push_back(static_cast<char>((hash >> shift) & 0xFF));
  }
  std::string text;
  AppendHex(text, bytes);
  return text;
}

}  // namespace dunlin::controller
