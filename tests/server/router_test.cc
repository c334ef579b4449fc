#include "protocol/server/router.h"

#include <optional>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "tests/support/catch.h"
#include "tests/support/loop_runner.h"

namespace dunlin::server {
namespace {

using testing::RunUntil;

http::Request RequestFor(std::string method, std::string target) {
  http::Request request;
  request.method = std::move(method);
  request.path = http::DecodePercent(target.substr(0, target.find('?')), false);
  request.target = std::move(target);
  return request;
}

Cancelled NotCancelled() { return std::make_shared<std::atomic<bool>>(false); }

/// Routes a request whose handler answers at once.
http::Response Ask(const Router& router, const std::string& method, const std::string& target) {
  std::optional<http::Response> answer;
  router.Route(
      RequestFor(method, target), [&](http::Response response) { answer = std::move(response); },
      NotCancelled());
  REQUIRE(answer);
  return *answer;
}

Handle Says(const std::string& what) {
  return [what](const http::Request& request, const Cancelled&) {
    std::string body = what;
    for (const auto& [name, value] : request.path_values) body += " " + name + "=" + value;
    return http::Response::Text(200, body);
  };
}

Router SampleRouter() {
  Router router;
  router.OnLoop("GET", "/ready", Says("ready"));
  router.OnLoop("GET", "/label/{name}/values", Says("values"));
  router.OnLoop("PUT", "/deploys/{service}", Says("put"));
  router.OnLoop("GET", "/deploys/{service}", Says("get"));
  router.OnLoop("POST", "/only/post", Says("post"));
  router.OnLoop("GET", "/", Says("root"));
  return router;
}

TEST_CASE("requests are routed by method and path", "[server][router]") {
  Router router = SampleRouter();
  auto [method, target, status, body] = GENERATE(table<std::string, std::string, int, std::string>({
      {"GET", "/ready", 200, "ready"},
      {"GET", "/ready?x=/y", 200, "ready"},
      {"HEAD", "/ready", 200, "ready"},
      {"GET", "/", 200, "root"},
      {"GET", "/label/host/values", 200, "values name=host"},
      {"GET", "/label/a%2Fb%20c/values", 200, "values name=a/b c"},
      {"PUT", "/deploys/web", 200, "put service=web"},
      {"GET", "/deploys/web", 200, "get service=web"},
  }));
  CAPTURE(method, target);
  auto response = Ask(router, method, target);
  CHECK(response.status == status);
  CHECK(response.body == body);
}

TEST_CASE("unknown paths are 404", "[server][router]") {
  Router router = SampleRouter();
  std::string target = GENERATE(as<std::string>(), "/nothing", "/ready/", "/Ready", "//ready",
                                "/label//values", "/label/x", "/deploys", "/deploys/a/b");
  CAPTURE(target);
  auto response = Ask(router, "GET", target);
  CHECK(response.status == 404);
  CHECK(response.body.find(target) != std::string::npos);
}

TEST_CASE("another method is 405 and says which are allowed", "[server][router]") {
  Router router = SampleRouter();
  auto [method, target, allowed] = GENERATE(table<std::string, std::string, std::string>({
      {"POST", "/ready", "GET, HEAD"},
      {"DELETE", "/deploys/web", "PUT, GET, HEAD"},
      {"HEAD", "/only/post", "POST"},
      {"get", "/ready", "GET, HEAD"},
  }));
  CAPTURE(method, target);
  auto response = Ask(router, method, target);
  CHECK(response.status == 405);
  CHECK(response.headers.Get("Allow") == allowed);
}

TEST_CASE("the first route that fits is taken, HEAD before GET", "[server][router]") {
  Router router;
  router.OnLoop("GET", "/a/b", Says("literal"));
  router.OnLoop("GET", "/a/{x}", Says("placeholder"));
  router.OnLoop("HEAD", "/a/b", Says("head"));
  CHECK(Ask(router, "GET", "/a/b").body == "literal");
  CHECK(Ask(router, "GET", "/a/c").body == "placeholder x=c");
  CHECK(Ask(router, "HEAD", "/a/b").body == "head");
}

TEST_CASE("answers are reported with their pattern", "[server][router]") {
  Router router = SampleRouter();
  struct Seen {
    std::string pattern;
    std::string method;
    std::string target;
    int status;
    bool timed;
  };
  std::vector<Seen> seen;
  router.on_answer = [&](std::string_view pattern, const http::Request& request, int status,
                         double seconds) {
    seen.push_back({std::string(pattern), request.method, request.target, status,
                    seconds >= 0 && seconds < 60});
  };
  Ask(router, "GET", "/deploys/web?a=1");
  Ask(router, "POST", "/ready");
  Ask(router, "GET", "/nothing");
  REQUIRE(seen.size() == 3);
  CHECK(seen[0].pattern == "/deploys/{service}");
  CHECK(seen[0].method == "GET");
  CHECK(seen[0].target == "/deploys/web?a=1");
  CHECK(seen[0].status == 200);
  CHECK(seen[0].timed);
  CHECK(seen[1].pattern == "/ready");
  CHECK(seen[1].status == 405);
  CHECK(seen[2].pattern.empty());
  CHECK(seen[2].status == 404);
}

TEST_CASE("work runs on a worker and is answered on the loop", "[server][router]") {
  net::Loop loop;
  net::WorkerPool pool(loop, 1);
  Router router;
  auto home = std::this_thread::get_id();
  std::thread::id worked;
  router.OnWorker(
      "GET", "/work/{id}",
      [&](const http::Request& request, const Cancelled&) {
        worked = std::this_thread::get_id();
        return http::Response::Text(200, "did " + std::string(request.path_values.Get("id")));
      },
      pool);
  std::optional<http::Response> answer;
  std::thread::id answered;
  router.Route(
      RequestFor("GET", "/work/7"),
      [&](http::Response response) {
        answered = std::this_thread::get_id();
        answer = std::move(response);
      },
      NotCancelled());
  RunUntil(loop, [&] { return answer.has_value(); });
  CHECK(answer->body == "did 7");
  CHECK(answered == home);
  CHECK(worked != home);
}

TEST_CASE("work whose client has gone is not done", "[server][router]") {
  net::Loop loop;
  net::WorkerPool pool(loop, 1);
  Router router;
  bool worked = false;
  router.OnWorker(
      "GET", "/work",
      [&](const http::Request&, const Cancelled&) {
        worked = true;
        return http::Response::Text(200, "");
      },
      pool);
  bool answered = false;
  router.Route(
      RequestFor("GET", "/work"), [&](const http::Response&) { answered = true; },
      std::make_shared<std::atomic<bool>>(true));
  RunUntil(loop, [&] { return answered; });
  CHECK_FALSE(worked);
}

TEST_CASE("an asynchronous handler answers when it likes", "[server][router]") {
  Router router;
  Responder later;
  router.Async("GET", "/wait", [&](const http::Request&, Responder respond, const Cancelled&) {
    later = std::move(respond);
  });
  std::optional<http::Response> answer;
  router.Route(
      RequestFor("GET", "/wait"), [&](http::Response response) { answer = std::move(response); },
      NotCancelled());
  CHECK_FALSE(answer);
  later(http::Response::Text(202, "now"));
  CHECK(answer->status == 202);
}

}  // namespace
}  // namespace dunlin::server
