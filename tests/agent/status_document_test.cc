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
                           R"("collector_connected":false)",
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

TEST_CASE("the status counts restarts by cause", "[agent][status]") {
  Snapshot s = Sample();
  s.restarts = {1, 2, 3, 4, 5};
  s.backoff_seconds = 0.5;
  CHECK_THAT(StatusDocument(s), Contains(R"("restarts":15,"restarts_by_cause":)"
                                         R"({"exit":1,"signal":2,"oom":3,"health":4,"command":5},)"
                                         R"("backoff_seconds":0.5)"));
}

TEST_CASE("the status says how output is captured", "[agent][status]") {
  auto [mode, name] = GENERATE(table<CaptureMode, std::string>({{CaptureMode::kPipe, "pipe"},
                                                                {CaptureMode::kMerged, "merged"},
                                                                {CaptureMode::kTty, "tty"},
                                                                {CaptureMode::kOff, "off"}}));
  Snapshot s = Sample();
  s.capture = mode;
  CHECK_THAT(StatusDocument(s), Contains("\"capture\":\"" + name + "\""));
}

}  // namespace
}  // namespace dunlin::agent
