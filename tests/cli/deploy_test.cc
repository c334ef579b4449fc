#include <algorithm>

#include "controller/cli/commands.h"
#include "controller/cli/deploy_body.h"
#include "tests/cli/fake_servers.h"
#include "tests/support/catch.h"

namespace dunlin::cli {
namespace {

using namespace std::chrono_literals;
using test::FakeServers;
using test::HasText;

std::string Deployment(std::string_view status, std::string_view outcome,
                       std::string_view more = "") {
  return Join(R"({"id":"dpl_1","service":"web","project":"default","number":3,"status":")", status,
              R"(","outcome":)", outcome.empty() ? "null" : Join("\"", outcome, "\""),
              R"(,"created_at":"2026-11-20T17:00:00Z")", more, "}");
}

constexpr std::string_view kNoEvents = R"({"events":[]})";

DeployCommand Web() {
  DeployCommand command;
  command.service = "web";
  command.command = {"sh", "-c", "exit 0"};
  return command;
}

std::string HeaderOf(const controller::ClientRequest& request, std::string_view name) {
  for (const auto& [field, value] : request.headers) {
    if (field == name) return value;
  }
  return {};
}

}  // namespace

TEST_CASE("the body holds what was given and nothing else", "[cli][deploy]") {
  CHECK(DeployBody({}) == "{}");
  DeployCommand command = Web();
  command.env = {{"A", "1"}, {"B", "\"2\""}, {"A", "3"}};
  command.port = 80;
  command.min_healthy = 1500ms;
  command.message = "why";
  CHECK(DeployBody(command) ==
        R"({"command":["sh","-c","exit 0"],"env":{"B":"\"2\"","A":"3"},"port":80,)"
        R"("readiness":{"min_healthy":"1s500ms"},"message":"why"})");
}

TEST_CASE("a deployment that gets HEALTHY shows its steps and exits 0", "[cli][deploy]") {
  FakeServers servers;
  servers.Answer(202, Deployment("PENDING", ""));
  servers.Answer(200, Deployment("VERIFYING", ""));
  servers.Answer(200, R"({"events":[
      {"sequence":7,"time":"2026-11-20T17:00:00.2Z","status":"PREPARING","note":"claimed"}]})");
  servers.Answer(200, Deployment("HEALTHY", "HEALTHY",
                                 R"(,"healthy_at":"2026-11-20T17:00:02Z","containers":[
      {"id":"ctr_1","address":"127.0.0.2","port":8080,"state":"running"}])"));
  servers.Answer(200, R"({"events":[
      {"sequence":9,"time":"2026-11-20T17:00:02Z","status":"HEALTHY","step":"commit","note":"it is the one"}]})");
  CHECK(RunDeploy(servers.MakeContext(), Web()) == ExitStatus::kOk);
  CHECK(servers.terminal.out ==
        "web #3 (dpl_1)\n"
        "   0.2s  PREPARING    claimed\n"
        "   2.0s  HEALTHY      it is the one\n"
        "web #3 is HEALTHY after 2.0s: 127.0.0.2:8080\n");
  CHECK(servers.terminal.error.empty());
  const auto& put = servers.requests.front();
  CHECK(put.method == "PUT");
  CHECK(put.url == "http://127.0.0.1:18880/deploys/web");
  CHECK(HeaderOf(put, "Idempotency-Key").size() == 32);
  CHECK(HeaderOf(put, "Content-Type") == "application/json");
  CHECK_THAT(servers.requests.back().url, HasText("/deployments/dpl_1/events?after=7"));
}

