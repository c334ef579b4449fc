#include "protocol/base/agent_scope.h"

#include <string>

#include "protocol/base/certificate_role.h"
#include "tests/support/catch.h"

namespace dunlin {
namespace {

TEST_CASE("a scope is written as a URI and read back", "[base][scope]") {
  auto [scope, uri] = GENERATE(
      table<AgentScope, std::string>({{{"shop", "web"}, "dunlin:shop/web"},
                                      {{"shop", "web", "web-1"}, "dunlin:shop/web/web-1"},
                                      {{"shop", std::nullopt}, "dunlin:shop/*"},
                                      {{std::nullopt, std::nullopt}, "dunlin:*/*"},
                                      {{std::nullopt, "web", "web-1"}, "dunlin:*/web/web-1"},
                                      {{"a/b", "*", "\xC3\xBC%"}, "dunlin:a%2Fb/%2A/%C3%BC%25"}}));
  CAPTURE(uri);
  CHECK(scope.ToUri() == uri);
  auto parsed = AgentScope::Parse(uri);
  REQUIRE(parsed);
  CHECK(*parsed == scope);
}

TEST_CASE("what is no scope is refused", "[base][scope]") {
  auto uri =
      GENERATE(as<std::string>{}, "", "dunlin:", "dunlin:shop", "dunlin:shop/", "dunlin:/web",
               "dunlin:shop/web/", "dunlin:shop/web/web-1/more", "https://shop/web", "shop/web");
  CAPTURE(uri);
  auto parsed = AgentScope::Parse(uri);
  REQUIRE_FALSE(parsed);
  CHECK(parsed.error().code() == ErrorCode::kInvalidArgument);
}

TEST_CASE("a certificate speaks for the agents of its scopes and no other", "[base][scope]") {
  PeerIdentity identity;
  CHECK_FALSE(SpeaksFor(identity, "shop", "web", "web-1"));
  identity.names = {"dunlin:shop/web"};  // not where scopes are
  CHECK_FALSE(SpeaksFor(identity, "shop", "web", "web-1"));
  identity.uris = {"https://example.com/", "dunlin:shop/web", "dunlin:bank/*/till-1"};
  CHECK(SpeaksFor(identity, "shop", "web", "web-1"));
  CHECK(SpeaksFor(identity, "shop", "web", ""));
  CHECK_FALSE(SpeaksFor(identity, "shop", "we", "web-1"));
  CHECK_FALSE(SpeaksFor(identity, "shop", "web2", "web-1"));
  CHECK_FALSE(SpeaksFor(identity, "Shop", "web", "web-1"));
  CHECK(SpeaksFor(identity, "bank", "till", "till-1"));
  CHECK_FALSE(SpeaksFor(identity, "bank", "till", "till-2"));
  CHECK_FALSE(SpeaksFor(identity, "bank", "web", "web-1"));
}

TEST_CASE("a star that is escaped is a name", "[base][scope]") {
  PeerIdentity identity;
  identity.uris = {"dunlin:%2A/%2A"};
  CHECK(SpeaksFor(identity, "*", "*", "any"));
  CHECK_FALSE(SpeaksFor(identity, "shop", "web", "any"));
}

TEST_CASE("a role is one of the organizational units", "[base][scope]") {
  PeerIdentity identity;
  identity.organizational_units = {"operations", "agent"};
  CHECK(HasRole(identity, role::kAgent));
  CHECK_FALSE(HasRole(identity, role::kCollector));
  CHECK_FALSE(HasRole(identity, "age"));
}

}  // namespace
}  // namespace dunlin
