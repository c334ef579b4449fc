#include <signal.h>

#include <fstream>
#include <set>
#include <thread>

#include "protocol/base/file_system.h"
#include "protocol/base/text.h"
#include "tests/controller/controller_fixture.h"
#include "tests/controller/port.h"
#include "tests/support/catch.h"

namespace dunlin::controller {
namespace {

const std::string kForever = "while :; do sleep 1; done";
constexpr const char* kContainer = "/containers/0/id";

/// A spec whose process counts as ready once somebody listens on that port of its address.
std::string NotReadyBefore(const Port& port, const std::string& script) {
  return Join(R"({"command": ["sh", "-c", ")", script, R"("], "port": )", port.number(),
              R"(, "readiness": {"kind": "tcp", "interval": "50ms", "min_healthy": "50ms"}})");
}

}  // namespace

TEST_CASE("a deploy is stored as PENDING, answered with 202 and becomes HEALTHY",
          "[controller][deploy]") {
  ControllerFixture controller;
  auto answer = controller.Ask("PUT", "/deploys/web", ControllerFixture::Script(kForever));
  CHECK(answer.status == 202);
  Document pending(answer.body);
  CHECK(pending.At("/status") == "PENDING");
  CHECK(pending.At("/outcome") == "null");
  CHECK(answer.headers.Get("Location") == "/deployments/" + pending.At("/id"));

  Document done = controller.Get("/deployments/" + pending.At("/id") + "?wait=60");
  CHECK(done.At("/outcome") == "HEALTHY");
  CHECK(done.At("/number") == "1");
  CHECK(done.At("/containers/0/state") == "running");
  CHECK(controller.Runs(done.At(kContainer)));

  Document services = controller.Get("/services");
  CHECK(services.At("/services/0/name") == "web");
  CHECK(services.At("/services/0/current") == pending.At("/id"));
  Document events = controller.Get("/deployments/" + pending.At("/id") + "/events");
  CHECK(events.At("/events/0/note") == "accepted");
  CHECK(events.Size("/events") > 5);
}

TEST_CASE("a command that does not exist fails with exec_failed and leaves nothing behind",
          "[controller][deploy]") {
  ControllerFixture controller;
  Document failed = controller.Deploy("web", R"({"command": ["/no/such/program"]})");
  CHECK(failed.At("/outcome") == "FAILED");
  CHECK(failed.At("/reason/code") == "exec_failed");
  CHECK(failed.At("/evidence/exit_code") == "127");
  CHECK(failed.At("/evidence/last_logs").find("/no/such/program") != std::string::npos);
  CHECK(controller.Get("/containers").Size("/containers") == 0);
  CHECK(PosixFileSystem().List(controller.data() + "/containers")->empty());
}

TEST_CASE("a process that exits at once fails the deploy with its exit code and last lines",
          "[controller][deploy]") {
  ControllerFixture controller;
  auto began = std::chrono::steady_clock::now();
  Document failed =
      controller.Deploy("web", ControllerFixture::Script("echo cannot start; exit 3"));
  CHECK(failed.At("/outcome") == "FAILED");
  CHECK(failed.At("/reason/code") == "container_exited");
  CHECK(failed.At("/evidence/exit_code") == "3");
  CHECK(failed.At("/evidence/last_logs/0") == "cannot start");
  CHECK(std::chrono::steady_clock::now() - began < 45s);
}

TEST_CASE("a process ended by a signal fails the deploy with that signal", "[controller][deploy]") {
  ControllerFixture controller;
  Document failed =
      controller.Deploy("web", ControllerFixture::Script("sleep 0.2; kill -9 $$", "10s"));
  CHECK(failed.At("/reason/code") == "container_exited");
  CHECK(failed.At("/evidence/signal") == "9");
}

TEST_CASE("a version whose probe never passes fails with health_timeout at its deadline",
          "[controller][deploy]") {
  ControllerFixture controller;
  Document failed = controller.Deploy("web", R"({
    "command": ["sleep", "600"], "port": 9, "stop": {"grace": "1s"},
    "readiness": {"kind": "tcp", "interval": "100ms", "min_healthy": "50ms", "deadline": "300ms"}})");
  CHECK(failed.At("/reason/code") == "health_timeout");
  CHECK(failed.At("/evidence/probe").find("refused") != std::string::npos);
}

