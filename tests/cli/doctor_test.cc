#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>
#include <vector>

#include "controller/cli/commands.h"
#include "controller/cli/diagnosis.h"
#include "tests/cli/fake_servers.h"
#include "tests/support/catch.h"

namespace dunlin::cli {
namespace {

using namespace std::chrono_literals;
using test::FakeServers;
using test::HasText;
using Codes = std::vector<std::string>;

AgentView GoodAgent() {
  AgentView agent;
  agent.name = "shop/web/web-1";
  agent.collector_configured = true;
  agent.connected = true;
  agent.queue_limit_bytes = 4 << 20;
  return agent;
}

Examination Good() {
  Examination seen;
  seen.agent_url = "http://a";
  seen.collector_url = "http://c";
  seen.agent = GoodAgent();
  seen.collector = CollectorView{};
  return seen;
}

Examination With(AgentView agent) {
  Examination seen = Good();
  seen.agent = std::move(agent);
  return seen;
}

Examination With(CollectorView collector) {
  Examination seen = Good();
  seen.collector = std::move(collector);
  return seen;
}

Codes ProblemsOf(const Examination& seen) {
  Codes codes;
  for (const Finding& finding : Diagnose(seen)) {
    if (finding.weight != Finding::Weight::kProblem) continue;
    CHECK_FALSE(finding.message.empty());
    CHECK_FALSE(finding.cure.empty());
    codes.push_back(finding.code);
  }
  return codes;
}

constexpr std::string_view kStatus = R"({"project":"shop","service":"web","container":"web-1",
  "state":"running","capture":"pipe","delivery":{"captured":10,"acknowledged":4,"queued":3,
  "spooled":1,"dropped":2,"dropped_by_reason":{"mem_full":2,"rejected":0},"queue_bytes":1024,
  "queue_limit_bytes":4194304,"reading_held":false,"oldest_unsent_seconds":1.5,
  "collector_configured":true,"connected":true,"collector":"10.0.0.1:18889",
  "connected_since":"1970-01-01T00:15:40Z","last_acknowledged_at":"1970-01-01T00:16:38Z",
  "pause":null,"last_error":null}})";

constexpr std::string_view kMetrics =
    "# TYPE dunlin_agents gauge\n"
    "dunlin_agents{state=\"ok\"} 3\n"
    "dunlin_agents{state=\"stale\"} 9\n"
    "dunlin_agents_total{state=\"ok\"} 77\n"
    "dunlin_ingest_refused_connections_total{reason=\"token\"} 2\n"
    "dunlin_ingest_refused_connections_total{reason=\"version\"} 0\n"
    "dunlin_store_disk_free_bytes 1.073741824e+09\n"
    "dunlin_store_quarantined_segments 0\n"
    "dunlin_store_read_only 0\n";

}  // namespace

TEST_CASE("doctor finds nothing where lines move", "[cli][doctor]") {
  CHECK(Diagnose(Good()).empty());
}

TEST_CASE("doctor tells why an agent is not connected, and the cure", "[cli][doctor]") {
  auto [kind, message, cure] = GENERATE(table<std::string, std::string, std::string>(
      {{"dns", "no such name", "Is the name in the agent's --collector right?"},
       {"connect", "connection refused", "Is dunlin-collector running there"},
       {"tls", "an expired name was not signed", "Both ends speak TLS, or neither"},
       {"refused", "the token is not this collector's", "--token-file"},
       {"refused", "unknown version", "see the reason"},
       {"timeout", "no welcome", "network"},
       {"protocol", "bad magic", "--ingest address, not its --http"},
       {"reset", "closed", "event=agent_refused"}}));
  CAPTURE(kind, message);
  AgentView agent = GoodAgent();
  agent.connected = false;
  agent.last_error = {kind, message};
  const auto findings = Diagnose(With(agent));
  REQUIRE(findings.size() == 1);
  CHECK(findings[0].code == "not_connected_" + kind);
  CHECK_THAT(findings[0].message, HasText(message));
  CHECK_THAT(findings[0].cure, HasText(cure));
}

