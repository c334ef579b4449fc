// Who may ask what of the control listener.
#include "agent/access.h"

#include <optional>
#include <string>

#include "tests/support/catch.h"

namespace dunlin::agent {
namespace {

struct Caller {
  std::string token;
  std::optional<std::string> unit;  // of a certificate
};

const Caller kStranger{};
const Caller kController{"s3cret", {}};
const Caller kMetrics{"metr1cs", {}};
const Caller kControllerCertificate{"", "controller"};
const Caller kMetricsCertificate{"", "metrics"};
const Caller kOtherCertificate{"", "accounting"};

/// The status that a request is refused with, or 200.
int Ask(const Access& access, const Caller& caller, const std::string& method,
        const std::string& path) {
  http::Request request;
  request.method = method;
  request.path = path;
  if (!caller.token.empty()) request.headers.Add("Authorization", "Bearer " + caller.token);
  if (caller.unit) request.identity = PeerIdentity{"somebody", {*caller.unit}, {}};
  auto refusal = access.Refusal(request);
  return refusal ? refusal->status : 200;
}

TEST_CASE("health is told to everybody", "[agent][control]") {
  const Access access(
      {"s3cret", "metr1cs", /*certificates=*/true, /*only_this_machine_asks=*/false});
  CHECK(Ask(access, kStranger, "GET", "/healthz") == 200);
  CHECK(Ask(access, kStranger, "GET", "/readyz") == 200);
  CHECK(Ask(access, kOtherCertificate, "GET", "/readyz") == 200);
  CHECK(Ask(access, kStranger, "POST", "/healthz") == 401);
}

TEST_CASE("without tokens and certificates everything is open", "[agent][control]") {
  const Access access({"", "", false, GENERATE(true, false)});
  CHECK(Ask(access, kStranger, "GET", "/v1/logs/tail") == 200);
  CHECK(Ask(access, kStranger, "POST", "/v1/stop") == 200);
}

TEST_CASE("with a token, this machine may read, and the world may not", "[agent][control]") {
  const bool here = GENERATE(true, false);
  const Access access({"s3cret", "", false, here});
  const int read = here ? 200 : 401;
  CHECK(Ask(access, kStranger, "GET", "/metrics") == read);
  CHECK(Ask(access, kStranger, "GET", "/v1/logs/tail") == read);
  CHECK(Ask(access, kStranger, "POST", "/v1/stop") == 401);
  CHECK(Ask(access, {"guess", {}}, "POST", "/v1/stop") == 401);
  CHECK(Ask(access, kController, "POST", "/v1/stop") == 200);
  CHECK(Ask(access, kController, "GET", "/v1/logs/tail") == 200);
}

TEST_CASE("the metrics token reads metrics and status, and nothing else", "[agent][control]") {
  const Access access({"s3cret", "metr1cs", false, /*only_this_machine_asks=*/false});
  CHECK(Ask(access, kMetrics, "GET", "/metrics") == 200);
  CHECK(Ask(access, kMetrics, "GET", "/v1/status") == 200);
  CHECK(Ask(access, kMetrics, "GET", "/v1/logs/tail") == 403);
  CHECK(Ask(access, kMetrics, "POST", "/v1/stop") == 403);
  CHECK(Ask(access, kMetrics, "POST", "/metrics") == 403);
}

TEST_CASE("a metrics token alone leaves nobody who may change something", "[agent][control]") {
  const Access access({"", "metr1cs", false, /*only_this_machine_asks=*/true});
  CHECK(Ask(access, kStranger, "POST", "/v1/stop") == 401);
  CHECK(Ask(access, {"", {}}, "GET", "/v1/status") == 200);
}

TEST_CASE("a certificate's organizational unit is its role", "[agent][control]") {
  const Access access({"s3cret", "", /*certificates=*/true, GENERATE(true, false)});
  CHECK(Ask(access, kControllerCertificate, "POST", "/v1/stop") == 200);
  CHECK(Ask(access, kControllerCertificate, "GET", "/v1/logs/tail") == 200);
  CHECK(Ask(access, kMetricsCertificate, "GET", "/metrics") == 200);
  CHECK(Ask(access, kMetricsCertificate, "POST", "/v1/stop") == 403);
  CHECK(Ask(access, kMetricsCertificate, "GET", "/v1/logs/tail") == 403);
  CHECK(Ask(access, kOtherCertificate, "GET", "/metrics") == 403);
  CHECK(Ask(access, kStranger, "GET", "/metrics") == 401);
  // A token counts beside the certificate.
  CHECK(Ask(access, {"s3cret", "metrics"}, "POST", "/v1/stop") == 200);
  CHECK(Ask(access, {"guess", "accounting"}, "POST", "/v1/stop") == 401);
}

TEST_CASE("a web page cannot send commands through somebody's browser", "[agent][control]") {
  const Access access({"", "", false, true});
  http::Request request;
  request.method = "POST";
  request.path = "/v1/stop";
  request.headers.Add("Origin", "https://example.com");
  REQUIRE(access.Refusal(request));
  CHECK(access.Refusal(request)->status == 403);
}

}  // namespace
}  // namespace dunlin::agent
