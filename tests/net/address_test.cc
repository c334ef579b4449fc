#include "protocol/net/address.h"

#include <string>
#include <tuple>

#include "tests/support/catch.h"

namespace dunlin::net {
namespace {

TEST_CASE("addresses are read and written back", "[net][address]") {
  auto [text, host, port] = GENERATE(table<std::string, std::string, int>({
      {"127.0.0.1:3100", "127.0.0.1", 3100},
      {"collector.internal:18889", "collector.internal", 18889},
      {"a_b-c.d:0", "a_b-c.d", 0},
      {"[::1]:80", "::1", 80},
      {"[2001:db8::7]:65535", "2001:db8::7", 65535},
      {":80", "", 80},
      {"localhost:1", "localhost", 1},
  }));
  CAPTURE(text);
  auto address = HostPort::Parse(text);
  REQUIRE(address);
  CHECK(address->host == host);
  CHECK(address->port == port);
  CHECK(address->ToString() == text);
}

TEST_CASE("what is not an address is refused with an example", "[net][address]") {
  std::string text = GENERATE(as<std::string>(), "", "localhost", "localhost:", "localhost:port",
                              "localhost:65536", "localhost:-1", "localhost: 80", "::1:80",
                              "[::1]80", "[::1", "[]:80", "[127.0.0.1]:80", "[zz]:80",
                              "http://collector:80", "a b:80", "host/path:80");
  CAPTURE(text);
  auto address = HostPort::Parse(text);
  REQUIRE_FALSE(address);
  CHECK(address.error().code() == ErrorCode::kInvalidArgument);
  CHECK(address.error().message().find("127.0.0.1:3100") != std::string::npos);
}

TEST_CASE("loopback is what only this machine can reach", "[net][address]") {
  auto [host, loopback] = GENERATE(table<std::string, bool>({
      {"127.0.0.1", true},
      {"127.8.9.10", true},
      {"::1", true},
      {"::ffff:127.0.0.1", true},
      {"localhost", true},
      {"LocalHost.", true},
      {"", false},
      {"0.0.0.0", false},
      {"::", false},
      {"128.0.0.1", false},
      {"10.0.0.1", false},
      {"::ffff:10.0.0.1", false},
      {"localhost.example", false},
      {"127.0.0.1.example", false},
  }));
  CAPTURE(host);
  CHECK(HostPort{host, 80}.is_loopback() == loopback);
}

}  // namespace
}  // namespace dunlin::net