TEST_CASE("doctor knows what to do about TLS by what was wrong, whatever the words",
          "[cli][doctor]") {
  auto [name, cure] = GENERATE(table<std::string, std::string>(
      {{"untrusted", "has to be the CA that has signed the collector's --tls-cert"},
       {"expired", "dunlin cert renew"},
       {"wrong_name", "--host HOST --force"},
       {"wrong_role", "has to be a collector's"},
       {"unsuitable", "cert issue collector"},
       {"no_certificate", "cert issue collector"},
       {"refused", "--tls-cert of the agent has to be one with the role agent"},
       {"not_tls", "Both ends speak TLS, or neither"},
       {"timeout", "Both ends speak TLS, or neither"},
       {"lost", "Both ends speak TLS, or neither"},
       {"protocol", "Both ends speak TLS, or neither"},
       {"of_a_later_version", "Both ends speak TLS, or neither"}}));
  CAPTURE(name);
  std::string status(kStatus);
  status.replace(status.find(R"("connected":true)"), 16, R"("connected":false)");
  status.replace(status.find(R"("last_error":null)"), 17,
                 R"("last_error":{"kind":"tls","tls_failure":")" + name +
                     R"(","message":"no TLS with 10.0.0.1:18889"})");
  auto agent = ParseAgentView(status);
  REQUIRE(agent);
  const auto findings = Diagnose(With(*agent));
  const auto found = std::ranges::find(findings, "not_connected_tls", &Finding::code);
  REQUIRE(found != findings.end());
  CHECK_THAT(found->cure, HasText(cure));
}

TEST_CASE("doctor says when a certificate ends within a week, or has ended", "[cli][doctor]") {
  Examination seen = Good();
  seen.now = LogTime(std::chrono::sys_days(std::chrono::year(2026) / 11 / 21));
  auto& agent = std::get<AgentView>(seen.agent).certificates;
  auto& collector = std::get<CollectorView>(seen.collector).certificates;
  agent = {seen.now + 8 * 24h, seen.now + 8 * 24h};
  collector = agent;
  CHECK(Diagnose(seen).empty());

  agent.certificate = seen.now + 6 * 24h;
  collector.ca = seen.now + 1s;
  auto findings = Diagnose(seen);
  REQUIRE(findings.size() == 2);
  CHECK(findings[0].code == "agent_certificate_expires");
  CHECK(findings[0].weight == Finding::Weight::kNote);
  CHECK_THAT(findings[0].message, HasText("2026-11-27"));
  CHECK_THAT(findings[0].cure, HasText("dunlin cert renew makes"));
  CHECK(findings[1].code == "collector_ca_expires");
  CHECK_THAT(findings[1].cure, HasText("dunlin cert renew ca"));

  agent.ca = seen.now - 1s;
  collector.certificate = seen.now - 24h;
  CHECK(ProblemsOf(seen) == Codes{"agent_ca_expired", "collector_certificate_expired"});
}

