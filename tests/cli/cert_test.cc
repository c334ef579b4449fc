#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "controller/certificates/authority.h"
#include "controller/certificates/folder.h"
#include "controller/cli/commands.h"
#include "protocol/base/file_system.h"
#include "protocol/base/text.h"
#include "tests/cli/fake_servers.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

namespace dunlin::cli {
namespace {

using namespace std::chrono_literals;
using test::FakeServers;
using test::HasText;

/// A clock that stands where the test puts it.
struct SetClock final : Clock {
  LogTime Now() const override { return now; }
  SteadyTime Steady() const override { return {}; }
  LogTime now = std::chrono::sys_days(std::chrono::year(2026) / 11 / 21) + 12h;
};

/// A folder in which certificates are made, as by one command line after another.
struct CertFolder {
  CertFolder() : path(temporary.File("certs")) {}

  ExitStatus Init(CertInitCommand command = {}) {
    command.folder = path;
    return RunCertInit(MakeContext(), command);
  }
  ExitStatus Issue(CertIssueCommand command) {
    command.folder = path;
    return RunCertIssue(MakeContext(), command);
  }
  ExitStatus Renew(CertRenewCommand command) {
    command.folder = path;
    return RunCertRenew(MakeContext(), command);
  }

  Context MakeContext() {
    servers.terminal = {};
    Context context = servers.MakeContext();
    return {context.common, context.terminal, clock,
            context.send,   context.pause,    context.on_interrupt};
  }
  std::string& out() { return servers.terminal.out; }
  std::string& error() { return servers.terminal.error; }

  std::string Text(const std::string& name) const {
    auto text = ReadFile(PosixFileSystem(), path + "/" + name);
    REQUIRE(text);
    return *text;
  }
  certificates::Content Certificate(const std::string& name) const {
    auto read = certificates::ReadCertificate(Text(name + ".pem"));
    REQUIRE(read);
    return *read;
  }
  bool Signed(const std::string& name) const {
    auto authority = certificates::Authority::Load({Text("ca.pem"), Text("ca.key")});
    REQUIRE(authority);
    return authority->HasSigned(Text(name + ".pem"));
  }
  mode_t Permissions(const std::string& name) const {
    struct stat found {};
    REQUIRE(::stat((path + "/" + name).c_str(), &found) == 0);
    return found.st_mode & 0777;
  }

