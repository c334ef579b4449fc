#include <algorithm>
#include <utility>

#include "controller/cli/commands.h"
#include "controller/cli/diagnosis.h"
#include "controller/cli/render.h"
#include "protocol/base/json_writer.h"
#include "protocol/base/text.h"
#include "protocol/base/units.h"

namespace dunlin::cli {
namespace {

/// A server's answer, and how far its clock is ahead of ours.
struct Asked {
  std::variant<http::Response, Failure> answer;
  std::optional<std::chrono::nanoseconds> ahead;
};

Asked AskAt(const Context& context, Server server, std::string_view path) {
  const LogTime before = context.clock.Now();
  Asked asked{Ask(context, server, path), std::nullopt};
  if (const auto* response = std::get_if<http::Response>(&asked.answer)) {
    // The field leaves out what is below a second.
    if (auto date = ParseHttpDate(response->headers.Get("Date"))) {
      asked.ahead =
          *date + std::chrono::milliseconds(500) - (before + (context.clock.Now() - before) / 2);
    }
  }
  return asked;
}

template <typename View, typename Parse>
std::variant<View, Failure> Understood(const Asked& asked, std::string_view place, Parse parse) {
  if (const auto* failure = std::get_if<Failure>(&asked.answer)) return *failure;
  auto view = parse(std::get<http::Response>(asked.answer).body);
  if (view) return *std::move(view);
  return Failure{ExitStatus::kFailed, Join(place, ": ", view.error().message()), "", false};
}

std::string AgoOf(LogTime now, const std::optional<LogTime>& time) {
  return time ? RenderAge(now - *time) + " ago" : "never";
}

std::string SizeOf(std::int64_t bytes) { return FormatSize(static_cast<std::uint64_t>(bytes)); }

std::string SpoolLine(const AgentView::Spool& spool, LogTime now) {
  std::string line = Join("  spool    ", SizeOf(spool.bytes), " of ", SizeOf(spool.limit_bytes),
                          " in ", spool.folder, ", ", spool.lines, " lines");
  if (spool.oldest) line += Join(", oldest ", RenderAge(now - *spool.oldest), " old");
  if (spool.failing_since) line += Join("; failing for ", RenderAge(now - *spool.failing_since));
  return SafeForTerminal(line) + "\n";
}

/// Nothing where nobody has left anything.
std::string AdoptedLine(const AgentView::Adopted& adopted) {
  std::vector<std::string> parts;
  if (!adopted.current.empty()) {
    parts.push_back(Join(adopted.current_lines, " lines of ", adopted.current, " being sent"));
  }
  if (adopted.waiting_spools > 0) parts.push_back(Join(adopted.waiting_spools, " spools waiting"));
  if (adopted.unusable_spools > 0) parts.push_back(Join(adopted.unusable_spools, " unusable"));
  if (adopted.acknowledged > 0) parts.push_back(Join(adopted.acknowledged, " lines delivered"));
  if (parts.empty()) return "";
  std::string line = "  adopted  ";
  for (const std::string& part : parts) line += (&part == parts.data() ? "" : ", ") + part;
  return SafeForTerminal(line) + "\n";
}

void PrintAgent(const Context& context, const Examination& seen, const AgentView& agent) {
  std::string out =
      Join("agent      ", agent.name, ", ", agent.state, ", at ", seen.agent_url, "\n");
  out +=
      Join("  lines    ", agent.captured, " captured = ", agent.acknowledged, " acknowledged + ",
           agent.queued, " queued + ", agent.spooled, " spooled + ", agent.dropped, " dropped\n");
  out += Join("  queue    ", SizeOf(agent.queue_bytes), " of ", SizeOf(agent.queue_limit_bytes),
              ", oldest line ", static_cast<std::int64_t>(agent.oldest_unsent_seconds), " s old\n");
  if (agent.spool) out += SpoolLine(*agent.spool, seen.now);
  if (agent.adopted) out += AdoptedLine(*agent.adopted);
  out += "  sends    ";
  if (!agent.collector_configured) {
    out += "to nobody";
  } else if (agent.connected) {
    out += Join("to ", agent.collector, " since ", AgoOf(seen.now, agent.connected_since));
  } else {
    out += "not connected";
  }
  out += Join("; last acknowledgement ", AgoOf(seen.now, agent.last_acknowledged), "\n");
  context.terminal.Print(SafeForTerminal(out.substr(0, out.find('\n'))) +
                         out.substr(out.find('\n')));
}

void PrintCollector(const Context& context, const Examination& seen,
                    const CollectorView& collector) {
  context.terminal.Print(
      Join("collector  at ", seen.collector_url, "\n  stores   ",
           collector.read_only ? "nothing" : "lines",
           collector.disk_free_bytes ? Join(", ", SizeOf(*collector.disk_free_bytes), " free") : "",
           ", ", collector.agents_connected, " agents connected\n"));
}

void PrintFinding(const Context& context, const Finding& finding) {
  const bool problem = finding.weight == Finding::Weight::kProblem;
  context.terminal.Print(Join("\n",
                              Coloured(context.terminal, problem ? Colour::kRed : Colour::kYellow,
                                       problem ? "PROBLEM" : "note"),
                              problem ? "  " : "     ", SafeForTerminal(finding.message), "\n"));
  if (!finding.cure.empty()) context.terminal.Print(Join("         ", finding.cure, "\n"));
}

void PrintForPeople(const Context& context, const Examination& seen,
                    const std::vector<Finding>& findings, std::size_t problems) {
  if (const auto* agent = std::get_if<AgentView>(&seen.agent)) PrintAgent(context, seen, *agent);
  if (const auto* collector = std::get_if<CollectorView>(&seen.collector)) {
    PrintCollector(context, seen, *collector);
  }
  for (const Finding& finding : findings) PrintFinding(context, finding);
  if (problems == 0) {
    context.terminal.Print(Coloured(context.terminal, Colour::kGreen, "\nno problems") + "\n");
  }
}

/// {"healthy", "findings": […], "agent": its status or null, …}.
void PrintForPrograms(const Context& context, const Examination& seen, const Asked& agent,
                      const std::vector<Finding>& findings, std::size_t problems) {
  std::string body;
  JsonWriter json(body);
  json.BeginObject();
  json.Field("healthy", problems == 0);
  json.Key("findings");
  json.BeginArray();
  for (const Finding& finding : findings) {
    json.BeginObject();
    json.Field("weight", finding.weight == Finding::Weight::kProblem ? "problem" : "note");
    json.Field("code", finding.code);
    json.Field("message", finding.message);
    json.Field("cure", finding.cure);
    json.EndObject();
  }
  json.EndArray();
  json.Key("agent");
  if (std::holds_alternative<AgentView>(seen.agent)) {
    json.Raw(std::get<http::Response>(agent.answer).body);
  } else {
    json.Null();
  }
  json.Key("collector");
  if (const auto* collector = std::get_if<CollectorView>(&seen.collector)) {
    json.BeginObject();
    json.Field("agents_connected", collector->agents_connected);
    json.Field("read_only", collector->read_only);
    json.Field("quarantined_segments", collector->quarantined_segments);
    json.Key("disk_free_bytes");
    collector->disk_free_bytes ? json.Integer(*collector->disk_free_bytes) : json.Null();
    json.EndObject();
  } else {
    json.Null();
  }
  json.Key("clock_skew_seconds");
  seen.skew ? json.Double(std::chrono::duration<double>(*seen.skew).count()) : json.Null();
  json.EndObject();
  context.terminal.Print(body + "\n");
}

}  // namespace

ExitStatus RunDoctor(const Context& context, const DoctorCommand&) {
  const Asked agent = AskAt(context, Server::kAgent, "/v1/status");
  const Asked collector = AskAt(context, Server::kCollector, "/metrics");
  for (const Asked* asked : {&agent, &collector}) {
    // Our own flags are wrong, such as a token file that cannot be read: no diagnosis.
    const auto* failure = std::get_if<Failure>(&asked->answer);
    if (failure != nullptr && failure->status == ExitStatus::kUsage) {
      return Report(context, *failure);
    }
  }
  Examination seen;
  seen.agent_url = context.common.agent_url;
  seen.collector_url = context.common.collector_url;
  seen.agent = Understood<AgentView>(agent, seen.agent_url, ParseAgentView);
  seen.collector = Understood<CollectorView>(collector, seen.collector_url, ParseCollectorView);
  seen.now = context.clock.Now() + agent.ahead.value_or(std::chrono::nanoseconds(0));
  if (agent.ahead && collector.ahead) seen.skew = *agent.ahead - *collector.ahead;

  const std::vector<Finding> findings = Diagnose(seen);
  const auto problems = static_cast<std::size_t>(std::count_if(
      findings.begin(), findings.end(),
      [](const Finding& finding) { return finding.weight == Finding::Weight::kProblem; }));
  if (context.common.json) {
    PrintForPrograms(context, seen, agent, findings, problems);
  } else {
    PrintForPeople(context, seen, findings, problems);
  }
  return problems == 0 ? ExitStatus::kOk : ExitStatus::kFailed;
}

}  // namespace dunlin::cli
