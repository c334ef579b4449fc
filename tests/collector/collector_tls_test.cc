// TLS at both ports of a collector: who is let in, as whom, and what changed files do.
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "protocol/base/text.h"
#include "protocol/net/connection.h"
#include "protocol/net/tls_context.h"
#include "tests/collector/collector_fixture.h"
#include "tests/ingest/agent_frames.h"
#include "tests/support/catch.h"
#include "tests/support/loop_runner.h"
#include "tests/support/test_authority.h"
#include "tests/support/tls_folder.h"

namespace dunlin::collector {
namespace {

using Catch::Matchers::Contains;
using testing::CertificateRequest;
using testing::RunUntil;
using testing::TestAuthority;
using testing::TlsFolder;

/// Somebody who connects to a port with a certificate, or with none.
class Client {
 public:
  Client(const TestAuthority& trusted, const std::optional<testing::IssuedCertificate>& own) {
    folder_.WriteAuthority(trusted);
    if (own) folder_.WriteCertificate(*own);
    net::TlsFiles files = folder_.files();
    if (!own) files.certificate = files.key = "";
    auto made = net::TlsContext::ForClient(files);
    REQUIRE(made);
    context_ = *std::move(made);
  }

  /// Sent at the first answer of an exchange.
  std::string follow_up;

  /// What the peer answers to `bytes`, until it closes or `enough` holds of it. Without a
  /// connection, an empty text.
  std::string Exchange(
      const net::HostPort& address, const std::string& bytes,
      const std::function<bool(const std::string&)>& enough = [](const auto&) { return false; }) {
    std::string received;
    bool over = false;
    std::unique_ptr<net::Connection> connection;
    auto connector = net::Connector::Connect(
        loop_, address, std::chrono::seconds(60),
        [&](Result<std::unique_ptr<net::Connection>> made) {
          if (!made) {
            over = true;
            return;
          }
          connection = *std::move(made);
          connection->on_data = [&](std::string_view more) {
            if (received.empty() && !follow_up.empty()) connection->Write(follow_up);
            received += more;
          };
          connection->on_close = [&](std::optional<Error>) { over = true; };
          connection->StartReading();
          connection->Write(bytes);
        },
        context_.get());
    RunUntil(
        loop_, [&] { return over || enough(received); }, std::chrono::seconds(60));
    return received;
  }

  /// The frames a collector answers, in words; the last one is `last`, or it has closed.
  std::vector<std::string> Ship(const net::HostPort& address, const std::string& bytes,
                                const std::string& last) {
    return ingest::Describe(Exchange(address, bytes, [&](const std::string& received) {
      auto words = ingest::Describe(received);
      return !words.empty() && words.back() == last;
    }));
  }

  std::string Get(const net::HostPort& address, const std::string& path,
                  const std::string& headers = "") {
    return Exchange(address, Join("GET ", path, " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n",
                                  headers, "\r\n"));
  }

 private:
  TlsFolder folder_;
  net::Loop loop_;
  std::unique_ptr<net::TlsContext> context_;
};

/// A collector with TLS, certificates of its clients included.
struct SecureCollector {
  SecureCollector() {
    files.WriteAuthority(authority);
    WriteCertificate(authority);
  }

  void WriteCertificate(TestAuthority& by) {
    files.WriteCertificate(by.Issue({.common_name = "logs",
                                     .organizational_units = {"collector"},
                                     .ip_addresses = {"127.0.0.1"}}));
  }

  CollectorOptions Options() const {
    CollectorOptions options;
    options.tls_cert = files.Path("cert.pem");
    options.tls_key = files.Path("key.pem");
    options.tls_client_ca = files.Path("ca.pem");
    return options;
  }

  Client Agent(std::vector<std::string> uris) {
    return Client(authority, authority.Issue({.common_name = "web's",
                                              .organizational_units = {"agent"},
                                              .uris = std::move(uris)}));
  }
  Client With(const std::string& role) {
    return Client(authority, authority.Issue({.organizational_units = {role}}));
  }

