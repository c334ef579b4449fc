// What a TLS context says about its files.
#include "protocol/net/tls_context.h"

#include <chrono>
#include <string>

#include "tests/support/catch.h"
#include "tests/support/test_authority.h"
#include "tests/support/tls_folder.h"

namespace dunlin::net {
namespace {

using testing::TestAuthority;
using testing::TlsFolder;

TEST_CASE("files that cannot serve are refused with their name and the reason", "[net][tls]") {
  TestAuthority authority;
  TlsFolder folder;
  folder.WriteAuthority(authority);
  folder.WriteCertificate(authority.Issue({}));
  REQUIRE(TlsContext::ForServer(folder.files(), ClientCertificates::kRequired));

  std::string file;
  std::string reason;
  SECTION("no PEM") {
    file = GENERATE("ca.pem", "cert.pem", "key.pem");
    folder.Write(file, "nothing of the kind");
    reason = "in PEM";
  }
  SECTION("a key of another certificate") {
    file = "key.pem";
    folder.Write(file, authority.Issue({}).key);
    reason = "not the key of";
  }
  SECTION("cut short") {
    file = "cert.pem";
    folder.Write(file, authority.Issue({}).certificate.substr(0, 200));
  }
  auto context = TlsContext::ForServer(folder.files(), ClientCertificates::kRequired);
  REQUIRE_FALSE(context);
  CHECK(context.error().code() == ErrorCode::kInvalidArgument);
  INFO(context.error().message());
  CHECK(context.error().message().find(folder.Path(file)) != std::string::npos);
  CHECK(context.error().message().find(reason) != std::string::npos);
}

TEST_CASE("a missing file is told apart from a bad one", "[net][tls]") {
  TestAuthority authority;
  TlsFolder folder;
  folder.WriteAuthority(authority);
  auto context = TlsContext::ForServer(folder.files(), ClientCertificates::kRequired);
  REQUIRE_FALSE(context);
  CHECK(context.error().code() == ErrorCode::kNotFound);
}

TEST_CASE("what a context lacks is refused", "[net][tls]") {
  TestAuthority authority;
  TlsFolder folder;
  folder.WriteAuthority(authority);
  folder.WriteCertificate(authority.Issue({}));
  TlsFiles files = folder.files();
  SECTION("a CA for a client") {
    files.ca.clear();
    CHECK_FALSE(TlsContext::ForClient(files));
  }
  SECTION("a CA for client certificates") {
    files.ca.clear();
    CHECK_FALSE(TlsContext::ForServer(files, ClientCertificates::kOptional));
    CHECK(TlsContext::ForServer(files, ClientCertificates::kIgnored));
  }
  SECTION("a certificate for a server") {
    files.certificate.clear();
    files.key.clear();
    CHECK_FALSE(TlsContext::ForServer(files, ClientCertificates::kIgnored));
    CHECK(TlsContext::ForClient(files));
  }
  SECTION("a certificate for a key") {
    files.certificate.clear();
    CHECK_FALSE(TlsContext::ForClient(files));
  }
}

std::chrono::sys_seconds Noon(int year) {
  return std::chrono::sys_days(std::chrono::year(year) / 6 / 1) + std::chrono::hours(12);
}

TEST_CASE("a context tells the first end among the certificates of each file", "[net][tls]") {
  TestAuthority authority;
  TlsFolder folder;
  folder.WriteAuthority(authority);
  const auto own = authority.Issue({.not_after = "20610601120000"});
  const auto between = authority.Issue({.not_after = "20500601120000"});
  folder.WriteCertificate({own.certificate + between.certificate, own.key});
  auto context = TlsContext::ForServer(folder.files(), ClientCertificates::kRequired);
  REQUIRE(context);
  CHECK((*context)->expiry().certificate == Noon(2050));
  REQUIRE((*context)->expiry().ca);
  CHECK(*(*context)->expiry().ca > Noon(2050));

  SECTION("changed files count from the next connection on") {
    folder.WriteCertificate(own);
    CHECK((*context)->expiry().certificate == Noon(2050));
    (*context)->Current();
    CHECK((*context)->expiry().certificate == Noon(2061));
  }
  SECTION("files that cannot be used change nothing") {
    folder.Write("cert.pem", "rubbish");
    (*context)->Current();
    CHECK((*context)->expiry().certificate == Noon(2050));
  }
}

TEST_CASE("a context tells no end of a file that it has not", "[net][tls]") {
  TestAuthority authority;
  TlsFolder folder;
  folder.WriteAuthority(authority);
  folder.WriteCertificate(authority.Issue({}));
  auto client = TlsContext::ForClient({folder.Path("ca.pem"), "", ""});
  REQUIRE(client);
  CHECK_FALSE((*client)->expiry().certificate);
  CHECK((*client)->expiry().ca);
  auto server = TlsContext::ForServer({"", folder.Path("cert.pem"), folder.Path("key.pem")},
                                      ClientCertificates::kIgnored);
  REQUIRE(server);
  CHECK((*server)->expiry().certificate);
  CHECK_FALSE((*server)->expiry().ca);
}

}  // namespace
}  // namespace dunlin::net
