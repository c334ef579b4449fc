#include "agent/probe_report.h"

#include "protocol/base/rfc3339.h"

namespace dunlin::agent {

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

}  // namespace dunlin::agent
