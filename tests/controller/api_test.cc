#include <signal.h>
#include <sys/resource.h>

#include "controller/api/gate.h"
#include "protocol/base/file_system.h"
#include "protocol/base/text.h"
#include "tests/controller/controller_fixture.h"
#include "tests/support/catch.h"

namespace dunlin::controller {
namespace {

const std::string kSleeper =
    R"({"command": ["sleep", "600"], "readiness": {"min_healthy": "50ms"}})";

/// No file of this process may grow while one of these lives: a full disk.
class FullDisk {
 public:
  FullDisk() {
    ::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &before_);
    rlimit limit{1, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FullDisk() { ::setrlimit(RLIMIT_FSIZE, &before_); }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;

 private:
  rlimit before_{};
};

}  // namespace

TEST_CASE("API refuses bad requests with a problem that names the cause", "[controller][api]") {
  ControllerFixture controller;
  struct Case {
    std::string method, target, body;
    int status;
    std::string code;
  };
  std::vector<Case> cases = {
      {"PUT", "/deploys/nobody", "", 404, "service_not_found"},
      {"PUT", "/deploys/web", "{", 400, "malformed_json"},
      {"PUT", "/deploys/web", R"({"comand": ["a"]})", 422, "invalid_spec"},
      {"PUT", "/deploys/Web", kSleeper, 422, "invalid_spec"},
      {"PUT", "/deploys/web?project=No", kSleeper, 400, "invalid_parameter"},
      {"PUT", "/deploys/web?wait=soon", kSleeper, 400, "invalid_parameter"},
      {"GET", "/deploys/nobody", "", 404, "service_not_found"},
      {"GET", "/deploys/nobody?limit=0", "", 400, "invalid_parameter"},
      {"GET", "/deployments/dpl_none", "", 404, "deployment_not_found"},
      {"GET", "/deployments/dpl_none/events", "", 404, "deployment_not_found"},
      {"GET", "/services/nobody", "", 404, "service_not_found"},
      {"GET", "/containers/ctr_none", "", 404, "container_not_found"},
      {"POST", "/services/nobody/stop", "", 404, "service_not_found"},
      {"GET", "/nothing", "", 404, "not_found"},
      {"DELETE", "/deploys/web", "", 405, "method_not_allowed"},
      {"GET", "/search/logs", "", 502, "collector_unavailable"},
  };
  for (const Case& wrong : cases) {
    CAPTURE(wrong.method, wrong.target, wrong.body);
    auto answer = controller.Ask(wrong.method, wrong.target, wrong.body);
    CHECK(answer.status == wrong.status);
    CHECK(answer.headers.Get("Content-Type") == "application/problem+json");
    Document problem(answer.body);
    CHECK(problem.At("/code") == wrong.code);
    CHECK(problem.At("/detail") != "null");
    CHECK(problem.At("/request_id") == answer.headers.Get("X-Request-Id"));
  }
  CHECK(controller.Get("/services").Size("/services") == 0);
}

TEST_CASE("API names every wrong field of a spec", "[controller][api]") {
  ControllerFixture controller;
  auto answer = controller.Ask("PUT", "/deploys/web", R"({"command": ["a"], "port": 0, "x": 1})");
  CHECK(answer.status == 422);
  Document problem(answer.body);
  CHECK(problem.Size("/errors") == 2);
  CHECK(problem.At("/errors/0/field") == "port");
  CHECK(problem.At("/errors/1/field") == "x");
  CHECK(problem.At("/errors/1/code") == "unknown_field");
}

TEST_CASE("API refuses bodies that are too large or of another type", "[controller][api]") {
  ControllerFixture controller;
  std::string large = R"({"message": ")" + std::string(2 << 20, 'x') + "\"}";
  CHECK(controller.Ask("PUT", "/deploys/web", large).status == 413);
  auto form = controller.Ask("PUT", "/deploys/web", kSleeper,
                             {{"Content-Type", "application/x-www-form-urlencoded"}});
  CHECK(form.status == 415);
}

TEST_CASE("API gives back the request id it was given", "[controller][api]") {
  ControllerFixture controller;
  auto given = controller.Ask("GET", "/healthz", "", {{"X-Request-Id", "mine-1"}});
  CHECK(given.headers.Get("X-Request-Id") == "mine-1");
  auto made = controller.Ask("GET", "/healthz");
  CHECK(made.headers.Get("X-Request-Id").substr(0, 4) == "req_");
}

TEST_CASE("API answers a repeated request with the deployment it made", "[controller][api]") {
  ControllerFixture controller;
  std::vector<std::pair<std::string, std::string>> key = {{"Idempotency-Key", "abc"}};
  auto first = controller.Ask("PUT", "/deploys/web", kSleeper, key);
  CHECK(first.status == 202);
  auto again = controller.Ask("PUT", "/deploys/web", kSleeper, key);
  CHECK(again.headers.Get("Idempotency-Replayed") == "true");
  CHECK(Document(again.body).At("/id") == Document(first.body).At("/id"));
  auto other = controller.Ask("PUT", "/deploys/api", kSleeper, key);
  CHECK(other.status == 422);
  CHECK(Document(other.body).At("/code") == "idempotency_key_reused");
  CHECK(controller.Get("/deploys/web").Size("/deployments") == 1);
}

TEST_CASE("API rejects a deploy in mode reject while one is under way", "[controller][api]") {
  ControllerFixture controller;
  auto first =
      controller.Ask("PUT", "/deploys/web",
                     R"({"command": ["sleep", "600"], "readiness": {"min_healthy": "30s"}})");
  auto second = controller.Ask("PUT", "/deploys/web", R"({"mode": "reject"})");
  CHECK(second.status == 409);
  Document problem(second.body);
  CHECK(problem.At("/code") == "deploy_in_progress");
  CHECK(problem.At("/detail").find(Document(first.body).At("/id")) != std::string::npos);
  CHECK(controller.Ask("POST", "/services/web/stop").status == 409);
}

TEST_CASE("API answers a wait that ends before the outcome with the deployment as it is",
          "[controller][api]") {
  ControllerFixture controller;
  auto answer =
      controller.Ask("PUT", "/deploys/web?wait=100ms",
                     R"({"command": ["sleep", "600"], "readiness": {"min_healthy": "30s"}})");
  CHECK(answer.status == 202);
  CHECK(Document(answer.body).At("/outcome") == "null");
}

TEST_CASE("API pages the history by cursor", "[controller][api]") {
  ControllerFixture controller;
  for (int i = 0; i < 3; ++i) controller.Ask("PUT", "/deploys/web", kSleeper);
  Document page = controller.Get("/deploys/web?limit=2");
  CHECK(page.Size("/deployments") == 2);
  CHECK(page.At("/deployments/0/number") == "3");
  Document rest = controller.Get("/deploys/web?limit=2&cursor=" + page.At("/next"));
  CHECK(rest.Size("/deployments") == 1);
  CHECK(rest.At("/deployments/0/number") == "1");
  CHECK(rest.At("/next") == "null");
}

TEST_CASE("API shows variables by name only where deployments are listed", "[controller][api]") {
  ControllerFixture controller;
  auto answer = controller.Ask("PUT", "/deploys/web",
                               R"({"command": ["sleep", "600"], "env": {"PASSWORD": "hunter2"}})");
  CHECK(Document(answer.body).At("/env_keys/0") == "PASSWORD");
  CHECK(answer.body.find("hunter2") == std::string::npos);
  CHECK(controller.Get("/deploys/web").text().find("hunter2") == std::string::npos);
  CHECK(controller.Get("/services").text().find("hunter2") == std::string::npos);
}

TEST_CASE("API lists agents for Prometheus, also when there are none", "[controller][api]") {
  ControllerFixture controller;
  auto none = controller.Ask("GET", "/sd/prometheus");
  CHECK(none.status == 200);
  CHECK(none.headers.Get("Content-Type") == "application/json");
  CHECK(none.body == "[]");
  Document deployment = controller.Deploy("web", kSleeper);
  Document targets = controller.Get("/sd/prometheus");
  CHECK(targets.Size("") == 1);
  CHECK(targets.At("/0/targets/0") == deployment.At("/containers/0/address") + ":18888");
  CHECK(targets.At("/0/labels/job") == "dunlin-agent");
  CHECK(targets.At("/0/labels/project") == "default");
  CHECK(targets.At("/0/labels/service") == "web");
  CHECK(targets.At("/0/labels/deployment") == deployment.At("/id"));
  CHECK(targets.At("/0/labels/container") == deployment.At("/containers/0/id"));
}

TEST_CASE("API exports metrics of deploys, requests and the process", "[controller][api]") {
  ControllerFixture controller;
  controller.Deploy("web", R"({"command": ["false"]})");
  std::string page = controller.Ask("GET", "/metrics").body;
  auto has = [&](const std::string& text) { return page.find(text) != std::string::npos; };
  CHECK(has("dunlin_controller_deploys_total{outcome=\"FAILED\",reason=\"container_exited\"} 1"));
  CHECK(has("dunlin_controller_containers{state=\"running\"} 0"));
  CHECK(
      has("dunlin_http_requests_total{code=\"200\",method=\"PUT\",route=\"/deploys/{service}\"}"));
  CHECK(has("process_start_time_seconds"));
}

TEST_CASE("every metric of the controller is documented", "[controller][api]") {
  ControllerFixture controller;
  controller.Deploy("web", kSleeper);
  auto documented = ReadFile(PosixFileSystem(), DUNLIN_CONTROLLER_DOCUMENT);
  REQUIRE(documented);
  // The rollout is counted when it has ended, a little after the deployment is settled.
  std::string page;
  REQUIRE(controller.Eventually([&] {
    page = controller.Ask("GET", "/metrics").body;
    return page.find("dunlin_controller_deploys_total{") != std::string::npos;
  }));
  std::size_t found = 0;
  for (std::string_view line : Split(page, '\n')) {
    constexpr std::string_view kType = "# TYPE dunlin_controller_";
    if (!line.starts_with(kType)) continue;
    std::string name(Split(line, ' ')[2]);
    CAPTURE(name);
    CHECK(documented->find("`" + name) != std::string::npos);
    ++found;
  }
  CHECK(found == 5);
}

TEST_CASE("API answers 503 while nothing can be stored, and recovers by itself",
          "[controller][api]") {
  ControllerFixture controller;
  controller.Ask("PUT", "/deploys/web", kSleeper);
  {
    FullDisk full;
    auto refused = controller.Ask("PUT", "/deploys/api", kSleeper);
    CHECK(refused.status == 503);
    CHECK(Document(refused.body).At("/code") == "storage_unavailable");
    CHECK(refused.headers.Has("Retry-After"));
    CHECK(controller.Ask("GET", "/readyz").status == 503);
    CHECK(controller.Ask("GET", "/deploys/web").status == 200);
  }
  CHECK(controller.Ask("GET", "/readyz").status == 200);
  CHECK(controller.Ask("PUT", "/deploys/api", kSleeper).status == 202);
  CHECK(controller.Get("/deploys/api").Size("/deployments") == 1);
}

TEST_CASE("API lets nobody in without the token, health checks aside", "[controller][api]") {
  ControllerFixture controller([](ControllerOptions& options) { options.token = "s3cret"; });
  auto none = controller.Ask("GET", "/services");
  CHECK(none.status == 401);
  CHECK(none.headers.Get("WWW-Authenticate") == "Bearer");
  CHECK(controller.Ask("GET", "/services", "", {{"Authorization", "Bearer s3cre"}}).status == 401);
  CHECK(controller.Ask("GET", "/services", "", {{"Authorization", "Bearer s3cret"}}).status == 200);
  CHECK(controller.Ask("GET", "/healthz").status == 200);
}

TEST_CASE("API sends log searches on to the collector", "[controller][api]") {
  ControllerFixture controller(
      [](ControllerOptions& options) { options.collector_url = "http://127.0.0.1:3100"; });
  auto answer = controller.Ask("GET", "/search/logs?text=a%20b");
  CHECK(answer.status == 307);
  CHECK(answer.headers.Get("Location") == "http://127.0.0.1:3100/search/logs?text=a%20b");
}

TEST_CASE("controller refuses what it cannot use and says why", "[controller][api]") {
  ControllerFixture controller;
  net::Loop loop;
  ControllerOptions options = controller.options();
  SECTION("a folder that another controller has") {
    auto second = Controller::Start(loop, options, SystemClock());
    REQUIRE_FALSE(second);
    CHECK(second.error().code() == ErrorCode::kAlreadyExists);
    CHECK(second.error().message().find(options.data) != std::string::npos);
  }
  SECTION("an agent that is not there") {
    options.agent = "/nowhere/dunlin-agent";
    auto second = Controller::Start(loop, options, SystemClock());
    REQUIRE_FALSE(second);
    CHECK(second.error().message().find("/nowhere/dunlin-agent") != std::string::npos);
    CHECK(second.error().message().find("--agent") != std::string::npos);
  }
}

TEST_CASE("tokens are compared whole", "[controller][api]") {
  CHECK(EqualsInConstantTime("abc", "abc"));
  CHECK_FALSE(EqualsInConstantTime("abc", "abd"));
  CHECK_FALSE(EqualsInConstantTime("abcabc", "abc"));
  CHECK_FALSE(EqualsInConstantTime("", "abc"));
  CHECK_FALSE(EqualsInConstantTime("abc", ""));
}

}  // namespace dunlin::controller
