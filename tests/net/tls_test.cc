// TLS between a listener and a connector over loopback.
#include <sys/resource.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "protocol/net/connection.h"
#include "protocol/net/tls_context.h"
#include "tests/support/catch.h"
#include "tests/support/loop_runner.h"
#include "tests/support/tcp_client.h"
#include "tests/support/test_authority.h"
#include "tests/support/tls_folder.h"

namespace dunlin::net {
namespace {

using namespace std::chrono_literals;
using testing::CertificateRequest;
using testing::RunUntil;
using testing::TestAuthority;
using testing::TlsFolder;

/// What became of one end.
struct End {
  explicit End(std::unique_ptr<Connection> c) : connection(std::move(c)) {
    connection->on_data = [this](std::string_view bytes) { text += bytes; };
    connection->on_close = [this](std::optional<Error> why) {
      closed = true;
      reason = std::move(why);
    };
    connection->StartReading();
  }
  std::unique_ptr<Connection> connection;
  std::string text;
  bool closed = false;
  std::optional<Error> reason;
};

/// A server with a certificate for localhost and 127.0.0.1, and clients of it. Both trust one CA.
struct TlsFixture {
  TlsFixture() {
    server_folder.WriteAuthority(authority);
    server_folder.WriteCertificate(authority.Issue(
        {.common_name = "server", .dns_names = {"localhost"}, .ip_addresses = {"127.0.0.1"}}));
    client_folder.WriteAuthority(authority);
    client_folder.WriteCertificate(authority.Issue({.common_name = "client",
                                                    .organizational_units = {"controller"},
                                                    .uris = {"dunlin:shop/web"}}));
  }

  void Listen(ClientCertificates clients = ClientCertificates::kRequired) {
    auto made = TlsContext::ForServer(server_folder.files(), clients, client_role);
    REQUIRE(made);
    server_context = std::move(*made);
    auto bound = Listener::Listen(
        loop, {"127.0.0.1", 0},
        [this](std::unique_ptr<Connection> connection) {
          servers.push_back(std::make_unique<End>(std::move(connection)));
        },
        server_context.get());
    REQUIRE(bound);
    listener = std::move(*bound);
    address = listener->local_address();
  }

  /// The outcome of one attempt, made as `host`.
  Result<std::unique_ptr<Connection>> Connect(const std::string& host = "127.0.0.1",
                                              std::chrono::milliseconds timeout = 20s) {
    if (!client_context) {
      TlsFiles files = client_folder.files();
      if (!client_certificate) files.certificate = files.key = "";
      auto made = TlsContext::ForClient(files, server_role);
      REQUIRE(made);
      client_context = std::move(*made);
    }
    std::optional<Result<std::unique_ptr<Connection>>> outcome;
    if (listener) address = listener->local_address();
    address.host = host;
    std::unique_ptr<Connector> connector;
    connector = Connector::Connect(
        loop, address, timeout,
        [&](Result<std::unique_ptr<Connection>> result) {
          outcome = std::move(result);
          why_not = connector->tls_failure();
        },
        client_context.get());
    CHECK_FALSE(outcome);
    RunUntil(loop, [&] { return outcome.has_value(); });
    return std::move(*outcome);
  }

  std::uint64_t ServerFailures(TlsFailure failure) const {
    return server_context->failures()[static_cast<std::size_t>(failure)];
  }
  std::uint64_t ClientFailures(TlsFailure failure) const {
    return client_context->failures()[static_cast<std::size_t>(failure)];
  }

