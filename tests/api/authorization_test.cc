#include "collector/api/authorization.h"

#include <string>

#include "protocol/base/base64.h"
#include "tests/support/catch.h"

namespace dunlin::api {
namespace {

http::Request Asking(std::string path, std::string_view authorization) {
  http::Request request;
  request.path = std::move(path);
  if (!authorization.empty()) request.headers.Set("Authorization", authorization);
  return request;
}

std::string Basic(std::string_view pair) {
  std::string value = "Basic ";
  AppendBase64(value, pair);
  return value;
}

bool Passes(const http::Request& request, std::string_view token) {
  return !Refusal(request, {token});
}

TEST_CASE("without a token everybody may ask", "[api][authorization]") {
  CHECK(Passes(Asking("/metrics", ""), ""));
  CHECK(Passes(Asking("/metrics", "Basic Og=="), ""));  // logcli sends empty credentials
}

TEST_CASE("a token is asked for", "[api][authorization]") {
  CHECK(Passes(Asking("/metrics", "Bearer secret"), "secret"));
  CHECK(Passes(Asking("/metrics", "bearer  secret "), "secret"));
  CHECK(Passes(Asking("/metrics", Basic("grafana:secret")), "secret"));
  auto wrong =
      GENERATE(as<std::string>{}, "", "secret", "Bearer", "Bearer ", "Bearer secre",
               "Digest secret", "Basic Og==", "Basic %", Basic("secret"), Basic("secret:x"));
  CAPTURE(wrong);
  auto refusal = Refusal(Asking("/metrics", wrong), {"secret"});
  REQUIRE(refusal);
  CHECK(refusal->status == 401);
  CHECK(refusal->headers.Get("WWW-Authenticate") == "Bearer");
}

TEST_CASE("health is open to whoever watches", "[api][authorization]") {
  for (const char* path : {"/healthz", "/readyz", "/ready"}) {
    CHECK_FALSE(Refusal(Asking(path, ""), {"secret", /*certificates=*/true}));
  }
}

/// 200, or what the refusal says.
int StatusFor(const std::string& role, std::string method, std::string path,
              std::string_view authorization = "") {
  http::Request request = Asking(std::move(path), authorization);
  request.method = std::move(method);
  if (!role.empty()) request.identity = PeerIdentity{"somebody", {role}, {}, {}};
  auto refusal = Refusal(request, {"secret", /*certificates=*/true});
  return refusal ? refusal->status : 200;
}

TEST_CASE("a certificate's role decides what its holder may do", "[api][authorization]") {
  CHECK(StatusFor("", "GET", "/loki/api/v1/labels") == 401);
  CHECK(StatusFor("", "GET", "/loki/api/v1/labels", "Bearer secret") == 200);
  CHECK(StatusFor("controller", "GET", "/loki/api/v1/labels") == 200);
  CHECK(StatusFor("controller", "POST", "/loki/api/v1/push") == 200);
  CHECK(StatusFor("metrics", "GET", "/metrics") == 200);
  CHECK(StatusFor("metrics", "GET", "/metrics/agents") == 200);
  CHECK(StatusFor("metrics", "GET", "/loki/api/v1/labels") == 403);
  CHECK(StatusFor("metrics", "POST", "/metrics") == 403);
  CHECK(StatusFor("metrics", "POST", "/loki/api/v1/push", "Bearer secret") == 200);
  CHECK(StatusFor("agent", "GET", "/metrics") == 403);
  CHECK(StatusFor("agent", "POST", "/loki/api/v1/push") == 403);
}

TEST_CASE("an empty token opens nothing where certificates are asked for", "[api][authorization]") {
  auto refusal = Refusal(Asking("/metrics", "Bearer "), {"", /*certificates=*/true});
  REQUIRE(refusal);
  CHECK(refusal->status == 401);
}

}  // namespace
}  // namespace dunlin::api