TEST_CASE("a failed deployment shows reason, evidence and last lines and exits 1",
          "[cli][deploy]") {
  FakeServers servers;
  servers.Answer(202, Deployment("PENDING", ""));
  servers.Answer(200, Deployment("FAILED", "FAILED", R"(,"finished_at":"2026-11-20T17:00:01Z",
      "reason":{"code":"container_exited","detail":"the process ended"},
      "evidence":{"exit_code":9,"signal":null,"probe":"","last_logs":["one","two"]},
      "warnings":["collector_unreachable"])"));
  servers.Answer(200, std::string(kNoEvents));
  CHECK(RunDeploy(servers.MakeContext(), Web()) == ExitStatus::kFailed);
  CHECK(servers.terminal.out ==
        "web #3 (dpl_1)\n"
        "web #3 is FAILED after 1.0s: the process ended (container_exited)\n"
        "  exit code 9\n"
        "  last lines:\n"
        "  | one\n"
        "  | two\n"
        "  warning: collector_unreachable\n");
}

TEST_CASE("cancelled and superseded exit 3", "[cli][deploy]") {
  auto [status, outcome] = GENERATE(table<std::string, std::string>(
      {{"CANCELLED", "CANCELLED"}, {"SUPERSEDED", ""}, {"SUPERSEDED", "CANCELLED"}}));
  FakeServers servers;
  servers.Answer(202, Deployment(status, outcome));
  servers.Answer(200, std::string(kNoEvents));
  CHECK(RunDeploy(servers.MakeContext(), Web()) == ExitStatus::kCancelled);
  CHECK_THAT(servers.terminal.out, HasText("web #3 is " + status));
}

TEST_CASE("the flag --no-wait returns at once and says how to look", "[cli][deploy]") {
  FakeServers servers;
  servers.Answer(202, Deployment("PENDING", ""));
  DeployCommand command = Web();
  command.wait = false;
  CHECK(RunDeploy(servers.MakeContext(), command) == ExitStatus::kOk);
  CHECK(servers.requests.size() == 1);
  CHECK_THAT(servers.terminal.out, HasText("dunlin status web"));
}

TEST_CASE("a wait that is over leaves the deployment going and exits 6", "[cli][deploy]") {
  FakeServers servers;
  servers.common.json = true;
  servers.Answer(202, Deployment("PENDING", ""));
  servers.Answer(200, Deployment("VERIFYING", ""));
  servers.on_request = [&](const auto&) { servers.clock.passed += 20s; };
  DeployCommand command = Web();
  command.timeout = 1min;
  CHECK(RunDeploy(servers.MakeContext(), command) == ExitStatus::kTimedOut);
  CHECK(servers.terminal.out == Deployment("VERIFYING", "") + "\n");
  CHECK_THAT(servers.terminal.error,
             HasText("still VERIFYING and goes on") && HasText("dunlin status web"));
}

TEST_CASE("the flag --json prints the last document alone", "[cli][deploy]") {
  FakeServers servers;
  servers.common.json = true;
  servers.Answer(202, Deployment("PENDING", ""));
  servers.Answer(200, Deployment("HEALTHY", "HEALTHY"));
  CHECK(RunDeploy(servers.MakeContext(), Web()) == ExitStatus::kOk);
  CHECK(servers.terminal.out == Deployment("HEALTHY", "HEALTHY") + "\n");
  CHECK(servers.requests.size() == 2);
}

TEST_CASE("a lost answer is asked for again under the same key", "[cli][deploy]") {
  FakeServers servers;
  servers.Fail(ErrorCode::kUnavailable);
  servers.Answer(503, R"({"title":"starting"})");
  servers.Answer(202, Deployment("HEALTHY", "HEALTHY"));
  servers.Answer(200, std::string(kNoEvents));
  CHECK(RunDeploy(servers.MakeContext(), Web()) == ExitStatus::kOk);
  REQUIRE(servers.requests.size() >= 3);
  std::string key = HeaderOf(servers.requests[0], "Idempotency-Key");
  CHECK(HeaderOf(servers.requests[1], "Idempotency-Key") == key);
  CHECK(HeaderOf(servers.requests[2], "Idempotency-Key") == key);
}

TEST_CASE("a controller that is not there exits 4", "[cli][deploy]") {
  FakeServers servers;
  servers.Fail(ErrorCode::kUnavailable);
  CHECK(RunDeploy(servers.MakeContext(), Web()) == ExitStatus::kUnreachable);
  CHECK_THAT(servers.terminal.error, HasText("the controller does not answer"));
  CHECK(servers.requests.size() == 3);
}

TEST_CASE("a controller that restarts is waited for", "[cli][deploy]") {
  FakeServers servers;
  servers.Answer(202, Deployment("PENDING", ""));
  for (int i = 0; i < 20; ++i) servers.Fail(ErrorCode::kUnavailable);
  servers.Answer(200, Deployment("HEALTHY", "HEALTHY"));
  servers.Answer(200, std::string(kNoEvents));
  CHECK(RunDeploy(servers.MakeContext(), Web()) == ExitStatus::kOk);
  CHECK_THAT(servers.terminal.error, HasText("answers again"));
}

TEST_CASE("a controller that stays away while waiting exits 4 and says the deployment goes on",
          "[cli][deploy]") {
  FakeServers servers;
  servers.Answer(202, Deployment("PENDING", ""));
  servers.Fail(ErrorCode::kUnavailable);
  CHECK(RunDeploy(servers.MakeContext(), Web()) == ExitStatus::kUnreachable);
  CHECK_THAT(servers.terminal.error, HasText("goes on once the controller is back"));
}

TEST_CASE("a refusal becomes its own exit status, with every wrong field", "[cli][deploy]") {
  auto [code, status] = GENERATE(table<int, ExitStatus>({{401, ExitStatus::kRefused},
                                                         {403, ExitStatus::kRefused},
                                                         {404, ExitStatus::kFailed},
                                                         {409, ExitStatus::kConflict},
                                                         {422, ExitStatus::kUsage},
                                                         {500, ExitStatus::kFailed}}));
  FakeServers servers;
  servers.Answer(code, R"({"title":"t","code":"the_code","detail":"why","errors":[
      {"field":"port","code":"out_of_range","detail":"1 to 65535"}]})");
  CHECK(RunDeploy(servers.MakeContext(), Web()) == status);
  CHECK(servers.requests.size() == 1);
  CHECK_THAT(servers.terminal.error, HasText("why (the_code)") && HasText("\n  port: 1 to 65535"));
}

TEST_CASE("Ctrl-C has something to say only while waiting", "[cli][deploy]") {
  FakeServers servers;
  servers.Answer(202, Deployment("HEALTHY", "HEALTHY"));
  servers.Answer(200, std::string(kNoEvents));
  DeployCommand command = Web();
  command.project = "shop";
  CHECK(RunDeploy(servers.MakeContext(), command) == ExitStatus::kOk);
  CHECK(servers.requests.front().url == "http://127.0.0.1:18880/deploys/web?project=shop");
  REQUIRE(servers.interrupt_notes.size() == 2);
  CHECK_THAT(servers.interrupt_notes[0], HasText("dunlin status web --project shop"));
  CHECK(servers.interrupt_notes[1].empty());
}

}  // namespace dunlin::cli