TEST_CASE("doctor reads when certificates end", "[cli][doctor]") {
  std::string status(kStatus);
  status.replace(
      status.find(R"("delivery")"), 0,
      R"("tls":{"certificate_expires_at":"1970-01-01T00:00:01Z","ca_expires_at":null},)");
  auto agent = ParseAgentView(status);
  REQUIRE(agent);
  CHECK(agent->certificates.certificate == LogTime(1s));
  CHECK_FALSE(agent->certificates.ca);

  auto collector = ParseCollectorView(
      "dunlin_store_read_only 0\n"
      "dunlin_tls_certificate_expiry_timestamp_seconds{file=\"certificate\",port=\"http\"} 7\n"
      "dunlin_tls_certificate_expiry_timestamp_seconds{file=\"certificate\",port=\"ingest\"} 5\n"
      "dunlin_tls_certificate_expiry_timestamp_seconds{file=\"ca\",port=\"http\"} 4102444799\n");
  REQUIRE(collector);
  CHECK(collector->certificates.certificate == LogTime(7s));
  CHECK(collector->certificates.ca == LogTime(4'102'444'799s));
}

TEST_CASE("doctor tells what holds an agent's lines", "[cli][doctor]") {
  AgentView agent = GoodAgent();
  Codes wanted;
  SECTION("nowhere to send them") {
    agent.collector_configured = agent.connected = false;
    wanted = {"no_collector"};
  }
  SECTION("a connection that is young is given time") { agent.connected = false; }
  SECTION("no connection, and no word why") {
    agent.connected = false;
    agent.oldest_unsent_seconds = 31;
    wanted = {"not_connected"};
  }
  SECTION("a pause") {
    agent.pause = {0.5, "the disk is full"};
    wanted = {"slow_down"};
  }
  SECTION("a pause, and no connection in it") {
    agent.connected = false;
    agent.last_error = {"reset", "the disk is full"};
    agent.pause = {0.5, "the disk is full"};
    wanted = {"slow_down"};
  }
  SECTION("no acknowledgement") {
    agent.oldest_unsent_seconds = 31;
    wanted = {"not_acknowledged"};
  }
  SECTION("a full queue") {
    agent.queue_bytes = agent.queue_limit_bytes * 95 / 100;
    wanted = {"queue_full"};
  }
  SECTION("a queue that is half full") { agent.queue_bytes = agent.queue_limit_bytes / 2; }
  SECTION("a full queue that holds up the process") {
    agent.queue_bytes = agent.queue_limit_bytes;
    agent.reading_held = true;
    wanted = {"process_waits"};
  }
  CHECK(ProblemsOf(With(agent)) == wanted);
}

TEST_CASE("doctor tells why lines do not get to the disk, or from there", "[cli][doctor]") {
  AgentView agent = GoodAgent();
  AgentView::Spool& spool = agent.spool.emplace();
  spool.state = "works";
  spool.limit_bytes = 256 << 20;
  AgentView::Adopted& adopted = agent.adopted.emplace();
  Codes wanted;
  SECTION("a disk that works, memory being full of what is there, too") {
    agent.queue_bytes = agent.queue_limit_bytes;
  }
  SECTION("a disk that is full") {
    spool.state = "failing";
    spool.error_number = GENERATE(ENOSPC, EDQUOT);
    wanted = {"spool_disk_full"};
  }
  SECTION("a folder that is not for writing") {
    spool.state = "failing";
    spool.error_number = GENERATE(EACCES, EPERM, EROFS, EEXIST, ENOTDIR);
    wanted = {"spool_not_writable"};
  }
  SECTION("a broken disk, and memory is full, too") {
    spool.state = "failing";
    spool.error_number = EIO;
    agent.queue_bytes = agent.queue_limit_bytes;
    wanted = {"queue_full", "spool_failing"};
  }
  SECTION("the limit is reached") {
    spool.state = "full";
    wanted = {"spool_full"};
  }
  SECTION("the limit is reached and holds up the process") {
    spool.state = "full";
    agent.reading_held = true;
    wanted = {"process_waits"};
  }
  SECTION("what others left is on its way") {
    adopted.current = "web-1/00ff";
    adopted.waiting_spools = 3;
  }
  SECTION("what others left is refused") {
    adopted.current = "web-1/00ff";
    adopted.current_error = "refused";
    wanted = {"adopted_not_moving"};
  }
  SECTION("nothing moves, for one reason") {
    agent.connected = false;
    agent.last_error = {"connect", "refused", {}};
    adopted.current = "web-1/00ff";
    adopted.current_error = "refused";
    wanted = {"not_connected_connect"};
  }
  SECTION("what others left cannot be read") {
    adopted.unusable_spools = 1;
    adopted.problem = "cannot adopt x: version 2";
    wanted = {"adopted_unusable"};
  }
  SECTION("another agent of this name runs, which is no problem by itself") {
    adopted.held_spools = 1;
  }
  CHECK(ProblemsOf(With(agent)) == wanted);
}

TEST_CASE("a spool that another agent holds is noted", "[cli][doctor]") {
  AgentView agent = GoodAgent();
  agent.adopted.emplace().held_spools = 2;
  const auto findings = Diagnose(With(agent));
  REQUIRE(findings.size() == 1);
  CHECK(findings[0].weight == Finding::Weight::kNote);
  CHECK(findings[0].code == "adopted_held");
  CHECK_THAT(findings[0].message, HasText("2 other spools"));
}

TEST_CASE("doctor shows the spool and what others left there", "[cli][doctor]") {
  FakeServers servers;
  std::string status(kStatus);
  status.pop_back();
  servers.Answer(200,
                 status + R"(,"spool":{"folder":"/var/spool/d","state":"failing","sync":"interval",
        "bytes":2048,"limit_bytes":268435456,"lines":1,"oldest_at":"1970-01-01T00:15:40Z",
        "last_error":{"errno":28,"message":"cannot write x: No space left on device",
        "since":"1970-01-01T00:16:30Z"}},
        "adopted":{"spools":2,"finished_spools":1,"acknowledged":7,"dropped":0,
        "current":{"spool":"web-1/00ff","lines":5,"connected":true,"last_error":null},
        "waiting_spools":3,"held_spools":1,"unusable_spools":1,"problem":"cannot adopt y"}})");
  servers.Answer(200, std::string(kMetrics));
  CHECK(RunDoctor(servers.MakeContext(), {}) == ExitStatus::kFailed);
  CHECK_THAT(servers.terminal.out,
             HasText("  spool    2KiB of 256MiB in /var/spool/d, 1 lines, oldest 60s old; failing "
                     "for 10s\n"
                     "  adopted  5 lines of web-1/00ff being sent, 3 spools waiting, 1 unusable, "
                     "7 lines delivered\n"));
  CHECK_THAT(servers.terminal.out,
             HasText("PROBLEM  the spool cannot be used, lines wait in memory: cannot write x: No "
                     "space left on device\n"
                     "         Free space"));
  CHECK_THAT(servers.terminal.out, HasText("cannot be delivered: cannot adopt y"));
}

