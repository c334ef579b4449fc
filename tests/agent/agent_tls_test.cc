// TLS and roles at the real agent's control listener.
#include <string>
#include <string_view>

#include "protocol/net/tls_context.h"
#include "tests/agent/agent_run.h"
#include "tests/support/catch.h"
#include "tests/support/tcp_client.h"
#include "tests/support/test_authority.h"
#include "tests/support/tls_folder.h"

namespace dunlin {
namespace {

using testing::AgentRun;
using testing::TestAuthority;
using testing::TlsFolder;

bool Has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

/// An agent with a certificate, a collector and clients with theirs.
struct TlsRun {
  TlsRun() {
    folder.WriteAuthority(authority);
    Renew({"127.0.0.1"});
    collector_folder.WriteAuthority(authority);
    WriteCollector("20991231235959");
    auto made = net::TlsContext::ForServer(collector_folder.files(),
                                           net::ClientCertificates::kRequired, "agent");
    REQUIRE(made);
    collector_tls = std::move(*made);
    run.collector.tls = collector_tls.get();
    run.collector.CloseListener();
    run.collector.OpenListener();
    run.flags.insert(run.flags.end(),
                     {"--tls-ca", folder.Path("ca.pem"), "--tls-cert", folder.Path("cert.pem"),
                      "--tls-key", folder.Path("key.pem")});
  }

  /// From now on requests come from somebody with such a certificate; with none for an empty unit.
  void Become(const std::string& unit) {
    client_folder.WriteAuthority(authority);
    client_folder.WriteCertificate(authority.Issue({.organizational_units = {unit}}));
    net::TlsFiles files = client_folder.files();
    if (unit.empty()) files.certificate = files.key = "";
    auto made = net::TlsContext::ForClient(files);
    REQUIRE(made);
    tls = std::move(*made);
    run.tls = tls.get();
  }

  /// A certificate of the agent, for the addresses of its listener.
  void Renew(std::vector<std::string> addresses) {
    folder.WriteCertificate(
        authority.Issue({.organizational_units = {"agent"}, .ip_addresses = std::move(addresses)}));
  }
  void WriteCollector(const std::string& not_after, const std::string& address = "127.0.0.1") {
    collector_folder.WriteCertificate(authority.Issue({.organizational_units = {"collector"},
                                                       .ip_addresses = {address},
                                                       .not_after = not_after}));
  }

