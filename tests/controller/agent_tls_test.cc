// A controller and its agents over TLS.
#include <string>

#include "controller/http_client.h"
#include "controller/watch/agent_client.h"
#include "protocol/base/text.h"
#include "tests/controller/controller_fixture.h"
#include "tests/support/catch.h"
#include "tests/support/test_authority.h"
#include "tests/support/tls_folder.h"

namespace dunlin::controller {
namespace {

using namespace std::chrono_literals;
using testing::TestAuthority;
using testing::TlsFolder;

/// Certificates as `dunlin cert` issues them.
struct Certificates {
  Certificates() {
    controller.WriteAuthority(authority);
    controller.WriteCertificate(authority.Issue({.organizational_units = {"controller"}}));
    agent.WriteAuthority(authority);
    agent.WriteCertificate(authority.Issue(
        {.organizational_units = {"agent"}, .dns_names = {"localhost"}, .uris = {"dunlin:*/*"}}));
    stranger.WriteAuthority(authority);
    stranger.WriteCertificate(authority.Issue({.organizational_units = {"metrics"}}));
  }

  static ClientTls Of(const TlsFolder& folder) {
    return {folder.Path("ca.pem"), folder.Path("cert.pem"), folder.Path("key.pem")};
  }
  void Use(ControllerOptions& options) const {
    options.tls = Of(controller);
    options.agent_tls_cert = agent.Path("cert.pem");
    options.agent_tls_key = agent.Path("key.pem");
  }

  TestAuthority authority;
  TlsFolder controller;
  TlsFolder agent;
  TlsFolder stranger;
};

const std::string kForever = "while :; do sleep 1; done";

TEST_CASE("a controller with TLS deploys, watches and stops agents that obey nobody else",
          "[controller][tls]") {
  Certificates certificates;
  ControllerFixture controller([&](ControllerOptions& options) { certificates.Use(options); });
  Document done = controller.Deploy("web", ControllerFixture::Script(kForever));
  REQUIRE(done.At("/outcome") == "HEALTHY");
  const std::string container = done.At("/containers/0/id");
  const std::string address = done.At("/containers/0/address");
  const std::uint16_t port = ControllerOptions().agent_port;

  auto status = AgentClient(port, 20s, Certificates::Of(certificates.controller)).Status(address);
  REQUIRE(status);
  CHECK(status->container == container);
  CHECK_FALSE(AgentClient(port, 20s).Status(address));
  const AgentClient stranger(port, 20s, Certificates::Of(certificates.stranger));
  CHECK(stranger.Status(address));
  CHECK_FALSE(stranger.Stop(address, 1s));
  CHECK(controller.Runs(container));

  auto targets = controller.Get("/sd/prometheus");
  CHECK(targets.At("/0/labels/__scheme__") == "https");

  Document next = controller.Deploy("web", ControllerFixture::Script(kForever));
  CHECK(next.At("/outcome") == "HEALTHY");
  controller.AwaitSettled(next.At("/id"));
  CHECK_FALSE(controller.Runs(container));
}

TEST_CASE("an agent that cannot prove to be one of ours is not believed", "[controller][tls]") {
  Certificates certificates;
  ControllerFixture controller([&](ControllerOptions& options) { certificates.Use(options); });
  Document done = controller.Deploy("web", ControllerFixture::Script(kForever));
  REQUIRE(done.At("/outcome") == "HEALTHY");
  const std::string address = done.At("/containers/0/address");
  const std::uint16_t port = ControllerOptions().agent_port;

  const AgentClient ours(port, 20s, Certificates::Of(certificates.controller));
  REQUIRE(ours.Status(address));
  TestAuthority other("Another CA");
  TlsFolder deceived;
  deceived.WriteAuthority(other);
  deceived.WriteCertificate(certificates.authority.Issue({.organizational_units = {"controller"}}));
  auto status = AgentClient(port, 20s, Certificates::Of(deceived)).Status(address);
  REQUIRE_FALSE(status);
  CHECK(status.error().code() == ErrorCode::kUnavailable);
  CHECK(status.error().message().find(address) != std::string::npos);

  // Ours, and for another name.
  certificates.agent.WriteCertificate(certificates.authority.Issue(
      {.organizational_units = {"agent"}, .dns_names = {"somewhere.else"}}));
  CHECK_FALSE(ours.Status(address));
}

}  // namespace
}  // namespace dunlin::controller