  testing::TempDir temporary;
  std::string path;
  SetClock clock;
  FakeServers servers;
};

CertIssueCommand IssueOf(std::string role, std::string name) {
  CertIssueCommand command;
  command.role = std::move(role);
  command.name = std::move(name);
  return command;
}

CertRenewCommand RenewOf(std::string name) {
  CertRenewCommand command;
  command.names = {std::move(name)};
  return command;
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("cert init makes an authority whose key is its owner's alone", "[cli][cert]") {
  CertFolder certs;
  CHECK(certs.Init() == ExitStatus::kOk);
  CHECK(certs.Permissions("ca.key") == 0600);
  const certificates::Content ca = certs.Certificate("ca");
  CHECK(ca.common_name == "dunlin CA");
  CHECK(ca.validity.not_before == certs.clock.now - 1h);
  CHECK(ca.validity.not_after == certs.clock.now + 24h * 3650);
  CHECK_THAT(certs.out(), HasText("dunlin cert issue collector NAME --host HOST --dir "));
}

TEST_CASE("cert init does not replace an authority unless it is forced to", "[cli][cert]") {
  CertFolder certs;
  REQUIRE(certs.Init() == ExitStatus::kOk);
  const std::string before = certs.Text("ca.pem");
  CHECK(certs.Init() == ExitStatus::kFailed);
  CHECK_THAT(certs.error(), HasText("already") && HasText("--force"));
  CHECK(certs.Text("ca.pem") == before);
  CertInitCommand forced;
  forced.force = true;
  CHECK(certs.Init(forced) == ExitStatus::kOk);
  CHECK(certs.Text("ca.pem") != before);
}

TEST_CASE("a collector's certificate has its names and addresses", "[cli][cert]") {
  CertFolder certs;
  REQUIRE(certs.Init() == ExitStatus::kOk);
  CertIssueCommand command = IssueOf("collector", "c1");
  command.hosts = {"logs.example.net", "10.0.0.1", "2001:db8::1", "127.0.0.1", "node7"};
  REQUIRE(certs.Issue(command) == ExitStatus::kOk);
  const certificates::Content content = certs.Certificate("c1");
  CHECK(content.common_name == "c1");
  CHECK(content.role == "collector");
  CHECK(content.dns_names == Names{"localhost", "logs.example.net", "node7"});
  CHECK(content.ip_addresses == Names{"127.0.0.1", "::1", "10.0.0.1", "2001:db8::1"});
  CHECK(content.uris.empty());
  CHECK(content.for_servers);
  CHECK_FALSE(content.for_clients);
  CHECK(certs.Signed("c1"));
  CHECK(certs.Permissions("c1.key") == 0600);
  CHECK_THAT(certs.out(),
             HasText(Join("dunlin-collector --tls-client-ca ", certs.path, "/ca.pem --tls-cert ",
                          certs.path, "/c1.pem --tls-key ", certs.path, "/c1.key")));
}

TEST_CASE("an agent's certificate says what it may call itself", "[cli][cert]") {
  CertFolder certs;
  REQUIRE(certs.Init() == ExitStatus::kOk);
  auto [project, service, container, uri] =
      GENERATE(table<std::string, std::string, std::string, std::string>(
          {{"default", "*", "*", "dunlin:default/*"},
           {"shop", "web", "*", "dunlin:shop/web"},
           {"shop", "web", "web-1", "dunlin:shop/web/web-1"},
           {"a b", "w/b", "*", "dunlin:a%20b/w%2Fb"},
           {"*", "*", "*", "dunlin:*/*"}}));
  CertIssueCommand command = IssueOf("agent", "web");
  command.project = project;
  command.service = service;
  command.container = container;
  REQUIRE(certs.Issue(command) == ExitStatus::kOk);
  const certificates::Content content = certs.Certificate("web");
  CHECK(content.role == "agent");
  CHECK(content.uris == Names{uri});
  CHECK(content.for_servers);
  CHECK(content.for_clients);
  CHECK_THAT(certs.out(), HasText("dunlin-agent --tls-ca "));
}

TEST_CASE("certificates for commands and for metrics connect", "[cli][cert]") {
  CertFolder certs;
  REQUIRE(certs.Init() == ExitStatus::kOk);
  REQUIRE(certs.Issue(IssueOf("controller", "ops")) == ExitStatus::kOk);
  CHECK_THAT(certs.out(), HasText("curl --cacert "));
  REQUIRE(certs.Issue(IssueOf("metrics", "prometheus")) == ExitStatus::kOk);
  CHECK_THAT(certs.out(), HasText("ca_file: " + certs.path + "/ca.pem"));
  CHECK(certs.Certificate("ops").role == "controller");
  CHECK(certs.Certificate("ops").for_clients);
  const certificates::Content metrics = certs.Certificate("prometheus");
  CHECK(metrics.role == "metrics");
  CHECK(metrics.for_clients);
  CHECK_FALSE(metrics.for_servers);
  CHECK(metrics.dns_names.empty());
}

TEST_CASE("files of a name are not replaced unless forced, a lone key included", "[cli][cert]") {
  CertFolder certs;
  REQUIRE(certs.Init() == ExitStatus::kOk);
  REQUIRE(certs.Issue(IssueOf("agent", "web")) == ExitStatus::kOk);
  const std::string key = certs.Text("web.key");
  REQUIRE(::unlink((certs.path + "/web.pem").c_str()) == 0);
  CHECK(certs.Issue(IssueOf("agent", "web")) == ExitStatus::kFailed);
  CHECK_THAT(certs.error(), HasText("--force"));
  CHECK(certs.Text("web.key") == key);
  CertIssueCommand forced = IssueOf("agent", "web");
  forced.force = true;
  CHECK(certs.Issue(forced) == ExitStatus::kOk);
  CHECK(certs.Text("web.key") != key);
  CHECK(certs.Permissions("web.key") == 0600);
}

TEST_CASE("without an authority the way to make one is told, and no folder is made",
          "[cli][cert]") {
  CertFolder certs;
  CHECK(certs.Issue(IssueOf("agent", "web")) == ExitStatus::kFailed);
  CHECK_THAT(certs.error(), HasText("dunlin cert init --dir " + certs.path));
  CHECK_FALSE(PosixFileSystem().Exists(certs.path));
}

TEST_CASE("a certificate does not outlive its authority", "[cli][cert]") {
  CertFolder certs;
  CertInitCommand init;
  init.valid = 24h * 30;
  REQUIRE(certs.Init(init) == ExitStatus::kOk);
  REQUIRE(certs.Issue(IssueOf("agent", "web")) == ExitStatus::kOk);
  CHECK(certs.Certificate("web").validity.not_after == certs.clock.now + 24h * 30);
  CHECK_THAT(certs.out(), HasText("good until 2026-12-21"));

  certs.clock.now += 24h * 31;
  CHECK(certs.Issue(IssueOf("agent", "late")) == ExitStatus::kFailed);
  CHECK_THAT(certs.error(), HasText("the CA ended on 2026-12-21: dunlin cert renew ca"));
  CHECK(certs.Renew(RenewOf("ca")) == ExitStatus::kOk);
  CHECK(certs.Issue(IssueOf("agent", "late")) == ExitStatus::kOk);
  CHECK(certs.Signed("web"));
}

TEST_CASE("cert renew keeps names, key and length, and replaces the file", "[cli][cert]") {
  CertFolder certs;
  REQUIRE(certs.Init() == ExitStatus::kOk);
  CertIssueCommand command = IssueOf("collector", "c1");
  command.hosts = {"logs.example.net"};
  command.valid = 24h * 90;
  REQUIRE(certs.Issue(command) == ExitStatus::kOk);
  const certificates::Content before = certs.Certificate("c1");
  const std::string key = certs.Text("c1.key");

  certs.clock.now += 24h * 60;
  REQUIRE(certs.Renew(RenewOf("c1")) == ExitStatus::kOk);
  certificates::Content after = certs.Certificate("c1");
  CHECK(after.validity.not_after == certs.clock.now + 24h * 90);
  CHECK(certs.Text("c1.key") == key);
  after.validity = before.validity;
  CHECK(after == before);
  CHECK(certs.Signed("c1"));

  CertRenewCommand longer = RenewOf("c1");
  longer.valid = 24h * 200;
  longer.new_key = true;
  REQUIRE(certs.Renew(longer) == ExitStatus::kOk);
  CHECK(certs.Certificate("c1").validity.not_after == certs.clock.now + 24h * 200);
  CHECK(certs.Text("c1.key") != key);
  CHECK(certs.Permissions("c1.key") == 0600);
}

TEST_CASE("cert renew takes all that end soon, and goes on after a bad one", "[cli][cert]") {
  CertFolder certs;
  REQUIRE(certs.Init() == ExitStatus::kOk);
  CertIssueCommand soon = IssueOf("agent", "soon");
  soon.valid = 24h * 20;
  REQUIRE(certs.Issue(soon) == ExitStatus::kOk);
  REQUIRE(certs.Issue(IssueOf("agent", "later")) == ExitStatus::kOk);
  const std::string ca = certs.Text("ca.pem");
  const std::string later = certs.Text("later.pem");
  REQUIRE(WriteFileAtomically(PosixFileSystem(), certs.path + "/bad.pem", "no certificate"));
  certs.clock.now += 24h;
  CertRenewCommand command;
  command.within = 24h * 30;
  CHECK(certs.Renew(command) != ExitStatus::kOk);
  CHECK_THAT(certs.error(), HasText("bad.pem: no certificate in PEM"));
  CHECK(certs.Certificate("soon").validity.not_after == certs.clock.now + 24h * 20);
  CHECK(certs.Text("later.pem") == later);
  CHECK(certs.Text("ca.pem") == ca);
}

TEST_CASE("cert renew does not sign for another authority unless forced", "[cli][cert]") {
  CertFolder certs;
  REQUIRE(certs.Init() == ExitStatus::kOk);
  REQUIRE(certs.Issue(IssueOf("controller", "ops")) == ExitStatus::kOk);
  CertInitCommand again;
  again.force = true;
  REQUIRE(certs.Init(again) == ExitStatus::kOk);
  CHECK(certs.Renew(RenewOf("ops")) == ExitStatus::kFailed);
  CHECK_THAT(certs.error(), HasText("has not signed") && HasText("--force"));
  CHECK_FALSE(certs.Signed("ops"));
  CertRenewCommand forced = RenewOf("ops");
  forced.force = true;
  CHECK(certs.Renew(forced) == ExitStatus::kOk);
  CHECK(certs.Signed("ops"));
}

TEST_CASE("cert waits for nobody: a folder in use by another is refused", "[cli][cert]") {
  CertFolder certs;
  REQUIRE(certs.Init() == ExitStatus::kOk);
  auto other = certificates::Folder::Open(PosixFileSystem(), certs.path);
  REQUIRE(other);
  CHECK(certs.Issue(IssueOf("agent", "web")) == ExitStatus::kFailed);
  CHECK_THAT(certs.error(), HasText("another process uses this folder"));
}

TEST_CASE("cert answers programs with an object a certificate", "[cli][cert]") {
  CertFolder certs;
  certs.servers.common.json = true;
  REQUIRE(certs.Init() == ExitStatus::kOk);
  REQUIRE(certs.Issue(IssueOf("agent", "web")) == ExitStatus::kOk);
  CHECK(certs.out() ==
        Join(R"({"name":"web","certificate":")", certs.path, R"(/web.pem","key":")", certs.path,
             R"(/web.key","new_key":true,"ca":")", certs.path,
             R"(/ca.pem","role":"agent","not_after":"2027-11-21T12:00:00.000000000Z"})", "\n"));
}

}  // namespace dunlin::cli