TEST_CASE("a redeploy runs both versions until the new one is verified, then stops the old one",
          "[controller][deploy]") {
  ControllerFixture controller;
  Document first = controller.Deploy("web", ControllerFixture::Script(kForever));
  std::string old_container = first.At(kContainer);
  // The new version is not ready before the test has seen both at once.
  Port reserved(/*listening=*/false);
  Document pending(controller.Ask("PUT", "/deploys/web", NotReadyBefore(reserved, kForever)).body);
  std::string id = pending.At("/id");
  REQUIRE(controller.Eventually(
      [&] { return controller.Get("/deployments/" + id).At("/status") == "VERIFYING"; }));
  Document verifying = controller.Get("/deployments/" + id);
  CHECK(controller.Runs(old_container));
  CHECK(controller.Runs(verifying.At(kContainer)));
  Port ready(/*listening=*/true, verifying.At("/containers/0/address"), reserved.number());

  Document done = controller.AwaitSettled(id);
  CHECK(done.At("/outcome") == "HEALTHY");
  CHECK(controller.Runs(done.At(kContainer)));
  CHECK_FALSE(controller.Runs(old_container));
  CHECK(controller.Get("/deployments/" + first.At("/id")).At("/status") == "RETIRED");
  CHECK(controller.Get("/containers").Size("/containers") == 1);
}

TEST_CASE("a new version that fails leaves the old one untouched", "[controller][deploy]") {
  ControllerFixture controller;
  Document first = controller.Deploy("web", ControllerFixture::Script(kForever));
  controller.AwaitSettled(first.At("/id"));
  pid_t agent = controller.AgentOf(first.At(kContainer));
  Document second = controller.Deploy("web", ControllerFixture::Script("exit 1"));
  CHECK(second.At("/outcome") == "FAILED");
  CHECK(controller.AgentOf(first.At(kContainer)) == agent);
  Document current = controller.Get("/deployments/" + first.At("/id"));
  CHECK(current.At("/status") == "HEALTHY");
  CHECK(controller.Get("/services/web").At("/current") == first.At("/id"));
  CHECK(controller.Get("/services/web").At("/latest_status") == "FAILED");
}

TEST_CASE("an orderly stop lets the process finish within its grace period",
          "[controller][deploy]") {
  ControllerFixture controller;
  std::string mark = controller.data() + "/saved";
  std::string trapped = controller.data() + "/trapped";
  Document first = controller.Deploy(
      "web", ControllerFixture::Script("trap 'sleep 0.3; touch " + mark + "; exit 0' TERM; touch " +
                                       trapped + "; while :; do sleep 0.02; done"));
  REQUIRE(controller.Eventually([&] { return PosixFileSystem().Exists(trapped); }));
  auto answer = controller.Ask("POST", "/services/web/stop");
  CHECK(answer.status == 202);
  Document stopped = controller.AwaitSettled(first.At("/id"));
  CHECK(stopped.At("/status") == "STOPPED");
  CHECK(PosixFileSystem().Exists(mark));
  CHECK_FALSE(controller.Runs(first.At(kContainer)));
  CHECK(controller.Ask("POST", "/services/web/stop").status == 200);

  Document again = controller.Deploy("web", "");
  CHECK(again.At("/outcome") == "HEALTHY");
  CHECK(again.At("/spec_hash") == first.At("/spec_hash"));
}

TEST_CASE("a new controller adopts what runs and counts no restart", "[controller][deploy]") {
  ControllerFixture controller;
  Document first = controller.Deploy("web", ControllerFixture::Script(kForever));
  controller.AwaitSettled(first.At("/id"));
  pid_t agent = controller.AgentOf(first.At(kContainer));
  controller.Stop();
  CHECK(controller.AgentOf(first.At(kContainer)) == agent);
  controller.Start();
  Document adopted = controller.Get("/deployments/" + first.At("/id"));
  CHECK(adopted.At("/status") == "HEALTHY");
  CHECK(adopted.At("/containers/0/restarts") == "0");
  CHECK(controller.AgentOf(first.At(kContainer)) == agent);
  CHECK(controller.Get("/sd/prometheus").Size("") == 1);
}

