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

TEST_CASE("without a token everybody may ask", "[api][authorization]") {
  CHECK(IsAuthorized(Asking("/metrics", ""), ""));
  CHECK(IsAuthorized(Asking("/metrics", "Basic Og=="), ""));  // logcli sends empty credentials
}

TEST_CASE("a token is asked for", "[api][authorization]") {
  CHECK(IsAuthorized(Asking("/metrics", "Bearer secret"), "secret"));
  CHECK(IsAuthorized(Asking("/metrics", "bearer  secret "), "secret"));
  CHECK(IsAuthorized(Asking("/metrics", Basic("grafana:secret")), "secret"));
  auto wrong =
      GENERATE(as<std::string>{}, "", "secret", "Bearer", "Bearer ", "Bearer secre",
               "Digest secret", "Basic Og==", "Basic %", Basic("secret"), Basic("secret:x"));
  CAPTURE(wrong);
  CHECK_FALSE(IsAuthorized(Asking("/metrics", wrong), "secret"));
}

TEST_CASE("health is open to whoever watches", "[api][authorization]") {
  for (const char* path : {"/healthz", "/readyz", "/ready"}) {
    CHECK(IsAuthorized(Asking(path, ""), "secret"));
  }
  CHECK(Unauthorized().status == 401);
  CHECK(Unauthorized().headers.Get("WWW-Authenticate") == "Bearer");
}

}  // namespace
}  // namespace dunlin::api
