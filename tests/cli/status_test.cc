#include <unistd.h>

#include "controller/cli/commands.h"
#include "controller/cli/render.h"
#include "protocol/base/file_system.h"
#include "protocol/base/random.h"
#include "tests/cli/fake_servers.h"
#include "tests/support/catch.h"

namespace dunlin::cli {

using namespace std::chrono_literals;
using test::FakeServers;
using test::HasText;

TEST_CASE("status lists the services", "[cli][status]") {
  FakeServers servers;
  servers.Answer(200, R"({"services":[
      {"name":"web","project":"default","status":"HEALTHY","current":"dpl_2","latest":"dpl_3",
       "latest_status":"FAILED","updated_at":"1970-01-01T00:16:30Z"},
      {"name":"worker","project":"default","status":"STOPPED","current":"dpl_1","latest":"dpl_1",
       "latest_status":"STOPPED"}]})");
  CHECK(RunStatus(servers.MakeContext(), {}) == ExitStatus::kOk);
  CHECK(servers.terminal.out ==
        "SERVICE  PROJECT  STATUS   LATEST DEPLOYMENT  CHANGED\n"
        "web      default  HEALTHY  dpl_3 FAILED       10s ago\n"
        "worker   default  STOPPED  dpl_1\n");
  CHECK(servers.requests[0].url == "http://127.0.0.1:18880/services");
}

TEST_CASE("status of a service lists its deployments", "[cli][status]") {
  FakeServers servers;
  servers.Answer(200, R"({"deployments":[
      {"id":"dpl_2","service":"web","number":2,"status":"FAILED","outcome":"FAILED",
       "created_at":"1970-01-01T00:06:40Z","reason":{"code":"x","detail":"the process ended"},
       "containers":[{"id":"ctr_2","state":"removed"}]},
      {"id":"dpl_1","service":"web","number":1,"status":"HEALTHY","outcome":"HEALTHY",
       "created_at":"1970-01-01T00:00:00Z","message":"first","containers":[{"state":"running"}]}]})");
  StatusCommand command;
  command.service = "web";
  command.project = "a b";
  CHECK(RunStatus(servers.MakeContext(), command) == ExitStatus::kOk);
  CHECK(servers.terminal.out ==
        "NUMBER  DEPLOYMENT  STATUS   CREATED  CONTAINERS  NOTE\n"
        "2       dpl_2       FAILED   10m ago              the process ended\n"
        "1       dpl_1       HEALTHY  16m ago  running     first\n");
  CHECK(servers.requests[0].url == "http://127.0.0.1:18880/deploys/web?project=a%20b");
}

TEST_CASE("status --json is the controller's document", "[cli][status]") {
  FakeServers servers;
  servers.common.json = true;
  servers.Answer(200, "{\"services\":[]}\n");
  CHECK(RunStatus(servers.MakeContext(), {}) == ExitStatus::kOk);
  CHECK(servers.terminal.out == "{\"services\":[]}\n");
}

TEST_CASE("an answer from somebody else is a failure", "[cli][status]") {
  FakeServers servers;
  servers.Answer(200, "<html>");
  CHECK(RunStatus(servers.MakeContext(), {}) == ExitStatus::kFailed);
  CHECK_THAT(servers.terminal.error, HasText("the controller's answer is not understood"));
}

TEST_CASE("the token of the file goes along, and a bad file is refused unsent", "[cli][status]") {
  FakeServers servers;
  servers.Answer(200, R"({"services":[]})");
  servers.common.token_file = "/tmp/dunlin-token-test-" + ToHex(NewRandomId());
  SECTION("a token") {
    REQUIRE(WriteFileAtomically(PosixFileSystem(), servers.common.token_file, "tok_abc\n"));
    CHECK(RunStatus(servers.MakeContext(), {}) == ExitStatus::kOk);
    REQUIRE(servers.requests.size() == 1);
    CHECK(servers.requests[0].headers.back() ==
          std::pair<std::string, std::string>("Authorization", "Bearer tok_abc"));
  }
  SECTION("no file") {
    CHECK(RunStatus(servers.MakeContext(), {}) == ExitStatus::kUsage);
    CHECK_THAT(servers.terminal.error, HasText("cannot read the token"));
    CHECK(servers.requests.empty());
  }
  SECTION("two lines") {
    REQUIRE(WriteFileAtomically(PosixFileSystem(), servers.common.token_file, "a\nb\n"));
    CHECK(RunStatus(servers.MakeContext(), {}) == ExitStatus::kUsage);
    CHECK(servers.requests.empty());
  }
  ::unlink(servers.common.token_file.c_str());
}

TEST_CASE("ages and elapsed times are short", "[cli][status]") {
  CHECK(RenderAge(0s) == "0s");
  CHECK(RenderAge(-5s) == "0s");
  CHECK(RenderAge(119s) == "119s");
  CHECK(RenderAge(2min) == "2m");
  CHECK(RenderAge(47h) == "47h");
  CHECK(RenderAge(49h) == "2d");
  CHECK(RenderElapsed(40ms) == "0.0s");
  CHECK(RenderElapsed(1250ms) == "1.3s");
  CHECK(RenderElapsed(119949ms) == "119.9s");
  CHECK(RenderElapsed(125s) == "2m05s");
}

}  // namespace dunlin::cli
