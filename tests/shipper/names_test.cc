#include <string>

#include "tests/net/dns_server.h"
#include "tests/shipper/sender_pair.h"
#include "tests/support/catch.h"

namespace dunlin::shipper {
namespace {

using namespace std::chrono_literals;
using net::DnsServer;
using testing::ScriptedCollector;

const std::string kOld{"\x7F\0\0\1", 4};
const std::string kNew{"\x7F\0\0\2", 4};

/// A collector known by a name, and another one at the same port of another address.
struct Named : Pair {
  Named() {
    loop.UseNameServers(dns.address);
    dns.ipv4 = kOld;
    options.max_connection_age = 1h;
    Make({{"collector.test", collector.address().port}});
  }

  DnsServer dns{loop};
  ScriptedCollector moved{loop, {"127.0.0.2", collector.address().port}};
};

TEST_CASE("when the old address dies its name is resolved again", "[shipper][names]") {
  Named named;
  named.Start();
  named.Push(1);
  named.RunToEmpty();
  CHECK(named.collector.durable() == 1);
  named.dns.ipv4 = kNew;
  named.collector.CloseListener();
  named.collector.Cut();
  named.Push(1);
  named.RunToEmpty();
  CHECK(named.moved.durable() == 2);
  CHECK(named.moved.arrivals.size() == 1);
  CHECK(named.sender->peer() == named.moved.address().ToString());
}

TEST_CASE("a connection that reaches its age follows the name, although the old address answers",
          "[shipper][names]") {
  Named named;
  named.options.max_connection_age = 50ms;
  named.Make();
  named.Start();
  named.Push(1);
  named.RunToEmpty();
  CHECK(named.collector.durable() == 1);
  named.dns.ipv4 = kNew;
  named.Run([&] { return named.sender->peer() == named.moved.address().ToString(); });
  named.Push(1);
  named.RunToEmpty();
  CHECK(named.moved.durable() == 2);
  CHECK(named.collector.durable() == 1);
  CHECK(named.AllErrors() == 0);
}

TEST_CASE("of several addresses behind a name one that works is found", "[shipper][names]") {
  Named named;
  named.dns.ipv4 = kOld + kNew;
  named.collector.CloseListener();
  named.Start();
  named.Push(1);
  named.RunToEmpty();
  CHECK(named.moved.durable() == 1);
  CHECK(named.AllErrors() == 0);
}

TEST_CASE("a name that does not resolve is an error of its own kind, until it does",
          "[shipper][names]") {
  Named named;
  SECTION("because it does not exist") { named.dns.answer = DnsServer::Answer::kNoSuchName; }
  SECTION("because the name server fails") { named.dns.answer = DnsServer::Answer::kFailure; }
  SECTION("because no name server answers") {
    named.dns.answer = DnsServer::Answer::kSilence;
    named.options.connect_timeout = kShort;
    named.Make();
  }
  named.Start();
  named.Push(1);
  named.Run([&] { return named.Errors(SendErrorKind::kDns) >= 2; });
  CHECK(named.AllErrors() == named.Errors(SendErrorKind::kDns));
  CHECK_FALSE(named.sender->statistics().last_error.empty());
  named.dns.answer = DnsServer::Answer::kAddresses;
  named.RunToEmpty();
  CHECK(named.collector.durable() == 1);
}

TEST_CASE("a collector whose name does not resolve is passed over", "[shipper][names]") {
  Named named;
  named.dns.answer = DnsServer::Answer::kNoSuchName;
  named.Make({{"collector.test", 1}, named.collector.address()});
  named.Start();
  named.Push(1);
  named.RunToEmpty();
  CHECK(named.Errors(SendErrorKind::kDns) == 1);
  CHECK(named.collector.durable() == 1);
}

}  // namespace
}  // namespace dunlin::shipper
