// The control API of the real agent.
#include <csignal>
#include <fstream>
#include <string>

#include "tests/agent/agent_run.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

namespace dunlin {
namespace {

using namespace std::chrono_literals;
using testing::AgentRun;

bool Has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST_CASE("health, readiness, metrics and status are answered", "[agent][control]") {
  AgentRun run;
  run.StartWorkload({"wait"});
  CHECK(Has(run.Get("/healthz"), "HTTP/1.1 200"));
  CHECK(Has(run.Get("/readyz"), "HTTP/1.1 200"));
  const std::string metrics = run.Get("/metrics");
  CHECK(Has(metrics, "text/plain; version=0.0.4"));
  CHECK(AgentRun::Metric(metrics, "dunlin_agent_process_up") == 1);
  CHECK(AgentRun::Metric(metrics, "process_open_fds") > 3);
  const std::string status = run.Get("/v1/status");
  CHECK(Has(status, "application/json"));
  CHECK(Has(status, R"("state":"running")"));
  CHECK(Has(status, R"("container":"tested")"));
  CHECK(Has(status, R"("connected":true)"));
  CHECK(Has(run.Get("/nothing"), "HTTP/1.1 404"));
  CHECK(Has(run.Http("DELETE /v1/status"), "HTTP/1.1 405"));
}

TEST_CASE("the end of the log is shown as lines", "[agent][control]") {
  AgentRun run;
  run.Start({"/bin/sh", "-c", "echo one; echo two; echo three >&2; sleep 60"});
  run.RunUntil([&] { return run.collector.durable_lines() == 3; });
  CHECK(Has(run.Get("/v1/logs/tail?n=10"), R"({"output":"stdout","line":"two"})"));
  CHECK(Has(run.Get("/v1/logs/tail"), R"({"output":"stderr","line":"three"})"));
  CHECK_FALSE(Has(run.Get("/v1/logs/tail?n=1"), "one"));
  CHECK(Has(run.Get("/v1/logs/tail?n=0"), "HTTP/1.1 400"));
  CHECK(Has(run.Get("/v1/logs/tail?n=many"), "HTTP/1.1 400"));
}

TEST_CASE("stop is answered at once and performed", "[agent][control]") {
  AgentRun run;
  SECTION("plainly") {
    run.StartWorkload({"wait"});
    run.WaitForOutput("ready\n");
    std::string answer = run.Http("POST /v1/stop");
    CHECK(Has(answer, "HTTP/1.1 202"));
    CHECK(Has(answer, R"("state":"stopping")"));
    CHECK(run.Wait() == 143);
  }
  SECTION("with a grace of its own in the body") {
    run.StartWorkload({"ignore-term"});
    run.WaitForOutput("ready\n");
    CHECK(Has(run.Http("POST /v1/stop", "Content-Type: application/json\r\n", R"({"grace":"1s"})"),
              "HTTP/1.1 202"));
    CHECK(run.Wait() == 137);
    CHECK(run.ended - run.started < 8s);
  }
  SECTION("with a grace of its own in the query") {
    run.StartWorkload({"ignore-term"});
    run.WaitForOutput("ready\n");
    CHECK(Has(run.Http("POST /v1/stop?grace=500ms"), "HTTP/1.1 202"));
    CHECK(run.Wait() == 137);
  }
  SECTION("not when it cannot be read") {
    run.StartWorkload({"wait"});
    CHECK(Has(run.Http("POST /v1/stop?grace=soon"), "HTTP/1.1 400"));
    CHECK(Has(run.Http("POST /v1/stop", "", "{nonsense"), "HTTP/1.1 400"));
    CHECK(Has(run.Get("/v1/status"), R"("state":"running")"));
  }
}

TEST_CASE("with a token, what changes something asks for it", "[agent][control]") {
  testing::TempDir folder;
  const std::string path = folder.path() + "/token";
  std::ofstream(path) << "s3cret\n";
  AgentRun run;
  run.flags.insert(run.flags.end(), {"--token-file", path});
  run.StartWorkload({"wait"});
  CHECK(Has(run.Get("/v1/status"), "HTTP/1.1 200"));
  const std::string refused = run.Http("POST /v1/stop");
  CHECK(Has(refused, "HTTP/1.1 401"));
  CHECK(Has(refused, "WWW-Authenticate: Bearer"));
  CHECK(Has(run.Http("POST /v1/stop", "Authorization: Bearer s3cre\r\n"), "HTTP/1.1 401"));
  CHECK(Has(run.Http("POST /v1/stop", "Authorization: Bearer s3crets\r\n"), "HTTP/1.1 401"));
  CHECK(run.collector.hellos.at(0).token == "s3cret");
  CHECK(Has(run.Http("POST /v1/stop", "Authorization: bearer s3cret\r\n"), "HTTP/1.1 202"));
  CHECK(run.Wait() == 143);
}

TEST_CASE("on an address that others reach, only health is told without the token",
          "[agent][control]") {
  testing::TempDir folder;
  const std::string path = folder.path() + "/token";
  std::ofstream(path) << "s3cret";
  AgentRun run;
  run.flags.insert(run.flags.end(), {"--token-file", path, "--listen", "0.0.0.0:0"});
  run.StartWorkload({"wait"});
  CHECK(Has(run.Get("/healthz"), "HTTP/1.1 200"));
  CHECK(Has(run.Get("/readyz"), "HTTP/1.1 200"));
  CHECK(Has(run.Get("/metrics"), "HTTP/1.1 401"));
  CHECK(Has(run.Get("/v1/status"), "HTTP/1.1 401"));
  CHECK(Has(run.Http("GET /metrics", "Authorization: Bearer s3cret\r\n"), "HTTP/1.1 200"));
}

TEST_CASE("a missing or empty token file is a usage error that names it", "[agent][control]") {
  testing::TempDir folder;
  const std::string path = folder.path() + "/token";
  const bool empty = GENERATE(true, false);
  if (empty) std::ofstream(path) << "\n";
  AgentRun run;
  run.flags.insert(run.flags.end(), {"--token-file", path});
  run.StartWorkload({"exit", "0"});
  CHECK(run.Wait() == 2);
  CHECK(Has(run.err, path));
}

}  // namespace
}  // namespace dunlin
