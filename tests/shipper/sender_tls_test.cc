// The connection to the collector over TLS: whom a sender trusts, and what it sends before it does.
#include <memory>
#include <string>

#include "protocol/base/certificate_role.h"
#include "protocol/net/tls_context.h"
#include "tests/shipper/sender_pair.h"
#include "tests/support/catch.h"
#include "tests/support/test_authority.h"
#include "tests/support/tls_folder.h"

namespace dunlin::shipper {
namespace {

using namespace std::chrono_literals;
using testing::CertificateRequest;
using testing::TestAuthority;
using testing::TlsFolder;

/// Contexts outlive the connections made with them: a base, and the first one.
struct Secrets {
  TestAuthority authority;
  TestAuthority other_authority{"Another CA"};
  TlsFolder agent_files;
  TlsFolder collector_files;
  std::unique_ptr<net::TlsContext> agent_tls;
  std::unique_ptr<net::TlsContext> collector_tls;
};

/// A sender with TLS and a collector that asks for a certificate. `agent_files` and
/// `collector_files` may be written anew at any time.
struct SecurePair : Secrets, Pair {
  SecurePair() {
    agent_files.WriteAuthority(authority);
    agent_files.WriteCertificate(
        authority.Issue({.common_name = "web", .organizational_units = {"agent"}}));
    collector_files.WriteAuthority(authority);
    collector_files.WriteCertificate(authority.Issue(Collector()));
    auto server = net::TlsContext::ForServer(
        collector_files.files(), net::ClientCertificates::kRequired, std::string(role::kAgent));
    REQUIRE(server);
    collector_tls = std::move(*server);
    collector.tls = collector_tls.get();
    collector.CloseListener();
    collector.OpenListener();
    UseFiles(agent_files.files());
  }

  static CertificateRequest Collector() {
    return {.common_name = "logs",
            .organizational_units = {"collector"},
            .dns_names = {"localhost"},
            .ip_addresses = {"127.0.0.1"}};
  }

  void UseFiles(const net::TlsFiles& files) {
    auto client = net::TlsContext::ForClient(files, std::string(role::kCollector));
    REQUIRE(client);
    sender.reset();
    agent_tls = std::move(*client);
    options.tls = agent_tls.get();
    Make({collector.address()});
  }

