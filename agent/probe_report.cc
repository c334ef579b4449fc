#include "agent/probe_report.h"

#include "protocol/base/rfc3339.h"

namespace dunlin::agent {
namespace {

LabelSet CheckLabel(const ProbeReport& report) { return {{"check", std::string(report.check)}}; }

void WriteProbeReport(JsonWriter& json, const ProbeReport& report) {
  json.BeginObject();
  json.Field("kind", report.kind);
  json.Field("status", ProbeStatusName(report.status));
  json.Field("since", FormatRfc3339(report.since));
  json.Field("failures_in_a_row", report.failures_in_a_row);
  json.Field("failures", report.failures);
  json.Key("last_result");
  if (report.last_result) {
    json.BeginObject();
    json.Field("passed", report.last_passed);
    json.Field("time", FormatRfc3339(*report.last_result));
    json.Key("seconds");
    report.last_duration_seconds ? json.Double(*report.last_duration_seconds) : json.Null();
    json.EndObject();
  } else {
    json.Null();
  }
  json.Key("last_error");
  report.last_error.empty() ? json.Null() : json.String(report.last_error);
  json.EndObject();
}

}  // namespace

std::string_view ProbeStatusName(ProbePolicy::Status status) {
  switch (status) {
    case ProbePolicy::Status::kIdle:
      return "idle";
    case ProbePolicy::Status::kStarting:
      return "starting";
    case ProbePolicy::Status::kPassing:
      return "passing";
    case ProbePolicy::Status::kFailing:
      return "failing";
  }
  return "";
}

void WriteProbes(JsonWriter& json, const std::vector<ProbeReport>& reports) {
  json.BeginObject();
  for (const ProbeReport& report : reports) {
    json.Key(report.check);
    WriteProbeReport(json, report);
  }
  json.EndObject();
}

void AddProbes(Families& out, const std::vector<ProbeReport>& reports) {
  out.BeginGauge("dunlin_agent_health_status", "Whether a check passes.");
  for (const ProbeReport& report : reports) {
    const bool passing = report.status == ProbePolicy::Status::kPassing;
    if (!passing && report.status != ProbePolicy::Status::kFailing) continue;
    out.Sample(passing ? 1 : 0, CheckLabel(report));
  }
  out.BeginCounter("dunlin_agent_health_failures_total", "Probes of a check that have failed.");
  for (const ProbeReport& report : reports) out.Sample(report.failures, CheckLabel(report));
  out.BeginGauge("dunlin_agent_health_duration_seconds", "How long a check's last probe took.");
  for (const ProbeReport& report : reports) {
    if (!report.last_duration_seconds) continue;
    out.Sample(*report.last_duration_seconds, CheckLabel(report));
  }
}

}  // namespace dunlin::agent
