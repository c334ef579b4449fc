// Certificates as they are made, read back, judged by OpenSSL and used in handshakes.
#include "controller/certificates/authority.h"

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "protocol/base/text.h"
#include "protocol/net/connection.h"
#include "protocol/net/tls_context.h"
#include "tests/support/catch.h"
#include "tests/support/loop_runner.h"
#include "tests/support/test_authority.h"
#include "tests/support/tls_folder.h"

namespace dunlin::certificates {
namespace {

using namespace std::chrono_literals;
using testing::TlsFolder;

const Validity kLong{std::chrono::sys_days(std::chrono::year(2020) / 1 / 1),
                     std::chrono::sys_days(std::chrono::year(2099) / 12 / 31) + 86399s};
const Validity kPast{std::chrono::sys_days(std::chrono::year(2020) / 1 / 1),
                     std::chrono::sys_days(std::chrono::year(2021) / 1 / 1)};

Authority MakeAuthority(std::string_view name = "dunlin CA") {
  auto made = Authority::Create(name, kLong);
  REQUIRE(made);
  return std::move(*made);
}

Content ServerContent() {
  return {.common_name = "collector-1",
          .role = "collector",
          .dns_names = {"logs.example.net", "*.logs.example.net", "localhost"},
          .ip_addresses = {"127.0.0.1", "2001:db8::1"},
          .uris = {},
          .for_servers = true,
          .for_clients = false,
          .validity = kLong};
}

Content AgentContent() {
  return {.common_name = "web-agent",
          .role = "agent",
          .dns_names = {"localhost"},
          .ip_addresses = {"127.0.0.1"},
          .uris = {"dunlin:shop/web/*", "dunlin:shop/w%20b"},
          .for_servers = true,
          .for_clients = true,
          .validity = kLong};
}

Pair MustIssue(const Authority& authority, const Content& content) {
  auto issued = authority.Issue(content);
  if (!issued) FAIL(issued.error().message());
  return std::move(*issued);
}

/// What a program prints, and whether it ended well.
struct Ended {
  bool found = false;
  bool well = false;
  std::string output;
};

Ended RunProgram(const std::string& command) {
  FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
  REQUIRE(pipe != nullptr);
  Ended ended;
  std::array<char, 4096> buffer;
  while (std::size_t got = std::fread(buffer.data(), 1, buffer.size(), pipe)) {
    ended.output.append(buffer.data(), got);
  }
  const int status = ::pclose(pipe);
  REQUIRE(WIFEXITED(status));
  ended.found = WEXITSTATUS(status) != 127;
  ended.well = WEXITSTATUS(status) == 0;
  return ended;
}

void WriteFiles(TlsFolder& folder, const Authority& authority, const Pair& pair) {
  folder.Write("ca.pem", authority.pem().certificate);
  folder.Write("cert.pem", pair.certificate);
  folder.Write("key.pem", pair.key);
}

/// What each end of a mutual handshake came to: the identity of the other, or why not.
struct Handshake {
  std::optional<PeerIdentity> client_sees;
  std::optional<PeerIdentity> server_sees;
  std::string client_error;
};

Handshake Shake(TlsFolder& server_folder, TlsFolder& client_folder, const std::string& host) {
  net::Loop loop;
  auto server =
      net::TlsContext::ForServer(server_folder.files(), net::ClientCertificates::kRequired);
  REQUIRE(server);
  auto client = net::TlsContext::ForClient(client_folder.files());
  REQUIRE(client);
  std::vector<std::unique_ptr<net::Connection>> accepted;
  auto listener = net::Listener::Listen(
      loop, {"127.0.0.1", 0},
      [&accepted](std::unique_ptr<net::Connection> connection) {
        connection->on_close = [](std::optional<Error>) {};
        connection->on_data = [](std::string_view) {};
        connection->StartReading();
        accepted.push_back(std::move(connection));
      },
      server->get());
  REQUIRE(listener);
  net::HostPort address = (*listener)->local_address();
  address.host = host;
  std::optional<Result<std::unique_ptr<net::Connection>>> outcome;
  auto connector = net::Connector::Connect(
      loop, address, 20s,
      [&outcome](Result<std::unique_ptr<net::Connection>> result) { outcome = std::move(result); },
      client->get());
  testing::RunUntil(loop, [&outcome] { return outcome.has_value(); });
  Handshake result;
  if (!*outcome) {
    result.client_error = outcome->error().message();
    return result;
  }
  testing::RunUntil(loop, [&] { return !accepted.empty() && accepted[0]->identity(); });
  result.client_sees = *(**outcome)->identity();
  result.server_sees = *accepted[0]->identity();
  return result;
}

}  // namespace

TEST_CASE("a certificate holds what was asked for", "[certificates]") {
  const Authority authority = MakeAuthority();
  const Content content = GENERATE(ServerContent(), AgentContent());
  const Pair pair = MustIssue(authority, content);
  auto read = ReadCertificate(pair.certificate);
  REQUIRE(read);
  CHECK(*read == content);
  CHECK(authority.HasSigned(pair.certificate));
  CHECK(pair.key.starts_with("-----BEGIN EC PRIVATE KEY-----"));
}

TEST_CASE("an authority is read again from its files", "[certificates]") {
  const Authority made = MakeAuthority();
  auto loaded = Authority::Load(made.pem());
  REQUIRE(loaded);
  CHECK(loaded->content() == made.content());
  CHECK(loaded->content().common_name == "dunlin CA");
  CHECK(loaded->content().validity == kLong);
  CHECK(made.HasSigned(MustIssue(*loaded, ServerContent()).certificate));
}

TEST_CASE("OpenSSL takes the certificates for what they are for, and for nothing else",
          "[certificates]") {
  const Authority authority = MakeAuthority();
  const Authority other = MakeAuthority();
  TlsFolder server, agent;
  WriteFiles(server, authority, MustIssue(authority, ServerContent()));
  WriteFiles(agent, authority, MustIssue(authority, AgentContent()));
  server.Write("other.pem", other.pem().certificate);
  auto verify = [](TlsFolder& folder, const std::string& options,
                   const std::string& ca = "ca.pem") {
    return RunProgram(Join("openssl verify -x509_strict -CAfile ", folder.Path(ca), " ", options,
                           " ", folder.Path("cert.pem")));
  };
  const Ended first = verify(server, "-purpose sslserver -verify_hostname logs.example.net");
  if (!first.found) {
    WARN("openssl is not installed");
    return;
  }
  CAPTURE(first.output);
  CHECK(first.well);
  CHECK(verify(server, "-purpose sslserver -verify_hostname a.logs.example.net").well);
  CHECK(verify(server, "-purpose sslserver -verify_ip 2001:db8::1").well);
  CHECK_FALSE(verify(server, "-purpose sslserver -verify_hostname example.net").well);
  CHECK_FALSE(verify(server, "-purpose sslclient").well);
  CHECK_FALSE(verify(server, "-purpose sslserver", "other.pem").well);
  CHECK(verify(agent, "-purpose sslserver -verify_ip 127.0.0.1").well);
  CHECK(verify(agent, "-purpose sslclient").well);

  const Ended text = RunProgram("openssl x509 -noout -text -in " + agent.Path("cert.pem"));
  CAPTURE(text.output);
  REQUIRE(text.well);
  for (std::string_view wanted :
       {"ASN1 OID: prime256v1", "ecdsa-with-SHA256", "CA:FALSE", "URI:dunlin:shop/web/*",
        "X509v3 Key Usage: critical\n                Digital Signature\n"}) {
    CHECK_THAT(text.output, test::HasText(std::string(wanted)));
  }
  const Ended root = RunProgram("openssl x509 -noout -text -in " + agent.Path("ca.pem"));
  CHECK_THAT(
      root.output,
      test::HasText("X509v3 Basic Constraints: critical\n                CA:TRUE, pathlen:0"));
}

TEST_CASE("serial numbers are long, positive and never the same", "[certificates]") {
  const Authority authority = MakeAuthority();
  std::set<std::string> serials;
  for (int i = 0; i < 8; ++i) {
    const std::string pem = MustIssue(authority, AgentContent()).certificate;
    TlsFolder folder;
    folder.Write("cert.pem", pem);
    const Ended serial = RunProgram("openssl x509 -noout -serial -in " + folder.Path("cert.pem"));
    if (!serial.found) {
      WARN("openssl is not installed");
      return;
    }
    CAPTURE(serial.output);
    REQUIRE(serial.well);
    CHECK(serial.output.size() == std::string_view("serial=\n").size() + 32);
    CHECK(serial.output[7] >= '4');
    CHECK(serial.output[7] <= '7');
    serials.insert(serial.output);
  }
  CHECK(serials.size() == 8);
}

TEST_CASE("both ends of a connection know each other by these certificates", "[certificates]") {
  const Authority authority = MakeAuthority();
  TlsFolder server, client;
  WriteFiles(server, authority, MustIssue(authority, ServerContent()));
  WriteFiles(client, authority, MustIssue(authority, AgentContent()));
  const std::string host = GENERATE("127.0.0.1", "localhost");
  const Handshake done = Shake(server, client, host);
  CAPTURE(done.client_error);
  REQUIRE(done.server_sees);
  CHECK(done.server_sees->common_name == "web-agent");
  CHECK(done.server_sees->organizational_units == std::vector<std::string>{"agent"});
  CHECK(done.server_sees->uris == AgentContent().uris);
  REQUIRE(done.client_sees);
  CHECK(done.client_sees->organizational_units == std::vector<std::string>{"collector"});
}

TEST_CASE(
    "a certificate that is over, of another authority or for another purpose does not connect",
    "[certificates]") {
  const Authority authority = MakeAuthority();
  const Authority other = MakeAuthority();
  TlsFolder server, client;
  WriteFiles(server, authority, MustIssue(authority, ServerContent()));
  SECTION("over") {
    Content content = AgentContent();
    content.validity = kPast;
    WriteFiles(client, authority, MustIssue(authority, content));
  }
  SECTION("of another authority of the same name") {
    WriteFiles(client, other, MustIssue(other, AgentContent()));
  }
  SECTION("for servers only") {
    WriteFiles(client, authority, MustIssue(authority, ServerContent()));
  }
  const Handshake done = Shake(server, client, "127.0.0.1");
  CHECK_FALSE(done.server_sees);
  CHECK_FALSE(done.client_error.empty());
}

TEST_CASE("a renewed authority and what it had signed before stay good for each other",
          "[certificates]") {
  auto old = Authority::Create("dunlin CA", kPast);
  REQUIRE(old);
  const Pair before = MustIssue(*old, ServerContent());
  auto renewed = old->Renew(kLong);
  REQUIRE(renewed);
  CHECK(renewed->pem().certificate != old->pem().certificate);
  CHECK(renewed->pem().key == old->pem().key);
  CHECK(renewed->content().validity == kLong);
  CHECK(renewed->HasSigned(before.certificate));
  TlsFolder server, client;
  WriteFiles(server, *renewed, before);
  WriteFiles(client, *renewed, MustIssue(*renewed, AgentContent()));
  CHECK(Shake(server, client, "127.0.0.1").server_sees);
}

TEST_CASE("a certificate can be made again for the same key", "[certificates]") {
  const Authority authority = MakeAuthority();
  const Pair before = MustIssue(authority, AgentContent());
  auto again = authority.Issue(AgentContent(), before.key);
  REQUIRE(again);
  CHECK(again->key == before.key);
  CHECK(again->certificate != before.certificate);
  TlsFolder folder, server;
  WriteFiles(server, authority, MustIssue(authority, ServerContent()));
  WriteFiles(folder, authority, {again->certificate, before.key});
  CHECK(Shake(server, folder, "127.0.0.1").server_sees);
}

TEST_CASE("an authority has signed its own certificates only", "[certificates]") {
  const Authority authority = MakeAuthority();
  const Authority same_name = MakeAuthority();
  Content over = AgentContent();
  over.validity = kPast;
  CHECK(authority.HasSigned(MustIssue(authority, over).certificate));
  CHECK_FALSE(authority.HasSigned(MustIssue(same_name, AgentContent()).certificate));
  CHECK_FALSE(authority.HasSigned("no certificate"));
}

TEST_CASE("what cannot stand in a certificate is refused with its name", "[certificates]") {
  const Authority authority = MakeAuthority();
  Content content = ServerContent();
  std::string wanted;
  SECTION("a host name") {
    content.dns_names = {GENERATE("", "a b", "-a.b", "a..b", "a.*.b", "http://a")};
    wanted = "is not a host name";
  }
  SECTION("an address") {
    content.ip_addresses = {GENERATE("127.0.0", "::g", "localhost")};
    wanted = "is not an IP address";
  }
  SECTION("a URI") {
    content.uris = {GENERATE("", "dunlin:a b/c", "dunlin:\n")};
    wanted = "is not a URI";
  }
  SECTION("a subject") {
    content.common_name =
        GENERATE(as<std::string>(), "", "a,OU=controller", "a\\,b", "a+CN=b", std::string(65, 'a'));
    wanted = "cannot be the subject of a certificate";
  }
  SECTION("too many names") {
    content.dns_names = std::vector<std::string>(201, "a.example.net");
    wanted = "more than 200 names";
  }
  CAPTURE(content.common_name);
  auto issued = authority.Issue(content);
  REQUIRE_FALSE(issued);
  CHECK(issued.error().code() == ErrorCode::kInvalidArgument);
  CHECK_THAT(issued.error().message(), test::HasText(wanted));
}

TEST_CASE("a certificate has room for two hundred long names", "[certificates]") {
  const Authority authority = MakeAuthority();
  Content content = ServerContent();
  content.dns_names.assign(195, std::string(63, 'a') + "." + std::string(63, 'b') + ".example.net");
  auto read = ReadCertificate(MustIssue(authority, content).certificate);
  REQUIRE(read);
  CHECK(*read == content);
}

TEST_CASE("an authority is loaded from its own two files only", "[certificates]") {
  const Authority authority = MakeAuthority();
  const Authority other = MakeAuthority();
  const Pair leaf = MustIssue(authority, ServerContent());
  auto message = [](Pair pem) {
    auto loaded = Authority::Load(std::move(pem));
    return loaded ? "loaded" : loaded.error().message();
  };
  CHECK_THAT(message({authority.pem().certificate, other.pem().key}),
             test::HasText("the key is not the one of the certificate"));
  CHECK_THAT(message(leaf), test::HasText("not one of an authority"));
  CHECK_THAT(message({authority.pem().certificate, "x"}), test::HasText("no private key"));
  CHECK_THAT(message({"x", authority.pem().key}), test::HasText("no certificate"));
  CHECK_THAT(message({"", ""}), test::HasText("no certificate"));
}

TEST_CASE("a certificate with more than is written here is not read by halves", "[certificates]") {
  testing::TestAuthority foreign;
  auto read = ReadCertificate(foreign.Issue({.common_name = "a,O=somebody"}).certificate);
  REQUIRE_FALSE(read);
  CHECK(read.error().code() == ErrorCode::kUnsupported);
}

}  // namespace dunlin::certificates