  TestAuthority authority;
  TlsFolder folder;
  TlsFolder client_folder;
  TlsFolder collector_folder;
  std::unique_ptr<net::TlsContext> tls;
  std::unique_ptr<net::TlsContext> collector_tls;
  AgentRun run;
};

TEST_CASE("with TLS, a certificate decides what its holder may do", "[agent][control]") {
  TlsRun t;
  t.run.StartWorkload({"wait"});

  t.Become("");
  CHECK(Has(t.run.Get("/healthz"), "HTTP/1.1 200"));
  CHECK(Has(t.run.Get("/readyz"), "HTTP/1.1 200"));
  CHECK(Has(t.run.Get("/v1/status"), "HTTP/1.1 401"));
  CHECK(Has(t.run.Http("POST /v1/stop"), "HTTP/1.1 401"));

  t.Become("accounting");
  CHECK(Has(t.run.Get("/metrics"), "HTTP/1.1 403"));

  t.Become("metrics");
  CHECK(Has(t.run.Get("/metrics"), "HTTP/1.1 200"));
  CHECK(Has(t.run.Get("/v1/status"), "HTTP/1.1 200"));
  CHECK(Has(t.run.Get("/v1/logs/tail"), "HTTP/1.1 403"));
  CHECK(Has(t.run.Http("POST /v1/stop"), "HTTP/1.1 403"));

  t.Become("controller");
  CHECK(Has(t.run.Get("/v1/logs/tail"), "HTTP/1.1 200"));
  CHECK(Has(t.run.Http("POST /v1/stop"), "HTTP/1.1 202"));
  CHECK(t.run.Wait() == 143);
}

TEST_CASE("with TLS, plain HTTP and certificates of others get no answer", "[agent][control]") {
  TlsRun t;
  t.run.StartWorkload({"wait"});
  CHECK_FALSE(Has(t.run.Get("/healthz"), "HTTP/1.1"));

  TestAuthority other("Another CA");
  t.client_folder.WriteAuthority(t.authority);
  t.client_folder.WriteCertificate(other.Issue({.organizational_units = {"controller"}}));
  auto made = net::TlsContext::ForClient(t.client_folder.files());
  REQUIRE(made);
  t.run.tls = made->get();
  CHECK_FALSE(Has(t.run.Http("POST /v1/stop"), "HTTP/1.1"));
  t.Become("metrics");
  CHECK(Has(t.run.Get("/v1/status"), R"("state":"running")"));
  const std::string metrics = t.run.Get("/metrics");
  CHECK(AgentRun::Metric(
            metrics, R"(dunlin_agent_tls_failures_total{connection="control",kind="not_tls"})") ==
        1);
  CHECK(AgentRun::Metric(
            metrics, R"(dunlin_agent_tls_failures_total{connection="control",kind="untrusted"})") ==
        1);
  for (const char* connection : {"control", "collector"}) {
    for (const char* file : {"ca", "certificate"}) {
      const std::string name =
          std::string("dunlin_agent_tls_certificate_expiry_timestamp_seconds{connection=\"") +
          connection + "\",file=\"" + file + "\"}";
      CAPTURE(name);
      CHECK(AgentRun::Metric(metrics, name) == 4'102'444'799);  // 2099-12-31T23:59:59Z
    }
  }
}

TEST_CASE("a renewed certificate of the agent is in use without a restart", "[agent][control]") {
  TlsRun t;
  t.run.StartWorkload({"wait"});
  t.Become("metrics");
  CHECK(Has(t.run.Get("/v1/status"), "HTTP/1.1 200"));
  t.Renew({"127.0.0.9"});
  CHECK(Has(t.run.Get("/v1/status"), "is not for 127.0.0.1"));
  t.Renew({"127.0.0.1"});
  CHECK(Has(t.run.Get("/v1/status"), "HTTP/1.1 200"));
}

TEST_CASE("an agent sends nothing to a collector it cannot trust, until that has been put right",
          "[agent][control][tls]") {
  TlsRun t;
  std::string why;
  SECTION("expired") {
    t.WriteCollector("20210101000000");
    why = "has expired";
  }
  SECTION("for another address") {
    t.WriteCollector("20991231235959", "127.0.0.2");
    why = "is not for 127.0.0.1";
  }
  SECTION("of another CA") {
    t.folder.Write("ca.pem", TestAuthority("Another CA").certificate());
    why = "is not signed by our CA";
  }
  t.run.StartWorkload({"lines", "5"});
  t.run.RunUntil([&] { return Has(t.run.err, why); });
  CHECK(Has(t.run.err, "kind=tls"));
  CHECK(t.run.collector.received_bytes == 0);
  t.folder.WriteAuthority(t.authority);
  t.WriteCollector("20991231235959");
  t.run.RunUntil([&] { return t.run.collector.entries.size() == 5; });
  CHECK_FALSE(t.run.collector.failed());
}

TEST_CASE("silent clients of a TLS listener keep nobody out", "[agent][control]") {
  TlsRun t;
  t.run.StartWorkload({"wait"});
  t.Become("controller");
  std::vector<std::unique_ptr<testing::TcpClient>> clients;
  CHECK(Has(t.run.Get("/healthz"), "HTTP/1.1 200"));
  const double before = AgentRun::Metric(t.run.Get("/metrics"), "process_resident_memory_bytes");
  for (int i = 0; i < 80; ++i) {
    clients.push_back(std::make_unique<testing::TcpClient>(t.run.loop, t.run.ControlAddress()));
    // Half a record of a handshake from every other one.
    if (i % 2 == 0) clients.back()->Send(std::string("\x16\x03\x01\x01\x00\x01", 6));
  }
  CHECK(Has(t.run.Get("/healthz"), "HTTP/1.1 200"));
  const double after = AgentRun::Metric(t.run.Get("/metrics"), "process_resident_memory_bytes");
  INFO("resident memory grew from " << before << " to " << after << " bytes");
  if (testing::kMemoryIsReal) CHECK(after - before < 3'000'000);
  CHECK(Has(t.run.Http("POST /v1/stop"), "HTTP/1.1 202"));
  CHECK(t.run.Wait() == 143);
}

TEST_CASE("TLS files that cannot be used are a usage error that names the flags",
          "[agent][control]") {
  TlsRun t;
  t.folder.Write("key.pem", "no key");
  t.run.StartWorkload({"exit", "0"});
  CHECK(t.run.Wait() == 2);
  CHECK(Has(t.run.err, "--tls-key"));
  CHECK(Has(t.run.err, t.folder.Path("key.pem")));
}

}  // namespace
}  // namespace dunlin
