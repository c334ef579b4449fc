// Commands to the real agent: run once, refused clearly.
#include <string>
#include <string_view>

#include "tests/agent/agent_run.h"
#include "tests/support/catch.h"

namespace dunlin {
namespace {

using testing::AgentRun;

bool Has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

std::string Body(const std::string& answer) {
  std::size_t at = answer.find("\r\n\r\n");
  REQUIRE(at != std::string::npos);
  return answer.substr(at + 4);
}

/// Says which of two signals arrived. The shell runs its traps in the order of the signals'
/// numbers, so whatever came as USR1 is said before "second".
constexpr const char* kSignalTeller =
    "trap 'echo first' USR1; trap 'echo second' USR2; echo ready; while :; do sleep 0.05; done";

std::string Post(AgentRun& run, const std::string& target, const std::string& body = {},
                 const std::string& headers = {}) {
  return run.Http("POST " + target, headers + "Content-Type: application/json\r\n", body);
}

TEST_CASE("the same command id twice runs once, and is answered alike", "[agent][control]") {
  AgentRun run;
  run.Start({"/bin/sh", "-c", kSignalTeller});
  run.WaitForOutput("ready\n");
  std::string first, again;
  SECTION("in the body") {
    first = Post(run, "/v1/signal", R"({"id": "c-1", "signal": "USR1"})");
    run.WaitForOutput("first\n");
    again = Post(run, "/v1/signal", R"({"signal": "USR1", "id": "c-1"})");
  }
  SECTION("in a header") {
    first = Post(run, "/v1/signal?signal=USR1", "", "Idempotency-Key: c-1\r\n");
    run.WaitForOutput("first\n");
    again = Post(run, "/v1/signal?signal=SIGUSR1", "", "Idempotency-Key: c-2\r\n");
    CHECK(Has(again, "HTTP/1.1 202"));
    // Once more than below.
    run.WaitForOutput("first\nfirst\n");
    run.out.erase(run.out.find("first\n"), 6);
    again = Post(run, "/v1/signal?signal=USR1", "", "Idempotency-Key: c-1\r\n");
  }
  CHECK(Has(first, "HTTP/1.1 202"));
  CHECK(Has(again, "HTTP/1.1 202"));
  CHECK(Body(first) == Body(again));
  CHECK(Has(Post(run, "/v1/signal", R"({"id": "c-3", "signal": 12})"), "HTTP/1.1 202"));
  run.WaitForOutput("second\n");
  CHECK(run.out == "ready\nfirst\nsecond\n");
}

TEST_CASE("an id that was another command's is a conflict", "[agent][control]") {
  AgentRun run;
  run.Start({"/bin/sh", "-c", kSignalTeller});
  run.WaitForOutput("ready\n");
  CHECK(Has(Post(run, "/v1/signal", R"({"id": "x", "signal": "USR1"})"), "HTTP/1.1 202"));
  CHECK(Has(Post(run, "/v1/signal", R"({"id": "x", "signal": "USR2"})"), "HTTP/1.1 409"));
  CHECK(Has(Post(run, "/v1/stop", R"({"id": "x"})"), "HTTP/1.1 409"));
  CHECK(Has(run.Get("/v1/status"), R"("state":"running")"));
}

TEST_CASE("a command that did not apply may be sent again with its id", "[agent][control]") {
  AgentRun run;
  run.StartWorkload({"wait"});
  const std::string refused = Post(run, "/v1/start", R"({"id": "s"})");
  CHECK(Has(refused, "HTTP/1.1 409"));
  CHECK(Has(refused, R"({"error":"cannot start: )"));
  CHECK(Has(Post(run, "/v1/stop", R"({"id": "s"})"), "HTTP/1.1 202"));
  CHECK(run.Wait() == 143);
}

TEST_CASE("a command without an id is carried out each time", "[agent][control]") {
  AgentRun run;
  run.Start({"/bin/sh", "-c", kSignalTeller});
  run.WaitForOutput("ready\n");
  CHECK(Has(Post(run, "/v1/signal", R"({"signal": "USR1"})"), "HTTP/1.1 202"));
  run.WaitForOutput("first\n");
  CHECK(Has(Post(run, "/v1/signal", R"({"signal": "USR1"})"), "HTTP/1.1 202"));
  run.WaitForOutput("first\nfirst\n");
}

TEST_CASE("what a command does not understand is told apart by name", "[agent][control]") {
  AgentRun run;
  run.StartWorkload({"wait"});
  auto [target, body, reason] = GENERATE(table<std::string, std::string, std::string>(
      {{"/v1/signal", R"({"signal": "NONSENSE"})", "signal must be a name"},
       {"/v1/signal", "", "signal must be a name"},
       {"/v1/signal", R"({"sginal": "HUP"})", "unknown field \\\"sginal\\\""},
       {"/v1/stop", R"({"line": "x"})", "unknown field \\\"line\\\""},
       {"/v1/stop?grace=5s", R"({"grace": "6s"})", "grace is given twice"},
       {"/v1/stop", R"({"id": ""})", "an id is"},
       {"/v1/stop", R"(["id"])", "JSON object"},
       {"/v1/command", "{}", "line is missing"}}));
  CAPTURE(target, body);
  const std::string answer = Post(run, target, body);
  INFO(answer);
  CHECK(Has(answer, "HTTP/1.1 400"));
  CHECK(Has(answer, reason));
  CHECK(Has(Post(run, "/v1/stop", R"({"id": "a"})", "Idempotency-Key: b\r\n"), "HTTP/1.1 400"));
  CHECK(Has(run.Get("/v1/status"), R"("state":"running")"));
}

TEST_CASE("a command to a process whose input is not the agent's is refused with the cure",
          "[agent][control]") {
  AgentRun run;
  run.StartWorkload({"wait"});
  const std::string answer = Post(run, "/v1/command", R"({"line": "reload"})");
  CHECK(Has(answer, "HTTP/1.1 409"));
  CHECK(Has(answer, "--stdin pipe"));
}

TEST_CASE("a command reaches the process as a line, once per id", "[agent][control]") {
  AgentRun run;
  run.flags.insert(run.flags.end(), {"--stdin", "pipe"});
  run.Start({"/bin/sh", "-c", "while read -r line; do echo \"got $line\"; done"});
  run.RunUntil([&] { return !run.collector.hellos.empty(); });
  const std::string reload = R"({"id": "1", "line": "reload \u00e9"})";
  CHECK(Has(Post(run, "/v1/command", reload), "HTTP/1.1 202"));
  CHECK(Has(Post(run, "/v1/command", reload), "HTTP/1.1 202"));
  CHECK(Has(Post(run, "/v1/command", R"({"id": "2", "line": "two\nlines"})"), "HTTP/1.1 400"));
  CHECK(Has(Post(run, "/v1/command", R"({"id": "2", "line": "last"})"), "HTTP/1.1 202"));
  run.WaitForOutput("got last\n");
  CHECK(run.out == "got reload \u00e9\ngot last\n");
}

TEST_CASE("a restart by command runs the process again, once per id", "[agent][control]") {
  AgentRun run;
  run.Start({"/bin/sh", "-c", "echo ready; exec sleep 600"});
  run.WaitForOutput("ready\n");
  CHECK(Has(Post(run, "/v1/restart", R"({"id": "r"})"), "HTTP/1.1 202"));
  run.WaitForOutput("ready\nready\n");
  CHECK(Has(Post(run, "/v1/restart", R"({"id": "r"})"), "HTTP/1.1 202"));
  const std::string status = run.Get("/v1/status");
  CHECK(Has(status, R"("state":"running")"));
  CHECK(Has(status, R"("restarts":1)"));
}

TEST_CASE("a drained process counts as not ready and runs on", "[agent][control]") {
  AgentRun run;
  run.StartWorkload({"wait"});
  CHECK(Has(run.Get("/readyz"), "HTTP/1.1 200"));
  CHECK(Has(Post(run, "/v1/drain"), "HTTP/1.1 202"));
  const std::string readiness = run.Get("/readyz");
  CHECK(Has(readiness, "HTTP/1.1 503"));
  CHECK(Has(readiness, "not ready: the process is being drained\n"));
  CHECK(Has(run.Get("/v1/status"), R"("state":"running")"));
}

}  // namespace
}  // namespace dunlin