  TestAuthority authority;
  TestAuthority other_authority{"Another CA"};
  TlsFolder server_folder;
  TlsFolder client_folder;
  bool client_certificate = true;
  std::string server_role;  // what each asks of the other
  std::string client_role;
  std::optional<TlsFailure> why_not;  // the last Connect() came to nothing
  Loop loop;
  std::unique_ptr<TlsContext> server_context;
  std::unique_ptr<TlsContext> client_context;
  std::vector<std::unique_ptr<End>> servers;
  std::unique_ptr<Listener> listener;
  HostPort address;  // of the last one
};

std::string Pattern(std::size_t size) {
  std::string bytes(size, '\0');
  std::uint32_t state = 1;
  for (char& byte : bytes) {
    state = state * 1664525 + 1013904223;
    byte = static_cast<char>(state >> 24);
  }
  return bytes;
}

TEST_CASE("both ends of a TLS connection know each other, and bytes arrive unchanged",
          "[net][tls]") {
  TlsFixture tls;
  tls.Listen();
  const std::string host = GENERATE("127.0.0.1", "localhost");
  auto connected = tls.Connect(host);
  REQUIRE(connected);
  End client(std::move(*connected));
  REQUIRE(client.connection->identity());
  CHECK(*client.connection->identity() == PeerIdentity{"server", {}, {"localhost", "127.0.0.1"}});
  const std::string up = Pattern(1'000'000);
  for (std::size_t at = 0; at < up.size();) {
    std::size_t size = std::min<std::size_t>(1 + at % 70'000, up.size() - at);
    client.connection->Write(up.substr(at, size));
    at += size;
  }
  End& server = *tls.servers.at(0);
  server.connection->Write("down");
  RunUntil(tls.loop, [&] { return server.text.size() >= up.size() && client.text.size() >= 4; });
  CHECK(server.text == up);
  CHECK(client.text == "down");
  REQUIRE(server.connection->identity());
  CHECK(*server.connection->identity() ==
        PeerIdentity{"client", {"controller"}, {}, {"dunlin:shop/web"}});
  CHECK(server.connection->peer().starts_with("127.0.0.1:"));
}

TEST_CASE("a TLS connection ends in order for both ends", "[net][tls]") {
  TlsFixture tls;
  tls.Listen();
  auto connected = tls.Connect();
  REQUIRE(connected);
  End client(std::move(*connected));
  End& server = *tls.servers.at(0);
  client.connection->Write("the last bytes");
  client.connection->CloseAfterWrites(20s);
  RunUntil(tls.loop, [&] { return server.closed; });
  CHECK(server.text == "the last bytes");
  CHECK_FALSE(server.reason);
  tls.servers.clear();
  RunUntil(tls.loop, [&] { return client.closed; });
  CHECK_FALSE(client.reason);
}

TEST_CASE("a TLS connection that is cut does not look like an orderly end", "[net][tls]") {
  TlsFixture tls;
  tls.Listen();
  auto connected = tls.Connect();
  REQUIRE(connected);
  End client(std::move(*connected));
  tls.servers.clear();
  RunUntil(tls.loop, [&] { return client.closed; });
  REQUIRE(client.reason);
  CHECK(client.reason->code() == ErrorCode::kUnavailable);
}

TEST_CASE("a paused TLS connection delivers nothing, and everything once resumed", "[net][tls]") {
  TlsFixture tls;
  tls.Listen();
  auto connected = tls.Connect();
  REQUIRE(connected);
  End client(std::move(*connected));
  End& server = *tls.servers.at(0);
  const std::string up = Pattern(3'000'000);
  std::string got;
  int calls = 0;
  // Pauses after each piece, as a server does that handles one request at a time.
  server.connection->on_data = [&](std::string_view bytes) {
    got += bytes;
    ++calls;
    server.connection->StopReading();
  };
  client.connection->Write(up);
  RunUntil(tls.loop, [&] { return calls == 1; });
  for (int i = 0; i < 50; ++i) tls.loop.RunOnce();
  CHECK(calls == 1);
  while (got.size() < up.size()) {
    int before = calls;
    server.connection->StartReading();
    CHECK(calls == before);  // never within the call
    RunUntil(tls.loop, [&] { return calls > before; });
  }
  CHECK(got == up);
}

TEST_CASE("on_drained tells when a TLS connection has sent what was written", "[net][tls]") {
  TlsFixture tls;
  tls.Listen();
  auto connected = tls.Connect();
  REQUIRE(connected);
  End client(std::move(*connected));
  int drained = 0;
  client.connection->on_drained = [&] { ++drained; };
  for (int i = 0; i < 50; ++i) tls.loop.RunOnce();
  CHECK(drained == 0);
  client.connection->Write(Pattern(200'000));
  CHECK(drained == 0);
  RunUntil(tls.loop, [&] { return drained == 1; });
  CHECK(client.connection->pending_write_bytes() == 0);
}

TEST_CASE("a TLS connection may be destroyed in any of its callbacks", "[net][tls]") {
  TlsFixture tls;
  tls.Listen();
  auto connected = tls.Connect();
  REQUIRE(connected);
  End client(std::move(*connected));
  std::unique_ptr<Connection> server = std::move(tls.servers.at(0)->connection);
  const std::string which = GENERATE("data", "end", "close", "drained");
  CAPTURE(which);
  if (which == "data") server->on_data = [&](std::string_view) { server.reset(); };
  if (which == "end") server->on_end = [&] { server.reset(); };
  if (which == "close") server->on_close = [&](std::optional<Error>) { server.reset(); };
  if (which == "drained") server->on_drained = [&] { server.reset(); };
  server->Write("x");
  client.connection->Write(Pattern(100'000));
  client.connection->CloseAfterWrites(100ms);
  RunUntil(tls.loop, [&] { return !server; });
}

TEST_CASE("a client whose certificate is not good gets no connection, and the server says why",
          "[net][tls]") {
  TlsFixture tls;
  const ClientCertificates clients =
      GENERATE(ClientCertificates::kRequired, ClientCertificates::kOptional);
  TlsFailure failure = TlsFailure::kProtocol;
  std::string cause;
  SECTION("another CA signed it") {
    tls.client_folder.WriteCertificate(tls.other_authority.Issue({}));
    failure = TlsFailure::kUntrusted;
    cause = "not signed by our CA";
  }
  SECTION("it has expired") {
    tls.client_folder.WriteCertificate(
        tls.authority.Issue({.common_name = "old-one", .not_after = "20210101000000"}));
    failure = TlsFailure::kExpired;
    cause = "old-one) has expired";
  }
  SECTION("it is not valid yet") {
    tls.client_folder.WriteCertificate(tls.authority.Issue({.not_before = "20980101000000"}));
    failure = TlsFailure::kExpired;
    cause = "not valid yet";
  }
  SECTION("it is for servers only") {
    tls.client_folder.WriteCertificate(tls.authority.Issue({.only_for_servers = true}));
    failure = TlsFailure::kUnsuitable;
    cause = "purpose";
  }
  SECTION("it is for something else") {
    tls.client_role = "agent";
    failure = TlsFailure::kWrongRole;
    cause = "(client) has no organizational unit \"agent\"";
  }
  tls.Listen(clients);
  auto connected = tls.Connect();
  if (connected) {
    // Of a certificate that would do for a server, the server complains last.
    CHECK(failure == TlsFailure::kUnsuitable);
    (*connected)->Write("too early");
  } else {
    CHECK(connected.error().code() == ErrorCode::kPermissionDenied);
    CHECK(tls.ClientFailures(TlsFailure::kRefused) == 1);
    CHECK(tls.why_not == TlsFailure::kRefused);
  }
  End& server = *tls.servers.at(0);
  RunUntil(tls.loop, [&] { return server.closed; });
  CHECK(server.text.empty());
  CHECK_FALSE(server.connection->identity());
  REQUIRE(server.reason);
  INFO(server.reason->message());
  CHECK(server.reason->code() == ErrorCode::kPermissionDenied);
  CHECK(server.reason->message().find(cause) != std::string::npos);
  CHECK(tls.ServerFailures(failure) == 1);
}

TEST_CASE("a client without a certificate is refused where one is required, and only there",
          "[net][tls]") {
  TlsFixture tls;
  tls.client_certificate = false;
  SECTION("required") {
    tls.Listen(ClientCertificates::kRequired);
    CHECK_FALSE(tls.Connect());
    RunUntil(tls.loop, [&] { return tls.servers.at(0)->closed; });
    CHECK(tls.ServerFailures(TlsFailure::kNoCertificate) == 1);
    CHECK(tls.ClientFailures(TlsFailure::kRefused) == 1);
  }
  SECTION("not required") {
    tls.Listen(GENERATE(ClientCertificates::kOptional, ClientCertificates::kIgnored));
    auto connected = tls.Connect();
    REQUIRE(connected);
    (*connected)->Write("hello");
    RunUntil(tls.loop, [&] { return tls.servers.at(0)->text == "hello"; });
    CHECK_FALSE(tls.servers.at(0)->connection->identity());
  }
}

TEST_CASE("a server that does not prove to be who was asked for gets no byte", "[net][tls]") {
  TlsFixture tls;
  TlsFailure failure = TlsFailure::kProtocol;
  std::string host = "127.0.0.1";
  SECTION("another CA signed its certificate") {
    tls.server_folder.WriteCertificate(tls.other_authority.Issue({.ip_addresses = {"127.0.0.1"}}));
    failure = TlsFailure::kUntrusted;
  }
  SECTION("its certificate has expired") {
    tls.server_folder.WriteCertificate(
        tls.authority.Issue({.ip_addresses = {"127.0.0.1"}, .not_after = "20210101000000"}));
    failure = TlsFailure::kExpired;
  }
  SECTION("its certificate is for another address") {
    tls.server_folder.WriteCertificate(tls.authority.Issue({.ip_addresses = {"127.0.0.2"}}));
    failure = TlsFailure::kWrongName;
  }
  SECTION("its certificate is for another name") {
    tls.server_folder.WriteCertificate(
        tls.authority.Issue({.dns_names = {"somewhere.else"}, .ip_addresses = {"127.0.0.1"}}));
    failure = TlsFailure::kWrongName;
    host = "localhost";
  }
  SECTION("its certificate spells the address as a name only") {
    tls.server_folder.WriteCertificate(
        tls.authority.Issue({.common_name = "127.0.0.1", .dns_names = {"127.0.0.1"}}));
    failure = TlsFailure::kWrongName;
  }
  SECTION("its certificate is for something else") {
    tls.server_folder.WriteCertificate(
        tls.authority.Issue({.organizational_units = {"agent"}, .ip_addresses = {"127.0.0.1"}}));
    tls.server_role = "collector";
    failure = TlsFailure::kWrongRole;
  }
  tls.Listen();
  auto connected = tls.Connect(host);
  REQUIRE_FALSE(connected);
  CHECK(connected.error().code() == ErrorCode::kPermissionDenied);
  CHECK(tls.ClientFailures(failure) == 1);
  CHECK(tls.why_not == failure);
  RunUntil(tls.loop, [&] { return tls.servers.at(0)->closed; });
  CHECK(tls.servers.at(0)->text.empty());
}

TEST_CASE("ends whose certificates have the roles asked for are connected", "[net][tls]") {
  TlsFixture tls;
  tls.server_folder.WriteCertificate(tls.authority.Issue(
      {.organizational_units = {"metrics", "collector"}, .ip_addresses = {"127.0.0.1"}}));
  tls.server_role = "collector";
  tls.client_role = "controller";
  tls.Listen();
  auto connected = tls.Connect();
  REQUIRE(connected);
  CHECK_FALSE(tls.why_not);
  (*connected)->Write("hello");
  RunUntil(tls.loop, [&] { return tls.servers.at(0)->text == "hello"; });
}

TEST_CASE("no connection at all is no failure of TLS", "[net][tls]") {
  TlsFixture tls;
  tls.Listen();
  tls.listener.reset();
  CHECK_FALSE(tls.Connect());
  CHECK_FALSE(tls.why_not);
}

TEST_CASE("whoever does not speak TLS is turned away at the first byte", "[net][tls]") {
  TlsFixture tls;
  tls.Listen();
  testing::TcpClient client(tls.loop, tls.listener->local_address());
  client.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  RunUntil(tls.loop, [&] { return !tls.servers.empty() && tls.servers.at(0)->closed; });
  CHECK(tls.servers.at(0)->reason->code() == ErrorCode::kCorruption);
  CHECK(tls.ServerFailures(TlsFailure::kNotTls) == 1);
}

TEST_CASE("garbage in place of a handshake ends the connection", "[net][tls]") {
  TlsFixture tls;
  tls.Listen();
  testing::TcpClient client(tls.loop, tls.listener->local_address());
  client.Send(std::string("\x16\x03\x03\x00\x40", 5) + Pattern(64));
  RunUntil(tls.loop, [&] { return !tls.servers.empty() && tls.servers.at(0)->closed; });
  CHECK(tls.servers.at(0)->reason->code() == ErrorCode::kCorruption);
  CHECK(tls.ServerFailures(TlsFailure::kProtocol) == 1);
}

TEST_CASE("half a handshake and then silence ends with the time for it", "[net][tls]") {
  TlsFixture tls;
  tls.Listen();
  tls.server_context->handshake_timeout = 50ms;
  testing::TcpClient client(tls.loop, tls.listener->local_address());
  // A record is announced and never comes; or not even that.
  if (GENERATE(true, false)) client.Send(std::string("\x16\x03\x01\x01\x00\x01", 6));
  RunUntil(tls.loop, [&] { return !tls.servers.empty() && tls.servers.at(0)->closed; });
  CHECK(tls.servers.at(0)->reason->code() == ErrorCode::kTimeout);
  CHECK(tls.ServerFailures(TlsFailure::kTimeout) == 1);
}

/// Many descriptors, as the programs give themselves.
void RaiseDescriptorLimit() {
  rlimit limit{};
  REQUIRE(getrlimit(RLIMIT_NOFILE, &limit) == 0);
  limit.rlim_cur = limit.rlim_max;
  REQUIRE(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

TEST_CASE("a thousand half-done handshakes take bounded memory and keep nobody out", "[net][tls]") {
  RaiseDescriptorLimit();
  TlsFixture tls;
  tls.Listen();
  tls.server_context->handshake_timeout = 600s;
  tls.server_context->places.limit = 50;
  tls.server_context->places.patience = 100ms;
  std::vector<std::unique_ptr<testing::TcpClient>> clients;
  for (int i = 0; i < 1000; ++i) {
    clients.push_back(
        std::make_unique<testing::TcpClient>(tls.loop, tls.listener->local_address()));
    clients.back()->Send(std::string("\x16\x03\x01\x01\x00\x01", 6));
  }
  RunUntil(tls.loop, [&] { return tls.servers.size() == 1000; });
  auto connected = tls.Connect("127.0.0.1", 60s);
  REQUIRE(connected);
  End client(std::move(*connected));
  client.connection->Write("hello");
  RunUntil(tls.loop, [&] { return tls.servers.back()->text == "hello"; });
  CHECK(tls.server_context->places.taken() <= 50);
  CHECK(tls.ServerFailures(TlsFailure::kTimeout) > 0);
  tls.servers.clear();
  CHECK(tls.server_context->places.taken() == 0);
}

TEST_CASE("who waits for the handshakes of others may not send on and on", "[net][tls]") {
  TlsFixture tls;
  tls.Listen();
  tls.server_context->places.limit = 1;
  tls.server_context->places.patience = 600s;
  testing::TcpClient first(tls.loop, tls.listener->local_address());
  first.Send("\x16");
  RunUntil(tls.loop, [&] { return tls.server_context->places.taken() == 1; });
  testing::TcpClient second(tls.loop, tls.listener->local_address());
  const bool much = GENERATE(true, false);
  second.Send("\x16" + std::string(much ? 5000 : 500, 'x'));
  RunUntil(tls.loop, [&] { return tls.servers.size() == 2; });
  if (!much) first.Drop();  // and the other's turn has come
  RunUntil(tls.loop, [&] { return tls.servers.at(1)->closed; });
  CHECK(tls.ServerFailures(TlsFailure::kProtocol) == 1);
  CHECK(tls.servers.at(0)->closed == !much);
}

TEST_CASE("a peer that leaves in the handshake is counted as lost", "[net][tls]") {
  TlsFixture tls;
  tls.Listen();
  testing::TcpClient client(tls.loop, tls.listener->local_address());
  if (GENERATE(true, false)) client.Send(std::string("\x16\x03\x01\x01\x00\x01", 6));
  RunUntil(tls.loop, [&] { return !tls.servers.empty(); });
  client.Drop();
  RunUntil(tls.loop, [&] { return tls.servers.at(0)->closed; });
  CHECK(tls.servers.at(0)->reason->code() == ErrorCode::kUnavailable);
  CHECK(tls.ServerFailures(TlsFailure::kLost) == 1);
}

TEST_CASE("a connector gives up on a server that accepts and never answers its handshake",
          "[net][tls]") {
  TlsFixture tls;
  std::vector<std::unique_ptr<Connection>> silent;
  auto bound = Listener::Listen(tls.loop, {"127.0.0.1", 0}, [&](std::unique_ptr<Connection> c) {
    silent.push_back(std::move(c));
  });
  REQUIRE(bound);
  tls.listener = std::move(*bound);
  auto connected = tls.Connect("127.0.0.1", 100ms);
  REQUIRE_FALSE(connected);
  CHECK(connected.error().code() == ErrorCode::kTimeout);
  CHECK(tls.ClientFailures(TlsFailure::kTimeout) == 1);
}

TEST_CASE("closing before the handshake is over sends nothing of what was written", "[net][tls]") {
  TlsFixture tls;
  auto made = TlsContext::ForServer(tls.server_folder.files(), ClientCertificates::kRequired);
  REQUIRE(made);
  std::unique_ptr<Connection> server;
  auto bound = Listener::Listen(
      tls.loop, {"127.0.0.1", 0},
      [&](std::unique_ptr<Connection> c) {
        server = std::move(c);
        server->Write("HTTP/1.1 503 Service Unavailable\r\n\r\n");
        server->CloseAfterWrites(1s);
      },
      made->get());
  REQUIRE(bound);
  testing::TcpClient client(tls.loop, (*bound)->local_address());
  CHECK(client.TakeToEnd().empty());
}

TEST_CASE("changed TLS files are in use for the next connection", "[net][tls]") {
  TlsFixture tls;
  tls.Listen();
  REQUIRE(tls.Connect());

  SECTION("a renewed certificate of the server") {
    tls.server_folder.WriteCertificate(
        tls.authority.Issue({.common_name = "renewed", .ip_addresses = {"127.0.0.1"}}));
    auto connected = tls.Connect();
    REQUIRE(connected);
    CHECK((*connected)->identity()->common_name == "renewed");
  }
  SECTION("a new CA") {
    tls.client_folder.WriteAuthority(tls.other_authority);
    CHECK_FALSE(tls.Connect());
    tls.server_folder.WriteCertificate(tls.other_authority.Issue({.ip_addresses = {"127.0.0.1"}}));
    CHECK(tls.Connect());
  }
  SECTION("bad ones leave the old in use, until they are mended") {
    const auto next = tls.authority.Issue({.common_name = "next", .ip_addresses = {"127.0.0.1"}});
    tls.server_folder.Write("cert.pem", next.certificate);  // whose key has not come yet
    auto connected = tls.Connect();
    REQUIRE(connected);
    CHECK((*connected)->identity()->common_name == "server");
    tls.server_folder.Write("key.pem", "rubbish");
    REQUIRE(tls.Connect());
    tls.server_folder.Write("key.pem", next.key);
    connected = tls.Connect();
    REQUIRE(connected);
    CHECK((*connected)->identity()->common_name == "next");
  }
  SECTION("connections that are there go on") {
    auto connected = tls.Connect();
    REQUIRE(connected);
    tls.client_folder.WriteAuthority(tls.other_authority);
    CHECK_FALSE(tls.Connect());
    (*connected)->Write("still here");
    RunUntil(tls.loop, [&] { return tls.servers.at(1)->text == "still here"; });
  }
}

}  // namespace
}  // namespace dunlin::net