TEST_CASE("a new controller goes on with a deploy that an earlier one began",
          "[controller][deploy]") {
  ControllerFixture controller;
  std::string starts = controller.data() + "/starts";
  Port reserved(/*listening=*/false);
  Document pending(controller
                       .Ask("PUT", "/deploys/web",
                            NotReadyBefore(reserved, "echo started >> " + starts + "; " + kForever))
                       .body);
  std::string id = pending.At("/id");
  std::string until = GENERATE(as<std::string>(), "PENDING", "STARTING", "VERIFYING");
  CAPTURE(until);
  REQUIRE(controller.Eventually([&] {
    std::string status = controller.Get("/deployments/" + id).At("/status");
    return status == until || status == "VERIFYING";
  }));
  controller.Stop();
  controller.Start();
  REQUIRE(controller.Eventually(
      [&] { return controller.Get("/deployments/" + id).At("/status") == "VERIFYING"; }));
  Port ready(/*listening=*/true, controller.Get("/deployments/" + id).At("/containers/0/address"),
             reserved.number());
  Document done = controller.Get("/deployments/" + id + "?wait=60");
  CHECK(done.At("/outcome") == "HEALTHY");
  CHECK(*ReadFile(PosixFileSystem(), starts) == "started\n");
  CHECK(done.Size("/containers") == 1);
}

TEST_CASE("a version whose process dies later becomes UNHEALTHY and stays on the target list",
          "[controller][deploy]") {
  ControllerFixture controller;
  std::string gate = controller.data() + "/gate";
  Document first = controller.Deploy(
      "web", ControllerFixture::Script("while [ ! -e " + gate + " ]; do sleep 0.02; done; exit 4"));
  CHECK(first.At("/outcome") == "HEALTHY");
  std::ofstream(gate) << "go";
  REQUIRE(controller.Eventually([&] {
    return controller.Get("/deployments/" + first.At("/id")).At("/status") == "UNHEALTHY";
  }));
  CHECK(controller.Get("/containers").At("/containers/0/state") == "exited");
  CHECK(controller.Get("/sd/prometheus").Size("") == 1);
}

TEST_CASE("an agent that stops answering makes its container unknown and nothing else",
          "[controller][deploy]") {
  ControllerFixture controller;
  Document first = controller.Deploy("web", ControllerFixture::Script(kForever));
  pid_t agent = controller.AgentOf(first.At(kContainer));
  REQUIRE(::kill(agent, SIGSTOP) == 0);
  auto state = [&] { return controller.Get("/containers").At("/containers/0/state"); };
  CHECK(controller.Eventually([&] { return state() == "unknown"; }));
  CHECK(controller.Get("/deployments/" + first.At("/id")).At("/status") == "HEALTHY");
  CHECK(controller.AgentOf(first.At(kContainer)) == agent);
  REQUIRE(::kill(agent, SIGCONT) == 0);
  CHECK(controller.Eventually([&] { return state() == "running"; }));
}

TEST_CASE("of many deploys at once one runs, one waits and the last wins", "[controller][deploy]") {
  ControllerFixture controller;
  constexpr int kClients = 12;
  std::vector<std::thread> clients;
  std::vector<int> statuses(kClients);
  std::string spec = ControllerFixture::Script(kForever, "200ms");
  for (int i = 0; i < kClients; ++i) {
    clients.emplace_back([&, i] {
      statuses[static_cast<std::size_t>(i)] = controller.Ask("PUT", "/deploys/web", spec).status;
    });
  }
  for (std::thread& client : clients) client.join();
  CHECK(std::set<int>(statuses.begin(), statuses.end()) == std::set<int>{202});
  Document history = controller.Get("/deploys/web?limit=100");
  REQUIRE(history.Size("/deployments") == kClients);
  controller.AwaitSettled(history.At("/deployments/0/id"));
  history = controller.Get("/deploys/web?limit=100");
  CHECK(history.At("/deployments/0/status") == "HEALTHY");
  for (int i = 1; i < kClients; ++i) {
    std::string status = history.At("/deployments/" + std::to_string(i) + "/status");
    CHECK((status == "RETIRED" || status == "SUPERSEDED"));
  }
  CHECK(controller.Get("/containers").Size("/containers") == 1);
}

TEST_CASE("containers that no deployment has are removed", "[controller][deploy]") {
  ControllerFixture controller;
  const std::string folder = controller.data() + "/containers/ctr_stray";
  REQUIRE(PosixFileSystem().CreateDirectories(folder));
  CHECK(controller.Eventually([&] { return !PosixFileSystem().Exists(folder); }));
}

}  // namespace dunlin::controller
