// What a TLS context says about its files.
#include "protocol/net/tls_context.h"

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

}  // namespace
}  // namespace dunlin::net