  TestAuthority authority;
  TestAuthority other_authority{"Another CA"};
  TlsFolder files;
};

std::string Hello() { return ingest::PrefaceAndHello(ingest::HelloOf("web")); }
std::string Batch() { return ingest::BatchFrame(1, {"a line"}); }

const std::string kQuery =
    "/loki/api/v1/query_range?limit=9&start=0&end=4000000000&query=%7Bproject%3D%22shop%22%7D";

TEST_CASE("agents ship and clients search over TLS", "[collector][tls]") {
  SecureCollector secure;
  RunningCollector collector(secure.Options());
  Client agent = secure.Agent({"dunlin:shop/web"});
  agent.follow_up = Batch();
  CHECK(agent.Ship(collector.ingest(), Hello(), "ack 1") ==
        std::vector<std::string>{"welcome next=1", "ack 1"});
  agent.follow_up.clear();

  Client controller = secure.With("controller");
  CHECK_THAT(controller.Get(collector.http(), kQuery), Contains("a line"));
  Client metrics = secure.With("metrics");
  CHECK_THAT(metrics.Get(collector.http(), "/metrics"), Contains("dunlin_ingest_lines_total"));
  CHECK_THAT(metrics.Get(collector.http(), kQuery), Contains("HTTP/1.1 403"));
  CHECK_THAT(agent.Get(collector.http(), kQuery), Contains("HTTP/1.1 403"));
  Client nobody(secure.authority, std::nullopt);
  CHECK_THAT(nobody.Get(collector.http(), kQuery), Contains("HTTP/1.1 401"));
  CHECK_THAT(nobody.Get(collector.http(), "/readyz"), Contains("HTTP/1.1 200"));
}

TEST_CASE("an agent that its certificate does not speak for is sent away for good",
          "[collector][tls]") {
  SecureCollector secure;
  RunningCollector collector(secure.Options());
  auto scope =
      GENERATE(as<std::string>{}, "", "dunlin:shop/db", "dunlin:bank/web", "dunlin:shop/web/web-2");
  CAPTURE(scope);
  Client agent = scope.empty() ? secure.Agent({}) : secure.Agent({scope});
  // The batch is sent without waiting for the welcome: what is refused is not stored either.
  CHECK(agent.Ship(collector.ingest(), Hello() + Batch(), "") ==
        std::vector<std::string>{
            "goodbye: the agent's certificate (web's) does not speak for shop/web/web-1 (final)"});
  Client controller = secure.With("controller");
  CHECK_THAT(controller.Get(collector.http(), kQuery), !Contains("a line"));
  CHECK_THAT(controller.Get(collector.http(), "/metrics"),
             Contains("dunlin_ingest_refused_connections_total{reason=\"certificate\"} 1\n"));
}

TEST_CASE("one certificate may speak for several agents", "[collector][tls]") {
  SecureCollector secure;
  RunningCollector collector(secure.Options());
  Client agent = secure.Agent({"dunlin:bank/*", "dunlin:shop/web/web-1"});
  agent.follow_up = Batch();
  CHECK(agent.Ship(collector.ingest(), Hello(), "ack 1").back() == "ack 1");
}

TEST_CASE("handshakes that fail are counted by reason", "[collector][tls]") {
  SecureCollector secure;
  RunningCollector collector(secure.Options());
  const CertificateRequest good{.organizational_units = {"agent"}, .uris = {"dunlin:*/*"}};
  auto refused = [&](const std::optional<testing::IssuedCertificate>& certificate) {
    Client client(secure.authority, certificate);
    return client.Exchange(collector.ingest(), Hello() + Batch()).empty();
  };
  CHECK(refused(secure.other_authority.Issue(good)));
  CertificateRequest old = good;
  old.not_after = "20210101000000";
  CHECK(refused(secure.authority.Issue(old)));
  CertificateRequest early = good;
  early.not_before = "20980101000000";
  CHECK(refused(secure.authority.Issue(early)));
  CHECK(refused(secure.authority.Issue({.organizational_units = {"controller"}})));
  CHECK(refused(std::nullopt));
  Peer plain(collector.ingest());
  plain.Send(Hello() + Batch());
  CHECK(plain.ReceiveAll().empty());

  Client controller = secure.With("controller");
  std::string page;
  // The collector hears of an end a moment after whoever was refused.
  do {
    page = controller.Get(collector.http(), "/metrics");
    REQUIRE_THAT(page, Contains("HTTP/1.1 200"));
  } while (page.find("refused_connections_total{reason=\"tls\"} 6\n") == std::string::npos);
  for (const char* sample :
       {"kind=\"untrusted\",port=\"ingest\"} 1\n", "kind=\"expired\",port=\"ingest\"} 2\n",
        "kind=\"wrong_role\",port=\"ingest\"} 1\n", "kind=\"no_certificate\",port=\"ingest\"} 1\n",
        "kind=\"not_tls\",port=\"ingest\"} 1\n", "kind=\"not_tls\",port=\"http\"} 0\n"}) {
    CHECK_THAT(page, Contains("dunlin_tls_failures_total{" + std::string(sample)));
  }
  for (const char* labels :
       {"file=\"ca\",port=\"http\"", "file=\"certificate\",port=\"http\"",
        "file=\"ca\",port=\"ingest\"", "file=\"certificate\",port=\"ingest\""}) {
    CHECK_THAT(page, Contains("dunlin_tls_certificate_expiry_timestamp_seconds{" +
                              std::string(labels) + "} 4102444799\n"));
  }
  CHECK_THAT(controller.Get(collector.http(), kQuery), !Contains("a line"));
}

TEST_CASE("a collector takes changed TLS files without a restart", "[collector][tls]") {
  SecureCollector secure;
  RunningCollector collector(secure.Options());
  Client agent = secure.Agent({"dunlin:shop/web"});
  const std::string welcome = "welcome next=1";
  CHECK(agent.Ship(collector.ingest(), Hello(), welcome).size() == 1);

  secure.files.Write("cert.pem", "half a certificate");
  CHECK(agent.Ship(collector.ingest(), Hello(), welcome).size() == 1);  // with the old one
  secure.WriteCertificate(secure.other_authority);
  CHECK(agent.Ship(collector.ingest(), Hello(), welcome).empty());
  secure.WriteCertificate(secure.authority);
  CHECK(agent.Ship(collector.ingest(), Hello(), welcome).size() == 1);
  secure.files.WriteAuthority(secure.other_authority);
  CHECK(agent.Ship(collector.ingest(), Hello(), welcome).empty());
  secure.files.WriteAuthority(secure.authority);
  CHECK(agent.Ship(collector.ingest(), Hello(), welcome).size() == 1);
}

TEST_CASE("without a CA for clients, TLS asks for no certificate, and a token still counts",
          "[collector][tls]") {
  SecureCollector secure;
  CollectorOptions options = secure.Options();
  options.tls_client_ca.clear();
  secure.files.Write("token", "secret\n");
  options.token_file = secure.files.Path("token");
  RunningCollector collector(options);
  Client nobody(secure.authority, std::nullopt);
  wire::Hello hello = ingest::HelloOf("web");
  CHECK(
      nobody.Ship(collector.ingest(), ingest::PrefaceAndHello(hello), "") ==
      std::vector<std::string>{"goodbye: this collector asks for a token (--token-file) (final)"});
  hello.token = "secret";
  CHECK(nobody.Ship(collector.ingest(), ingest::PrefaceAndHello(hello), "welcome next=1").size() ==
        1);
  CHECK_THAT(nobody.Get(collector.http(), "/metrics"), Contains("HTTP/1.1 401"));
  CHECK_THAT(nobody.Get(collector.http(), "/metrics", "Authorization: Bearer secret\r\n"),
             Contains("HTTP/1.1 200"));
}

TEST_CASE("a port that others can reach needs certificates of clients, not TLS alone",
          "[collector][tls]") {
  SecureCollector secure;
  testing::TempDir folder;
  net::Loop loop;
  CollectorOptions options = secure.Options();
  options.data_dir = folder.File("data");
  options.min_free_bytes = 0;
  options.http = {"127.0.0.1", 0};
  options.ingest = {"0.0.0.0", 0};
  SECTION("TLS alone") {
    options.tls_client_ca.clear();
    auto started = Collector::Start(loop, options);
    REQUIRE_FALSE(started);
    CHECK_THAT(started.error().message(), Contains("--tls-client-ca"));
    options.insecure = true;
    CHECK(Collector::Start(loop, options));
  }
  SECTION("certificates") { CHECK(Collector::Start(loop, options)); }
  SECTION("a key that is none") {
    secure.files.Write("key.pem", "no key");
    auto started = Collector::Start(loop, options);
    REQUIRE_FALSE(started);
    CHECK_THAT(started.error().message(), Contains("--tls-key"));
    CHECK_THAT(started.error().message(), Contains(options.tls_key));
  }
}

}  // namespace
}  // namespace dunlin::collector
