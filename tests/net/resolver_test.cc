#include "protocol/net/resolver.h"

#include <optional>
#include <set>
#include <string>

#include "tests/net/dns_server.h"
#include "tests/support/catch.h"
#include "tests/support/loop_runner.h"

namespace dunlin::net {
namespace {

using testing::RunUntil;
using Found = Result<std::vector<SocketAddress>>;

Found Resolve(Loop& loop, const DnsServer& server, const std::string& name) {
  std::optional<Found> found;
  Resolver resolver(loop, {name, 1234}, [&](Found result) { found = std::move(result); },
                    {server.address});
  CHECK_FALSE(found);  // never before the constructor returns
  RunUntil(loop, [&] { return found.has_value(); });
  return std::move(*found);
}

std::set<std::string> Texts(const std::vector<SocketAddress>& addresses) {
  std::set<std::string> texts;
  for (const auto& address : addresses) texts.insert(address.ToHostPort().ToString());
  return texts;
}

TEST_CASE("a name has the addresses its name server gives", "[net][resolver]") {
  Loop loop;
  DnsServer server(loop);
  server.ipv4 = std::string("\x7F\0\0\1\x0A\0\0\2", 8);
  server.ipv6 = std::string(15, '\0') + '\1';
  auto found = Resolve(loop, server, "collector.test");
  REQUIRE(found);
  CHECK(Texts(*found) == std::set<std::string>{"127.0.0.1:1234", "10.0.0.2:1234", "[::1]:1234"});
}

TEST_CASE("a name with addresses of one family only is found", "[net][resolver]") {
  Loop loop;
  DnsServer server(loop);
  server.ipv4 = std::string("\x0A\0\0\2", 4);
  auto found = Resolve(loop, server, "collector.test");
  REQUIRE(found);
  CHECK(Texts(*found) == std::set<std::string>{"10.0.0.2:1234"});
}

TEST_CASE("names that fail say why", "[net][resolver]") {
  Loop loop;
  DnsServer server(loop);
  SECTION("no such name") {
    server.answer = DnsServer::Answer::kNoSuchName;
    auto found = Resolve(loop, server, "collector.test");
    REQUIRE_FALSE(found);
    CHECK(found.error() ==
          Error(ErrorCode::kNotFound, "cannot resolve collector.test: no such host"));
  }
  SECTION("a name without addresses") {
    auto found = Resolve(loop, server, "collector.test");
    REQUIRE_FALSE(found);
    CHECK(found.error().code() == ErrorCode::kNotFound);
  }
  SECTION("a name server in trouble") {
    server.answer = DnsServer::Answer::kFailure;
    auto found = Resolve(loop, server, "collector.test");
    REQUIRE_FALSE(found);
    CHECK(found.error().code() == ErrorCode::kUnavailable);
  }
  SECTION("no name server there") {
    server.address = "127.0.0.1:1";
    auto found = Resolve(loop, server, "collector.test");
    REQUIRE_FALSE(found);
    CHECK(found.error().code() == ErrorCode::kUnavailable);
  }
}

TEST_CASE("a resolver destroyed while it asks does not call", "[net][resolver]") {
  Loop loop;
  DnsServer server(loop);
  server.answer = DnsServer::Answer::kSilence;
  bool called = false;
  {
    Resolver resolver(loop, {"collector.test", 1}, [&](const Found&) { called = true; },
                      {server.address});
    RunUntil(loop, [&] { return server.questions > 0; });
  }
  for (int i = 0; i < 20; ++i) loop.RunOnce();
  CHECK_FALSE(called);
}

TEST_CASE("a resolver may be destroyed by its callback", "[net][resolver]") {
  Loop loop;
  DnsServer server(loop);
  server.answer = DnsServer::Answer::kNoSuchName;
  std::optional<Resolver> resolver;
  bool called = false;
  resolver.emplace(
      loop, HostPort{"collector.test", 1},
      [&](const Found&) {
        resolver.reset();
        called = true;
      },
      Resolver::Options{server.address});
  RunUntil(loop, [&] { return called; });
}

}  // namespace
}  // namespace dunlin::net
