#include "agent/status_document.h"

#include <csignal>
#include <string>

#include "tests/support/catch.h"

namespace dunlin::agent {
namespace {

using Catch::Matchers::Contains;

Snapshot Sample() {
  Snapshot s;
  s.project = "p";
  s.service = "web";
  s.deployment = "7";
  s.container = "c-1";
  s.boot_id = "ab";
  s.state = "running";
  s.since = LogTimeOf(1'767'225'600'000'000'000);
  s.pid = 42;
  s.ready = true;
  s.lines = {10, 4, 3, 0, 3};
  s.dropped[0] = {3, 30};
  s.collector_configured = true;
  return s;
}

TEST_CASE("the status says who, how and where the lines are", "[agent][status]") {
  const std::string body = StatusDocument(Sample());
  for (std::string part : {R"("project":"p")",
                           R"("service":"web")",
                           R"("deployment":"7")",
                           R"("container":"c-1")",
                           R"("boot_id":"ab")",
                           R"("state":"running")",
                           R"("since":"2026-01-01T00:00:00.000000000Z")",
                           R"("pid":42)",
                           R"("ready":true)",
                           R"("started_at":null)",
                           R"("restarts":0)",
                           R"("backoff_seconds":null)",
                           R"("last_exit":null)",
                           R"("capture":"pipe")",
                           R"("captured":10)",
                           R"("acknowledged":4)",
                           R"("queued":3)",
                           R"("spooled":0)",
                           R"("dropped":3)",
                           R"("mem_full":3)",
                           R"("delivery":{"captured":10)",
                           R"("connected":false)",
                           R"("pause":null)",
                           R"("oldest_unsent_seconds":0)",
                           R"("last_error":null)"}) {
    CHECK_THAT(body, Contains(part));
  }
}

TEST_CASE("the status tells how the process ended, and that it was for memory", "[agent][status]") {
  Snapshot ended = Sample();
  ended.pid = 0;
  ended.last_exit = LastExit{.status = {.signal = SIGKILL}, .oom = true, .at = ended.since};
  CHECK_THAT(StatusDocument(ended),
             Contains(R"("last_exit":{"code":137,"signal":9,"oom":true,"core_dumped":false,)"
                      R"("at":"2026-01-01T00:00:00.000000000Z"})"));
  CHECK_THAT(StatusDocument(ended), Contains(R"("pid":null)"));
  ended.last_exit->status = {.code = 3};
  ended.last_exit->oom = false;
  CHECK_THAT(StatusDocument(ended),
             Contains(R"("last_exit":{"code":3,"signal":null,"oom":false,)"));
}

TEST_CASE("the status says when the certificates end that were read last", "[agent][status]") {
  Snapshot s = Sample();
  CHECK_THAT(StatusDocument(s), Contains(R"("tls":null)"));
  const std::chrono::sys_seconds end(std::chrono::seconds(1'767'225'600));
  s.collector_tls_failures.emplace();
  s.collector_tls_expiry.ca = end;
  CHECK_THAT(StatusDocument(s), Contains(R"("tls":{"certificate_expires_at":null,)"
                                         R"("ca_expires_at":"2026-01-01T00:00:00.000000000Z"})"));
  s.control_tls_failures.emplace();
  s.control_tls_expiry = {end + std::chrono::hours(1), end - std::chrono::hours(1)};
  s.collector_tls_expiry.certificate = end;
  CHECK_THAT(StatusDocument(s),
             Contains(R"("tls":{"certificate_expires_at":"2026-01-01T01:00:00.000000000Z",)"
                      R"("ca_expires_at":"2026-01-01T00:00:00.000000000Z"})"));
}

TEST_CASE("the status counts restarts by cause", "[agent][status]") {
  Snapshot s = Sample();
  s.restarts = {1, 2, 3, 4, 5};
  s.backoff_seconds = 0.5;
  CHECK_THAT(StatusDocument(s), Contains(R"("restarts":15,"restarts_by_cause":)"
                                         R"({"exit":1,"signal":2,"oom":3,"health":4,"command":5},)"
                                         R"("backoff_seconds":0.5)"));
}

TEST_CASE("the status says how the spool is", "[agent][status]") {
  Snapshot s = Sample();
  CHECK_THAT(StatusDocument(s), Contains(R"("spool":null,"adopted":null)"));
  s.lines.spooled = 7;
  s.spool_folder = "/var/spool/d";
  s.spool_sync = shipper::SpoolSync::kBatch;
  shipper::SpoolStatus& spool = s.spool.emplace();
  spool.accounts.bytes = 800;
  spool.accounts.oldest_entry = s.since;
  spool.accounts.damaged_batches = 2;
  spool.limit_bytes = 1000;
  std::string state = "works";
  std::string error = "null";
  SECTION("it works") {}
  SECTION("it is full") {
    spool.full = true;
    state = "full";
  }
  SECTION("its disk refuses") {
    spool.full = true;
    spool.failing_since = s.since;
    spool.last_errno = 28;
    spool.last_error = "cannot write x: no space";
    state = "failing";
    error =
        R"({"errno":28,"message":"cannot write x: no space","since":"2026-01-01T00:00:00.000000000Z"})";
  }
  CHECK_THAT(
      StatusDocument(s),
      Contains(R"("spool":{"folder":"/var/spool/d","state":")" + state +
               R"(","sync":"batch","bytes":800,"limit_bytes":1000,"lines":7,)"
               R"("oldest_at":"2026-01-01T00:00:00.000000000Z","damaged_batches":2,"last_error":)" +
               error + "}"));
  s.lines.spooled = 0;
  CHECK_THAT(StatusDocument(s), Contains(R"("lines":0,"oldest_at":null)"));
}

TEST_CASE("the status says what becomes of what others left", "[agent][status]") {
  Snapshot s = Sample();
  shipper::AdoptionStatistics& adopted = s.adopted.emplace();
  adopted.spools = 3;
  adopted.finished_spools = 2;
  adopted.acknowledged_lines = 50;
  adopted.dropped_lines = 1;
  CHECK_THAT(StatusDocument(s), Contains(R"("adopted":{"spools":3,"finished_spools":2,)"
                                         R"("acknowledged":50,"dropped":1,"current":null,)"
                                         R"("waiting_spools":0,"held_spools":0,)"
                                         R"("unusable_spools":0,"problem":null})"));
  adopted.current = {"web-1/00ff", 5, false, "refused"};
  adopted.waiting_spools = 4;
  adopted.held_spools = 6;
  adopted.unusable_spools = 7;
  adopted.problem = "cannot adopt y";
  CHECK_THAT(StatusDocument(s),
             Contains(R"("current":{"spool":"web-1/00ff","lines":5,"connected":false,)"
                      R"("last_error":"refused"},"waiting_spools":4,"held_spools":6,)"
                      R"("unusable_spools":7,"problem":"cannot adopt y"})"));
}

TEST_CASE("the status says how output is captured", "[agent][status]") {
  auto [mode, name] = GENERATE(table<CaptureMode, std::string>({{CaptureMode::kPipe, "pipe"},
                                                                {CaptureMode::kMerged, "merged"},
                                                                {CaptureMode::kTty, "tty"}}));
  Snapshot s = Sample();
  s.capture = mode;
  CHECK_THAT(StatusDocument(s), Contains("\"capture\":\"" + name + "\""));
}

TEST_CASE("the status says why lines are not moving", "[agent][status]") {
  Snapshot s = Sample();
  s.queue_bytes = 100;
  s.queue_limit_bytes = 4096;
  s.oldest_unsent_seconds = 2.5;
  SECTION("no connection") {
    s.sender.last_error = "cannot connect to 10.0.0.1:18889: connection refused";
    s.sender.last_error_kind = shipper::SendErrorKind::kConnect;
    s.sender.last_error_at = s.since;
    CHECK_THAT(
        StatusDocument(s),
        Contains(
            R"("queue_bytes":100,"queue_limit_bytes":4096,"reading_held":false,)"
            R"("oldest_unsent_seconds":2.5,"collector_configured":true,)"
            R"("connected":false,"collector":null,"connected_since":null,)"
            R"("last_acknowledged_at":null,"pause":null,"last_error":{"kind":"connect",)"
            R"("tls_failure":null,"message":"cannot connect to 10.0.0.1:18889: connection refused",)"
            R"("at":"2026-01-01T00:00:00.000000000Z"}})"));
  }
  SECTION("no TLS") {
    s.sender.last_error = "no TLS with 10.0.0.1:18889: its certificate (logs) is not for 10.0.0.1";
    s.sender.last_error_kind = shipper::SendErrorKind::kTls;
    s.sender.last_tls_failure = TlsFailure::kWrongName;
    CHECK_THAT(StatusDocument(s),
               Contains(R"("last_error":{"kind":"tls","tls_failure":"wrong_name","message":)"));
  }
  SECTION("a pause") {
    s.collector_connected = true;
    s.collector = "10.0.0.1:18889";
    s.sender.connected_since = s.since;
    s.sender.last_error_kind = shipper::SendErrorKind::kReset;
    s.paused_seconds = 0.5;
    s.sender.sessions.slow_down_reason = "the disk is full";
    CHECK_THAT(
        StatusDocument(s),
        Contains(R"("connected":true,"collector":"10.0.0.1:18889",)"
                 R"("connected_since":"2026-01-01T00:00:00.000000000Z",)"
                 R"("last_acknowledged_at":null,)"
                 R"("pause":{"seconds":0.5,"reason":"the disk is full"},"last_error":null})"));
  }
  SECTION("the process waits") {
    s.reading_held = true;
    CHECK_THAT(StatusDocument(s), Contains(R"("reading_held":true)"));
  }
}

}  // namespace
}  // namespace dunlin::agent