  std::uint64_t Failures(TlsFailure failure) const {
    return agent_tls->failures()[static_cast<std::size_t>(failure)];
  }
  bool LastErrorHas(std::string_view text) const {
    return sender->statistics().last_error.find(text) != std::string::npos;
  }
};

TEST_CASE("batches reach the collector over TLS, by address and by name",
          "[shipper][sender][tls]") {
  SecurePair pair;
  net::HostPort address = pair.collector.address();
  address.host = GENERATE("127.0.0.1", "localhost");
  pair.Make({address});
  pair.Start();
  pair.Push(50);
  pair.RunToEmpty();
  CHECK(pair.collector.durable_lines() == 150);
  CHECK(pair.AllErrors() == 0);
  CHECK_FALSE(pair.collector.failed());
}

TEST_CASE("a collector whose certificate is not good gets no byte, until its files are fixed",
          "[shipper][sender][tls]") {
  SecurePair pair;
  auto failure = TlsFailure::kProtocol;
  std::string why;
  CertificateRequest bad = SecurePair::Collector();
  SECTION("another CA") {
    pair.collector_files.WriteCertificate(pair.other_authority.Issue(bad));
    failure = TlsFailure::kUntrusted;
    why = "(logs) is not signed by our CA";
  }
  SECTION("another address") {
    bad.ip_addresses = {"127.0.0.2"};
    pair.collector_files.WriteCertificate(pair.authority.Issue(bad));
    failure = TlsFailure::kWrongName;
    why = "(logs) is not for 127.0.0.1";
  }
  SECTION("expired") {
    bad.not_after = "20210101000000";
    pair.collector_files.WriteCertificate(pair.authority.Issue(bad));
    failure = TlsFailure::kExpired;
    why = "(logs) has expired or is not valid yet";
  }
  SECTION("not valid yet") {
    bad.not_before = "20980101000000";
    pair.collector_files.WriteCertificate(pair.authority.Issue(bad));
    failure = TlsFailure::kExpired;
    why = "(logs) has expired or is not valid yet";
  }
  SECTION("another role") {
    bad.organizational_units = {"agent", "controller"};
    pair.collector_files.WriteCertificate(pair.authority.Issue(bad));
    failure = TlsFailure::kWrongRole;
    why = "(logs) has no organizational unit \"collector\"";
  }
  pair.Start();
  pair.Push(3);
  pair.Run([&] { return pair.Errors(SendErrorKind::kTls) >= 3; });
  CHECK(pair.Failures(failure) >= 3);
  CHECK(pair.AllErrors() == pair.Errors(SendErrorKind::kTls));
  CHECK(pair.LastErrorHas(why));
  CHECK(pair.sender->statistics().last_tls_failure == failure);
  CHECK(pair.collector.received_bytes == 0);
  CHECK(pair.queue->lines() == 9);

  pair.collector_files.WriteCertificate(pair.authority.Issue(SecurePair::Collector()));
  pair.RunToEmpty();
  CHECK(pair.collector.durable_lines() == 9);
  CHECK(pair.queue->acknowledged_lines() == 9);
  CHECK(pair.sender->statistics().last_error.empty());
}

TEST_CASE("a sender whose certificate is not good sends no byte, until its files are fixed",
          "[shipper][sender][tls]") {
  SecurePair pair;
  CertificateRequest bad{.common_name = "web", .organizational_units = {"agent"}};
  auto failure = TlsFailure::kProtocol;
  SECTION("another CA") {
    pair.agent_files.WriteCertificate(pair.other_authority.Issue(bad));
    failure = TlsFailure::kUntrusted;
  }
  SECTION("expired") {
    bad.not_after = "20210101000000";
    pair.agent_files.WriteCertificate(pair.authority.Issue(bad));
    failure = TlsFailure::kExpired;
  }
  SECTION("another role") {
    bad.organizational_units = {"collector"};
    pair.agent_files.WriteCertificate(pair.authority.Issue(bad));
    failure = TlsFailure::kWrongRole;
  }
  pair.Start();
  pair.Push(3);
  pair.Run([&] { return pair.Errors(SendErrorKind::kTls) >= 3; });
  CHECK(pair.Failures(TlsFailure::kRefused) >= 3);
  CHECK(pair.collector_tls->failures()[static_cast<std::size_t>(failure)] >= 2);
  CHECK(pair.LastErrorHas("it refused"));
  CHECK(pair.sender->statistics().last_tls_failure == TlsFailure::kRefused);
  CHECK(pair.collector.received_bytes == 0);

  pair.agent_files.WriteCertificate(
      pair.authority.Issue({.common_name = "web", .organizational_units = {"agent"}}));
  pair.RunToEmpty();
  CHECK(pair.collector.durable_lines() == 9);
}

TEST_CASE("a sender without a certificate is refused where one is asked for",
          "[shipper][sender][tls]") {
  SecurePair pair;
  pair.UseFiles({pair.agent_files.Path("ca.pem"), "", ""});
  pair.Start();
  pair.Push(1);
  pair.Run([&] { return pair.Errors(SendErrorKind::kTls) >= 1; });
  CHECK(pair.Failures(TlsFailure::kRefused) >= 1);
  CHECK(pair.collector.received_bytes == 0);
}

TEST_CASE("a sender that trusts another CA sends no byte, until its CA file is changed",
          "[shipper][sender][tls]") {
  SecurePair pair;
  pair.agent_files.WriteAuthority(pair.other_authority);
  pair.Start();
  pair.Push(1);
  pair.Run([&] { return pair.Failures(TlsFailure::kUntrusted) >= 1; });
  CHECK(pair.collector.received_bytes == 0);
  // Half written, it is no CA at all: what was in use stays.
  pair.agent_files.Write("ca.pem", pair.authority.certificate().substr(0, 100));
  const auto before = pair.Failures(TlsFailure::kUntrusted);
  pair.Run([&] { return pair.Failures(TlsFailure::kUntrusted) > before; });
  CHECK(pair.collector.received_bytes == 0);
  pair.agent_files.WriteAuthority(pair.authority);
  pair.RunToEmpty();
  CHECK(pair.collector.durable_lines() == 3);
}

TEST_CASE("a collector without TLS gets no byte of a sender with it", "[shipper][sender][tls]") {
  SecurePair pair;
  std::string received;
  std::unique_ptr<net::Connection> plain;
  auto listener = net::Listener::Listen(pair.loop, {"127.0.0.1", 0},
                                        [&](std::unique_ptr<net::Connection> connection) {
                                          plain = std::move(connection);
                                          plain->on_data = [&](std::string_view bytes) {
                                            received += bytes;
                                            plain->Write("what is this?");
                                          };
                                          plain->StartReading();
                                        });
  REQUIRE(listener);
  pair.Make({(*listener)->local_address()});
  pair.Start();
  pair.Push(1);
  pair.Run([&] { return pair.Errors(SendErrorKind::kTls) >= 1; });
  CHECK(pair.queue->lines() == 3);
  CHECK(received.find("tested") == std::string::npos);
  pair.sender.reset();
}

TEST_CASE("a collector that never answers the handshake is left for the next",
          "[shipper][sender][tls]") {
  SecurePair pair;
  std::vector<std::unique_ptr<net::Connection>> silent;
  auto listener = net::Listener::Listen(pair.loop, {"127.0.0.1", 0},
                                        [&](std::unique_ptr<net::Connection> connection) {
                                          silent.push_back(std::move(connection));
                                        });
  REQUIRE(listener);
  pair.options.connect_timeout = 3s;  // a handshake on a busy machine needs some
  pair.Make({(*listener)->local_address(), pair.collector.address()});
  pair.Start();
  pair.Push(1);
  pair.RunToEmpty();
  CHECK(pair.Errors(SendErrorKind::kTls) >= 1);
  CHECK(pair.Failures(TlsFailure::kTimeout) >= 1);
  pair.sender.reset();
}

TEST_CASE("a sender returns to a better collector over TLS", "[shipper][sender][tls]") {
  SecurePair pair;
  pair.collector.CloseListener();
  testing::ScriptedCollector second(pair.loop);
  second.tls = pair.collector_tls.get();
  second.CloseListener();
  second.OpenListener();
  pair.options.return_interval = kShort;
  pair.Make({pair.collector.address(), second.address()});
  pair.Start();
  pair.Push(1);
  pair.RunToEmpty();
  CHECK(second.durable_lines() == 3);
  pair.collector.OpenListener();
  pair.Run([&] {
    return pair.sender->connected() && pair.collector.connections() > 0 &&
           pair.sender->peer() == pair.collector.address().ToString();
  });
  CHECK_FALSE(pair.collector.failed());
  pair.sender.reset();
}

}  // namespace
}  // namespace dunlin::shipper