TEST_CASE("lines that were dropped are noted, and no reason for alarm", "[cli][doctor]") {
  AgentView agent = GoodAgent();
  agent.dropped_by_reason = {{"mem_full", 7}};
  const auto findings = Diagnose(With(agent));
  REQUIRE(findings.size() == 1);
  CHECK(findings[0].weight == Finding::Weight::kNote);
  CHECK(findings[0].code == "dropped_mem_full");
  CHECK_THAT(findings[0].message, HasText("7 lines"));
}

TEST_CASE("doctor tells why a collector does not store", "[cli][doctor]") {
  CollectorView collector;
  Codes wanted;
  SECTION("its disk is full") {
    collector.read_only = true;
    collector.disk_full = true;
    collector.wal_failed = false;
    wanted = {"collector_disk_full"};
  }
  SECTION("its log failed") {
    collector.read_only = true;
    collector.disk_full = false;
    collector.wal_failed = true;
    wanted = {"collector_wal_failed"};
  }
  SECTION("it does not say") {
    collector.read_only = true;
    wanted = {"collector_read_only"};
  }
  SECTION("damage") {
    collector.quarantined_segments = 1;
    wanted = {"collector_quarantine"};
  }
  SECTION("strangers were turned away, which is no problem by itself") {
    collector.refused_connections = {{"token", 3}};
  }
  CHECK(ProblemsOf(With(collector)) == wanted);
}

TEST_CASE("doctor tells apart who does not answer and who does not tell", "[cli][doctor]") {
  Examination seen = Good();
  seen.agent =
      Failure{ExitStatus::kUnreachable, "the agent does not answer: refused\n  advice", "", true};
  seen.collector = Failure{ExitStatus::kRefused, "the collector answered 401", "", false};
  CHECK(ProblemsOf(seen) == Codes{"agent_unreachable", "collector_refuses_us"});
  CHECK(Diagnose(seen)[0].message == "the agent does not answer: refused");
}

