#include "controller/cli/diagnosis.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "controller/cli/spool_diagnosis.h"
#include "protocol/base/certificate_life.h"
#include "protocol/base/rfc3339.h"
#include "protocol/base/text.h"
#include "protocol/base/units.h"

namespace dunlin::cli {
namespace {

using namespace std::chrono_literals;
using Weight = Finding::Weight;

/// Lines move on after a second or two; what is older than this is stuck.
constexpr double kStuckSeconds = 30;
/// Date fields have whole seconds, and answers take their time.
constexpr std::chrono::seconds kMaxSkew(5);

constexpr std::string_view kTokenCure =
    "The agent's --token-file has to hold the token of the collector's --token-file.";

bool Says(std::string_view text, std::string_view word) {
  return ToLowerAscii(text).find(word) != std::string::npos;
}

std::string_view TlsCure(const std::optional<TlsFailure>& failure) {
  constexpr std::string_view kBothOrNeither =
      "Both ends speak TLS, or neither: --tls-ca of the agent goes with --tls-cert of the "
      "collector. The logs of both say how far they came.";
  if (!failure) return kBothOrNeither;
  switch (*failure) {
    case TlsFailure::kUntrusted:
      return "--tls-ca of the agent has to be the CA that has signed the collector's --tls-cert.";
    case TlsFailure::kExpired:
      return "dunlin cert renew makes a new certificate in its place, which is used from the next "
             "connection on. If it is not old, a clock is wrong.";
    case TlsFailure::kWrongName:
      return "The collector's certificate needs the name or address in the agent's --collector: "
             "dunlin cert issue collector NAME --host HOST --force.";
    case TlsFailure::kWrongRole:
      return "--tls-cert of the collector has to be a collector's: dunlin cert issue collector "
             "NAME --host HOST makes one.";
    case TlsFailure::kUnsuitable:
    case TlsFailure::kNoCertificate:
      return "The collector's certificate does not do for a TLS server of dunlin; one of dunlin "
             "cert issue collector NAME --host HOST does.";
    case TlsFailure::kRefused:
      return "The collector does not like the agent's certificate: --tls-cert of the agent has to "
             "be one with the role agent, not expired, that its --tls-client-ca has signed. Its "
             "metric dunlin_tls_failures_total{port=\"ingest\"} says what is wrong with it.";
    case TlsFailure::kTimeout:
    case TlsFailure::kLost:
    case TlsFailure::kNotTls:
    case TlsFailure::kProtocol:
      return kBothOrNeither;
  }
  return kBothOrNeither;
}

/// What to do about an agent that is not connected, by the kind of its last error.
std::string ConnectionCure(const AgentView::LastError& error) {
  if (error.kind == "dns") {
    return "Is the name in the agent's --collector right? It is asked for where the agent runs.";
  }
  if (error.kind == "connect") {
    return "Is dunlin-collector running there, and may the agent's machine reach its --ingest "
           "address?";
  }
  if (error.kind == "tls") return std::string(TlsCure(error.tls_failure));
  if (error.kind == "refused") {
    return Says(error.message, "token") ? std::string(kTokenCure)
                                        : "The collector does not take this agent; see the reason.";
  }
  if (error.kind == "timeout") {
    return "The network drops packets, or the collector takes nothing: look at its log and disk.";
  }
  if (error.kind == "protocol") {
    return "Is something else listening at the agent's --collector? It is the collector's --ingest "
           "address, not its --http.";
  }
  return "The collector's log (event=agent_refused) says why it closes connections.";
}

void ExamineConnection(const AgentView& agent, std::vector<Finding>& out) {
  if (!agent.collector_configured) {
    out.push_back({Weight::kProblem, "no_collector",
                   "the agent has no collector: it passes lines through and drops them",
                   "Start it with --collector HOST:PORT."});
    return;
  }
  // A collector that cannot store asks for a pause and then closes the connection.
  if (agent.pause) {
    out.push_back({Weight::kProblem, "slow_down",
                   Join("the collector asks the agent to wait: ", agent.pause->reason),
                   "Lines are kept until it stores again; what it says below is the cause."});
    return;
  }
  if (!agent.connected && agent.last_error) {
    out.push_back({Weight::kProblem, "not_connected_" + agent.last_error->kind,
                   Join("the agent is not connected (", agent.last_error->kind,
                        "): ", agent.last_error->message),
                   ConnectionCure(*agent.last_error)});
    return;
  }
  if (!agent.connected && agent.oldest_unsent_seconds > kStuckSeconds) {
    out.push_back({Weight::kProblem, "not_connected",
                   "the agent is not connected, and does not say why",
                   "Its log does: event=\"not connected to the collector\"."});
    return;
  }
  if (agent.connected && agent.oldest_unsent_seconds > kStuckSeconds) {
    out.push_back(
        {Weight::kProblem, "not_acknowledged",
         Join("the oldest line waits for its acknowledgement for ",
              static_cast<std::int64_t>(agent.oldest_unsent_seconds), " s, although connected"),
         "The network or the collector's disk is too slow for what this agent writes: compare "
         "dunlin_agent_ack_latency_seconds and the collector's "
         "dunlin_store_wal_sync_seconds_total."});
  }
}

void ExamineQueue(const AgentView& agent, std::vector<Finding>& out) {
  const std::string filled = Join(FormatSize(static_cast<std::uint64_t>(agent.queue_bytes)), " of ",
                                  FormatSize(static_cast<std::uint64_t>(agent.queue_limit_bytes)));
  const std::string_view cure = agent.spool
                                    ? "Let it drain, or give it --memory-limit and --spool-limit."
                                    : "Let it drain, give it --memory-limit, or a disk with "
                                      "--spool.";
  // Beside a disk that works memory is a cache, and full of what is on disk, too.
  const bool is_cache = agent.spool && agent.spool->state == "works";
  if (agent.reading_held) {
    out.push_back({Weight::kProblem, "process_waits",
                   Join("the queue is full (", filled,
                        "), and the process waits in its write (--when-full block)"),
                   std::string(cure)});
  } else if (!is_cache && agent.queue_limit_bytes > 0 &&
             agent.queue_bytes > agent.queue_limit_bytes - agent.queue_limit_bytes / 10) {
    out.push_back({Weight::kProblem, "queue_full",
                   Join("the queue is full (", filled, "): the oldest lines are being dropped"),
                   std::string(cure)});
  }
}

std::string_view DropCure(std::string_view reason) {
  if (reason == "mem_full") return "More --memory-limit, or --spool, bridges a longer outage.";
  if (reason == "spool_full") return "More --spool-limit bridges a longer outage.";
  if (reason == "spool_io")
    return "The disk of --spool failed or was too slow; see the agent's log.";
  if (reason == "rate_limit") return "They were more than --rate-limit allows.";
  if (reason == "rejected") return "The collector's log (event=batch_rejected) says why.";
  if (reason == "too_large") return "This collector takes smaller frames than others.";
  if (reason == "too_old") return "They waited longer than the spool keeps lines.";
  return "";
}

void ExamineLosses(const AgentView& agent, std::vector<Finding>& out) {
  for (const auto& [reason, lines] : agent.dropped_by_reason) {
    if (reason == "no_collector") continue;  // told already
    out.push_back({Weight::kNote, "dropped_" + reason,
                   Join(lines, " lines were dropped (", reason,
                        ") since the agent started; gap markers are in their place"),
                   std::string(DropCure(reason))});
  }
  if (agent.capture == "tty") {
    out.push_back({Weight::kNote, "not_captured",
                   "the process has the terminal itself, so nothing it prints is captured",
                   "Run it without -t."});
  }
}

void ExamineCertificate(std::string_view who, std::string_view what,
                        const std::optional<LogTime>& end, LogTime now, std::vector<Finding>& out) {
  if (!end) return;
  const CertificateLife life = LifeOf(std::chrono::floor<std::chrono::seconds>(*end), now);
  if (life == CertificateLife::kGood) return;
  const bool is_ca = what == "ca";
  const bool over = life == CertificateLife::kOver;
  out.push_back(
      {over ? Weight::kProblem : Weight::kNote,
       Join(who, "_", what, over ? "_expired" : "_expires"),
       Join(is_ca ? "a CA that the " : "the certificate of the ", who, is_ca ? " trusts" : "",
            over ? " has expired" : " expires within a week", ": ", FormatRfc3339(*end)),
       is_ca ? "dunlin cert renew ca makes it last longer with the same key. Where it is an old "
               "one beside a new one, take it out of the file."
             : "dunlin cert renew makes a new one in its place, which is used from the next "
               "connection on."});
}

void ExamineCertificates(std::string_view who, const CertificatesView& seen, LogTime now,
                         std::vector<Finding>& out) {
  ExamineCertificate(who, "certificate", seen.certificate, now, out);
  ExamineCertificate(who, "ca", seen.ca, now, out);
}

void ExamineFailure(std::string_view who, std::string_view url, const Failure& failure,
                    std::vector<Finding>& out) {
  if (failure.status == ExitStatus::kRefused) {
    out.push_back(
        {Weight::kProblem, Join(who, "_refuses_us"),
         Join("the ", who, " at ", url, " does not tell: it wants to know who asks"),
         "--token-file gives its token, --tls-cert and --tls-key a certificate of the role "
         "controller or metrics."});
    return;
  }
  // The first line says what; the rest is advice for other commands.
  out.push_back({Weight::kProblem, Join(who, "_unreachable"),
                 failure.message.substr(0, failure.message.find('\n')),
                 who == "agent"
                     ? "Is dunlin-agent running, with --listen there? --agent names another place."
                     : "Is dunlin-collector running, with --http there? --collector names another "
                       "place."});
}

void ExamineCollector(const CollectorView& collector, std::vector<Finding>& out) {
  const std::string free =
      collector.disk_free_bytes
          ? Join(" (", FormatSize(static_cast<std::uint64_t>(*collector.disk_free_bytes)), " free)")
          : "";
  constexpr std::string_view kRoom =
      "Free space where its --data lies, or shorten --retention or --retention-size, or lower "
      "--min-free. It goes on by itself; searches work meanwhile.";
  constexpr std::string_view kWal =
      "Its log names the file and the error. It tries again by itself; when the disk is sound "
      "again "
      "and it does not go on, restart it: what it has acknowledged is kept.";
  if (collector.wal_failed.value_or(false)) {
    out.push_back({Weight::kProblem, "collector_wal_failed",
                   "the collector stores nothing: its write-ahead log cannot be written",
                   std::string(kWal)});
  } else if (collector.disk_full.value_or(false)) {
    out.push_back({Weight::kProblem, "collector_disk_full",
                   Join("the collector stores nothing: its disk is full", free),
                   std::string(kRoom)});
  } else if (collector.read_only) {
    out.push_back({Weight::kProblem, "collector_read_only",
                   Join("the collector stores nothing: its disk is full", free,
                        " or its write-ahead log cannot be written; its log says which"),
                   std::string(kRoom)});
  }
  if (collector.quarantined_segments > 0) {
    out.push_back({Weight::kProblem, "collector_quarantine",
                   Join("the collector has put aside ", collector.quarantined_segments,
                        " damaged segments: searches over their time are incomplete"),
                   "They lie in quarantine/ of its data folder. Check the disk; from a backup they "
                   "can be put back."});
  }
  for (const auto& [reason, count] : collector.refused_connections) {
    out.push_back({Weight::kNote, "collector_refused_" + reason,
                   Join("the collector has turned away ", count, " connections (", reason,
                        ") since it started"),
                   "Its log (event=agent_refused) names peer and reason."});
  }
}

}  // namespace

std::vector<Finding> Diagnose(const Examination& examination) {
  std::vector<Finding> out;
  if (const auto* agent = std::get_if<AgentView>(&examination.agent)) {
    ExamineConnection(*agent, out);
    ExamineQueue(*agent, out);
    ExamineSpool(*agent, out);
    ExamineAdopted(*agent, out);
    ExamineLosses(*agent, out);
    ExamineCertificates("agent", agent->certificates, examination.now, out);
  } else {
    ExamineFailure("agent", examination.agent_url, std::get<Failure>(examination.agent), out);
  }
  if (examination.skew && (*examination.skew > kMaxSkew || *examination.skew < -kMaxSkew)) {
    const bool ahead = *examination.skew > 0s;
    const auto seconds =
        std::chrono::floor<std::chrono::seconds>(ahead ? *examination.skew : -*examination.skew);
    out.push_back({Weight::kProblem, "clock_skew",
                   Join("the agent's clock is ", seconds.count(), " s ",
                        ahead ? "ahead of" : "behind", " the collector's"),
                   "Lines carry the agent's time: a search for the latest misses them, or they are "
                   "too far in the future. Let both machines follow a time server."});
  }
  if (const auto* collector = std::get_if<CollectorView>(&examination.collector)) {
    ExamineCollector(*collector, out);
    ExamineCertificates("collector", collector->certificates, examination.now, out);
  } else {
    ExamineFailure("collector", examination.collector_url, std::get<Failure>(examination.collector),
                   out);
  }
  std::stable_partition(out.begin(), out.end(),
                        [](const Finding& finding) { return finding.weight == Weight::kProblem; });
  return out;
}

}  // namespace dunlin::cli
