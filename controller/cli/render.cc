#include "controller/cli/render.h"

#include <algorithm>

#include "protocol/base/json_writer.h"
#include "protocol/base/rfc3339.h"
#include "protocol/base/text.h"

namespace dunlin::cli {
namespace {

using namespace std::chrono_literals;

Colour ColourOfStatus(std::string_view status) {
  if (status == "HEALTHY") return Colour::kGreen;
  if (status == "FAILED" || status == "UNHEALTHY") return Colour::kRed;
  if (status == "CANCELLED" || status == "SUPERSEDED") return Colour::kYellow;
  if (status == "RETIRED" || status == "STOPPED") return Colour::kDim;
  return Colour::kBlue;
}

Colour ColourOfLevel(std::string_view level) {
  if (level == "error" || level == "critical" || level == "fatal") return Colour::kRed;
  if (level == "warn" || level == "warning") return Colour::kYellow;
  if (level == "debug" || level == "trace") return Colour::kDim;
  return Colour::kNone;
}

std::string Padded(std::string text, std::size_t width) {
  if (text.size() < width) text.append(width - text.size(), ' ');
  return text;
}

/// What is shown of text that a program wrote: as it is in a pipe, harmless on a terminal.
std::string Shown(const Terminal& terminal, std::string_view text) {
  return terminal.interactive() ? SafeForTerminal(text) : std::string(text);
}

std::string Endpoint(const ContainerView& container) {
  if (container.port == 0) return container.id;
  bool is_ipv6 = container.address.find(':') != std::string::npos;
  return is_ipv6 ? Join("[", container.address, "]:", container.port)
                 : Join(container.address, ":", container.port);
}

std::string RenderEvidence(const Terminal& terminal, const DeploymentView& deployment) {
  std::string out;
  if (deployment.exit_code) out += Join("  exit code ", *deployment.exit_code, "\n");
  if (deployment.signal && *deployment.signal != 0) {
    out += Join("  ended by signal ", *deployment.signal, "\n");
  }
  if (!deployment.probe.empty()) {
    out += Join("  last probe: ", SafeForTerminal(deployment.probe), "\n");
  }
  if (!deployment.last_logs.empty()) {
    out += "  last lines:\n";
    for (const std::string& line : deployment.last_logs) {
      out += Join("  ", Coloured(terminal, Colour::kDim, "|"), " ", Shown(terminal, line), "\n");
    }
  }
  return out;
}

std::string LineJson(std::int64_t time_ns, const LabelSet& labels, std::string_view name,
                     std::string_view value) {
  std::string out;
  JsonWriter json(out);
  json.BeginObject();
  json.Field("time", std::string_view(FormatRfc3339(LogTimeOf(time_ns))));
  json.Key("labels");
  json.BeginObject();
  for (const auto& [label, text] : labels) json.Field(label, std::string_view(text));
  json.EndObject();
  json.Field(name, value);
  json.EndObject();
  out.push_back('\n');
  return out;
}

}  // namespace

std::string RenderEvent(const Terminal& terminal, const EventView& event,
                        std::chrono::nanoseconds since) {
  std::string elapsed = RenderElapsed(since);
  if (elapsed.size() < 7) elapsed.insert(0, 7 - elapsed.size(), ' ');
  std::string status = Coloured(terminal, ColourOfStatus(event.status), Padded(event.status, 12));
  return Join(elapsed, "  ", status, " ", SafeForTerminal(event.note), "\n");
}

std::string RenderOutcome(const Terminal& terminal, const DeploymentView& deployment) {
  // A queued one that a newer replaced has its own word for it.
  std::string_view word = deployment.status == "SUPERSEDED" || deployment.outcome.empty()
                              ? deployment.status
                              : deployment.outcome;
  std::string out = Join(deployment.service, " #", deployment.number, " is ",
                         Coloured(terminal, ColourOfStatus(word), word));
  auto end = word == "HEALTHY" ? deployment.healthy : deployment.finished;
  if (deployment.created && end) {
    out += Join(" after ", RenderElapsed(*end - *deployment.created));
  }
  if (word == "HEALTHY") {
    std::string endpoints;
    for (const ContainerView& container : deployment.containers) {
      endpoints += Join(endpoints.empty() ? ": " : ", ", Endpoint(container));
    }
    out += endpoints + "\n";
  } else {
    if (!deployment.reason_detail.empty()) {
      out += Join(": ", SafeForTerminal(deployment.reason_detail));
    }
    if (!deployment.reason_code.empty()) out += Join(" (", deployment.reason_code, ")");
    out += "\n" + RenderEvidence(terminal, deployment);
  }
  for (const std::string& warning : deployment.warnings) {
    out += Join("  ", Coloured(terminal, Colour::kYellow, "warning"), ": ",
                SafeForTerminal(warning), "\n");
  }
  return out;
}

std::string RenderServices(const Terminal& terminal, const std::vector<ServiceView>& services,
                           LogTime now) {
  if (services.empty()) return "no services yet: dunlin deploy NAME -- COMMAND makes one\n";
  std::vector<std::vector<std::string>> rows = {
      {"SERVICE", "PROJECT", "STATUS", "LATEST DEPLOYMENT", "CHANGED"}};
  for (const ServiceView& service : services) {
    std::string latest = service.latest;
    if (service.latest != service.current) {
      latest +=
          " " + Coloured(terminal, ColourOfStatus(service.latest_status), service.latest_status);
    }
    rows.push_back({service.name, service.project,
                    Coloured(terminal, ColourOfStatus(service.status), service.status), latest,
                    service.updated ? RenderAge(now - *service.updated) + " ago" : ""});
  }
  return FormatTable(rows);
}

std::string RenderDeployments(const Terminal& terminal,
                              const std::vector<DeploymentView>& deployments, LogTime now) {
  if (deployments.empty()) return "no deployments yet\n";
  std::vector<std::vector<std::string>> rows = {
      {"NUMBER", "DEPLOYMENT", "STATUS", "CREATED", "CONTAINERS", "NOTE"}};
  for (const DeploymentView& deployment : deployments) {
    std::string containers;
    for (const ContainerView& container : deployment.containers) {
      if (container.state == "removed") continue;
      containers += Join(containers.empty() ? "" : ", ", container.state);
    }
    std::string note =
        deployment.reason_detail.empty() ? deployment.message : deployment.reason_detail;
    rows.push_back({Join(deployment.number), deployment.id,
                    Coloured(terminal, ColourOfStatus(deployment.status), deployment.status),
                    deployment.created ? RenderAge(now - *deployment.created) + " ago" : "",
                    containers, SafeForTerminal(note)});
  }
  return FormatTable(rows);
}

std::string RenderEntry(const Terminal& terminal, const FoundEntry& entry, bool with_service) {
  std::string out = Coloured(terminal, Colour::kDim, RenderTime(LogTimeOf(entry.time_ns))) + "  ";
  if (with_service) {
    std::string_view service = entry.labels.Get("service");
    std::string name = service.empty() ? entry.labels.ToString() : std::string(service);
    out += Coloured(terminal, Colour::kBlue, name) + "  ";
  }
  std::string_view level = entry.labels.Get("detected_level");
  if (level.empty()) level = entry.labels.Get("level");
  out += Coloured(terminal, ColourOfLevel(level), Shown(terminal, entry.line));
  out.push_back('\n');
  return out;
}

std::string RenderSamples(const Terminal& terminal, const std::vector<Sample>& samples) {
  if (samples.empty()) return {};
  bool one_time = std::all_of(samples.begin(), samples.end(), [&](const Sample& sample) {
    return sample.time_ns == samples.front().time_ns;
  });
  std::vector<std::vector<std::string>> rows;
  if (one_time) {
    for (const Sample& sample : samples) {
      rows.push_back({SafeForTerminal(sample.labels.ToString()), sample.value});
    }
    return FormatTable(rows);
  }
  const LabelSet* series = nullptr;
  for (const Sample& sample : samples) {
    if (series == nullptr || *series != sample.labels) {
      rows.push_back({SafeForTerminal(sample.labels.ToString())});
    }
    series = &sample.labels;
    rows.push_back(
        {Join("  ", Coloured(terminal, Colour::kDim, RenderTime(LogTimeOf(sample.time_ns))), "  ",
              sample.value)});
  }
  return FormatTable(rows);
}

std::string EntryJson(const FoundEntry& entry) {
  return LineJson(entry.time_ns, entry.labels, "line", entry.line);
}

std::string SampleJson(const Sample& sample) {
  return LineJson(sample.time_ns, sample.labels, "value", sample.value);
}

std::string RenderAge(std::chrono::nanoseconds age) {
  using std::chrono::duration_cast;
  age = std::max<std::chrono::nanoseconds>(age, 0s);
  if (age < 2min) return Join(duration_cast<std::chrono::seconds>(age).count(), "s");
  if (age < 2h) return Join(duration_cast<std::chrono::minutes>(age).count(), "m");
  if (age < 48h) return Join(duration_cast<std::chrono::hours>(age).count(), "h");
  return Join(duration_cast<std::chrono::hours>(age).count() / 24, "d");
}

std::string RenderTime(LogTime time) {
  std::string text = FormatRfc3339(time);
  text.erase(text.size() - 7);  // the last six decimals and the Z
  return text + "Z";
}

std::string RenderElapsed(std::chrono::nanoseconds elapsed) {
  auto tenths = std::max<std::int64_t>(0, (elapsed + 50ms) / 100ms);
  if (tenths < 1200) return Join(tenths / 10, ".", tenths % 10, "s");
  std::string seconds = Join(tenths / 10 % 60);
  return Join(tenths / 600, "m", seconds.size() < 2 ? "0" : "", seconds, "s");
}

}  // namespace dunlin::cli