TEST_CASE("clocks that differ by more than an answer takes are a problem", "[cli][doctor]") {
  Examination seen = Good();
  seen.skew = GENERATE(4s, -4s);
  CHECK(ProblemsOf(seen).empty());
  seen.skew = 90s;
  CHECK_THAT(Diagnose(seen).at(0).message, HasText("90 s ahead of"));
  seen.skew = -90s;
  CHECK_THAT(Diagnose(seen).at(0).message, HasText("90 s behind"));
}

TEST_CASE("doctor shows where the lines are on one screen", "[cli][doctor]") {
  FakeServers servers;
  servers.common.agent_url = "http://127.0.0.1:18888";
  servers.Answer(200, std::string(kStatus));
  servers.Answer(200, std::string(kMetrics));
  CHECK(RunDoctor(servers.MakeContext(), {}) == ExitStatus::kOk);
  CHECK(servers.requests[0].url == "http://127.0.0.1:18888/v1/status");
  CHECK(servers.requests[1].url == "http://127.0.0.1:3100/metrics");
  CHECK(
      servers.terminal.out ==
      "agent      shop/web/web-1, running, at http://127.0.0.1:18888\n"
      "  lines    10 captured = 4 acknowledged + 3 queued + 1 spooled + 2 dropped\n"
      "  queue    1KiB of 4MiB, oldest line 1 s old\n"
      "  sends    to 10.0.0.1:18889 since 60s ago; last acknowledgement 2s ago\n"
      "collector  at http://127.0.0.1:3100\n"
      "  stores   lines, 1GiB free, 3 agents connected\n"
      "\n"
      "note     2 lines were dropped (mem_full) since the agent started; gap markers are in their "
      "place\n"
      "         More --memory-limit, or --spool, bridges a longer outage.\n"
      "\n"
      "note     the collector has turned away 2 connections (token) since it started\n"
      "         Its log (event=agent_refused) names peer and reason.\n"
      "\n"
      "no problems\n");
}

TEST_CASE("doctor answers programs with findings and the agent's own words", "[cli][doctor]") {
  FakeServers servers;
  servers.common.json = true;
  servers.Answer(200, std::string(kStatus));
  servers.Fail(ErrorCode::kUnavailable);
  CHECK(RunDoctor(servers.MakeContext(), {}) == ExitStatus::kFailed);
  CHECK_THAT(servers.terminal.out, HasText(R"({"healthy":false,"findings":[{"weight":"problem",)"
                                           R"("code":"collector_unreachable",)"));
  CHECK_THAT(servers.terminal.out, HasText(R"("agent":{"project":"shop",)"));
  CHECK_THAT(servers.terminal.out, HasText(R"("collector":null,"clock_skew_seconds":null})"));
}

TEST_CASE("what answers there may be somebody else", "[cli][doctor]") {
  FakeServers servers;
  servers.Answer(200, R"({"project":"shop"})");
  servers.Answer(200, "some_metric 1\n");
  CHECK(RunDoctor(servers.MakeContext(), {}) == ExitStatus::kFailed);
  CHECK_THAT(servers.terminal.out, HasText("not an agent of this version"));
  CHECK_THAT(servers.terminal.out, HasText("not a collector of this version"));
}

TEST_CASE("the time of an answer is read", "[cli][doctor]") {
  CHECK(ParseHttpDate("Sun, 06 Nov 1994 08:49:37 GMT") == LogTimeOf(784111777'000'000'000));
  CHECK_FALSE(ParseHttpDate(""));
  CHECK_FALSE(ParseHttpDate("yesterday"));
  CHECK_FALSE(ParseHttpDate("Sun, 06 Nov 1994 08:49:37 GMT+1"));
}

}  // namespace dunlin::cli
