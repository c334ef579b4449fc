#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <ctime>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "protocol/net/connection.h"
#include "protocol/net/descriptor.h"
#include "tests/support/catch.h"
#include "tests/support/loop_runner.h"

namespace dunlin::net {
namespace {

using namespace std::chrono_literals;
using testing::RunUntil;

Result<std::unique_ptr<Connection>> Connect(Loop& loop, const HostPort& address) {
  std::optional<Result<std::unique_ptr<Connection>>> outcome;
  auto connector = Connector::Connect(
      loop, address, 10s,
      [&](Result<std::unique_ptr<Connection>> result) { outcome = std::move(result); });
  RunUntil(loop, [&] { return outcome.has_value(); });
  return std::move(*outcome);
}

bool HasIpv6() {
  Loop loop;
  return Listener::Listen(loop, {"::1", 0}, nullptr).has_value();
}

TEST_CASE("a listener takes connections on the address it was given", "[net][listener]") {
  std::string host = GENERATE(as<std::string>(), "127.0.0.1", "localhost", "", "::1", "127.9.8.7");
  if (host == "::1" && !HasIpv6()) return;
  CAPTURE(host);
  Loop loop;
  std::vector<std::unique_ptr<Connection>> accepted;
  auto listener = Listener::Listen(loop, {host, 0}, [&](std::unique_ptr<Connection> connection) {
    accepted.push_back(std::move(connection));
  });
  REQUIRE(listener);
  CHECK((*listener)->local_address().host == host);
  CHECK((*listener)->local_address().port != 0);
  auto connection = Connect(loop, (*listener)->local_address());
  REQUIRE(connection);
  RunUntil(loop, [&] { return accepted.size() == 1; });
}

TEST_CASE("without a host both IPv4 and IPv6 are served", "[net][listener]") {
  if (!HasIpv6()) return;
  Loop loop;
  std::vector<std::string> peers;
  auto listener = Listener::Listen(loop, {"", 0}, [&](std::unique_ptr<Connection> connection) {
    peers.push_back(connection->peer());
  });
  REQUIRE(listener);
  std::uint16_t port = (*listener)->local_address().port;
  auto v4 = Connect(loop, {"127.0.0.1", port});
  auto v6 = Connect(loop, {"::1", port});
  CHECK(v4);
  CHECK(v6);
  RunUntil(loop, [&] { return peers.size() == 2; });
  CHECK(peers[0].starts_with("127.0.0.1:"));  // not as a mapped address
  CHECK(peers[1].starts_with("[::1]:"));
}

TEST_CASE("a port in use is an error that names the address", "[net][listener]") {
  Loop loop;
  auto first = Listener::Listen(loop, {"127.0.0.1", 0}, [](auto) {});
  REQUIRE(first);
  HostPort address = (*first)->local_address();
  auto second = Listener::Listen(loop, address, [](auto) {});
  REQUIRE_FALSE(second);
  CHECK(second.error() ==
        Error(ErrorCode::kAlreadyExists,
              "cannot listen on " + address.ToString() + ": address already in use"));
  first->reset();
  CHECK(Listener::Listen(loop, address, [](auto) {}));  // free again at once
}

TEST_CASE("a port is free again although connections to it linger", "[net][listener]") {
  Loop loop;
  std::unique_ptr<Connection> accepted;
  auto accept = [&](std::unique_ptr<Connection> connection) { accepted = std::move(connection); };
  auto first = Listener::Listen(loop, {"127.0.0.1", 0}, accept);
  REQUIRE(first);
  HostPort address = (*first)->local_address();
  auto client = Connect(loop, address);
  RunUntil(loop, [&] { return accepted != nullptr; });
  // We close first, so the connection stays in TIME_WAIT on our side.
  accepted.reset();
  first->reset();
  CHECK(Listener::Listen(loop, address, accept));
}

TEST_CASE("an address that is not ours, or not one, is refused", "[net][listener]") {
  Loop loop;
  std::string host = GENERATE(as<std::string>(), "192.0.2.1", "collector.example", "127.1");
  auto listener = Listener::Listen(loop, {host, 0}, [](auto) {});
  REQUIRE_FALSE(listener);
  CHECK(listener.error().code() == ErrorCode::kInvalidArgument);
  CHECK(listener.error().message().find(host) != std::string::npos);
}

TEST_CASE("a listener may be destroyed by its callback, connections waiting", "[net][listener]") {
  Loop loop;
  std::unique_ptr<Listener> listener;
  int accepted = 0;
  auto made = Listener::Listen(loop, {"127.0.0.1", 0}, [&](std::unique_ptr<Connection>) {
    listener.reset();
    ++accepted;
  });
  REQUIRE(made);
  listener = std::move(*made);
  HostPort address = listener->local_address();
  std::vector<std::unique_ptr<Connector>> connectors;
  int outcomes = 0;
  for (int i = 0; i < 5; ++i) {
    connectors.push_back(Connector::Connect(loop, address, 10s, [&](auto) { ++outcomes; }));
  }
  RunUntil(loop, [&] { return outcomes == 5 && accepted > 0; });
  CHECK(accepted == 1);
}

TEST_CASE("out of descriptors, connections wait, and the loop does not spin", "[net][listener]") {
  Loop loop;
  std::vector<std::unique_ptr<Connection>> accepted;
  auto listener = Listener::Listen(
      loop, {"127.0.0.1", 0},
      [&](std::unique_ptr<Connection> connection) { accepted.push_back(std::move(connection)); });
  REQUIRE(listener);
  // The kernel connects it without us, and it waits to be accepted.
  Descriptor client(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons((*listener)->local_address().port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);

  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
  rlimit none = before;
  none.rlim_cur = 3;
  REQUIRE(setrlimit(RLIMIT_NOFILE, &none) == 0);
  // Long enough for the pause to end several times.
  Timer timer(loop, [&] { loop.Stop(); });
  timer.Start(350ms);
  std::clock_t cpu = std::clock();
  loop.Run();
  double cpu_seconds = static_cast<double>(std::clock() - cpu) / CLOCKS_PER_SEC;
  REQUIRE(setrlimit(RLIMIT_NOFILE, &before) == 0);
  CHECK(accepted.empty());
  CHECK(cpu_seconds < 0.02);  // a few wake-ups, however busy the machine
  RunUntil(loop, [&] { return accepted.size() == 1; });
}

}  // namespace
}  // namespace dunlin::net
