#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "protocol/net/connection.h"
#include "tests/net/ports.h"
#include "tests/support/catch.h"
#include "tests/support/loop_runner.h"

namespace dunlin::net {
namespace {

using namespace std::chrono_literals;
using testing::RunUntil;
using Outcome = Result<std::unique_ptr<Connection>>;

Outcome Connect(Loop& loop, const HostPort& address, std::chrono::milliseconds timeout = 10s) {
  std::optional<Outcome> outcome;
  int calls = 0;
  auto connector = Connector::Connect(loop, address, timeout, [&](Outcome result) {
    outcome = std::move(result);
    ++calls;
  });
  CHECK(calls == 0);  // never before it returns
  RunUntil(loop, [&] { return calls > 0; });
  for (int i = 0; i < 5; ++i) loop.RunOnce();
  CHECK(calls == 1);
  return std::move(*outcome);
}

TEST_CASE("a port where nobody listens is refused, with the address in the error",
          "[net][connector]") {
  Loop loop;
  ClosedPort closed;
  auto outcome = Connect(loop, {"127.0.0.1", closed.port});
  REQUIRE_FALSE(outcome);
  CHECK(outcome.error() == Error(ErrorCode::kUnavailable,
                                 "cannot connect to 127.0.0.1:" + std::to_string(closed.port) +
                                     ": connection refused"));
}

TEST_CASE("a peer that does not answer is a timeout", "[net][connector]") {
  Loop loop;
  FullPort full;
  auto start = std::chrono::steady_clock::now();
  auto outcome = Connect(loop, {"127.0.0.1", full.port}, 100ms);
  CHECK(std::chrono::steady_clock::now() - start >= 100ms);
  REQUIRE_FALSE(outcome);
  CHECK(outcome.error().code() == ErrorCode::kTimeout);
  CHECK(outcome.error().message().find("within 100ms") != std::string::npos);
}

TEST_CASE("localhost needs no resolver and is tried in both families", "[net][connector]") {
  Loop loop;
  std::string at = GENERATE(as<std::string>(), "127.0.0.1", "::1");
  auto listener = Listener::Listen(loop, {at, 0}, [](auto) {});
  if (!listener && at == "::1") return;  // no IPv6 here
  REQUIRE(listener);
  std::string name = GENERATE(as<std::string>(), "localhost", "LOCALHOST", "localhost.", "");
  CAPTURE(at, name);
  auto outcome = Connect(loop, {name, (*listener)->local_address().port});
  REQUIRE(outcome);
  CHECK((*outcome)->peer().find(at) != std::string::npos);
}

TEST_CASE("one address that hangs leaves time for the next", "[net][connector]") {
  Loop loop;
  FullPort full;
  auto v6 = Listener::Listen(loop, {"::1", full.port}, [](auto) {});
  if (!v6) return;  // no IPv6 here
  auto outcome = Connect(loop, {"localhost", full.port}, 400ms);
  REQUIRE(outcome);
  CHECK((*outcome)->peer().starts_with("[::1]:"));
}

TEST_CASE("a name that no host can have fails", "[net][connector]") {
  Loop loop;
  // Never in DNS (RFC 6761 section 6.4); without a name server there is no answer either.
  auto outcome = Connect(loop, {"collector.invalid", 80}, 3s);
  REQUIRE_FALSE(outcome);
  CHECK(outcome.error().code() == ErrorCode::kNotFound);
  CHECK(outcome.error().message().starts_with("cannot connect to collector.invalid:80: "));
}

TEST_CASE("a destroyed connector does not call, and the loop closes clean", "[net][connector]") {
  Loop loop;
  FullPort full;
  ClosedPort closed;
  bool called = false;
  auto call = [&](const Outcome&) { called = true; };
  for (HostPort address : {HostPort{"127.0.0.1", full.port}, HostPort{"127.0.0.1", closed.port},
                           HostPort{"collector.invalid", 80}}) {
    auto at_once = Connector::Connect(loop, address, 1s, call);
    at_once.reset();
    auto after_a_turn = Connector::Connect(loop, address, 1s, call);
    loop.RunOnce();
    called = false;  // a refusal may be that quick
    after_a_turn.reset();
    for (int i = 0; i < 5; ++i) loop.RunOnce();
    CHECK_FALSE(called);
  }
}

TEST_CASE("a connector may be destroyed by its callback", "[net][connector]") {
  Loop loop;
  ClosedPort closed;
  auto listener = Listener::Listen(loop, {"127.0.0.1", 0}, [](auto) {});
  REQUIRE(listener);
  bool refused = GENERATE(true, false);
  std::uint16_t port = refused ? closed.port : (*listener)->local_address().port;
  std::unique_ptr<Connector> connector;
  bool called = false;
  connector = Connector::Connect(loop, {"127.0.0.1", port}, 10s, [&](const Outcome&) {
    connector.reset();
    called = true;
  });
  RunUntil(loop, [&] { return called; });
}

TEST_CASE("the connection outlives its connector", "[net][connector]") {
  Loop loop;
  std::unique_ptr<Connection> accepted;
  auto listener = Listener::Listen(
      loop, {"127.0.0.1", 0}, [&](std::unique_ptr<Connection> end) { accepted = std::move(end); });
  REQUIRE(listener);
  auto outcome = Connect(loop, (*listener)->local_address());
  REQUIRE(outcome);
  std::string got;
  RunUntil(loop, [&] { return accepted != nullptr; });
  accepted->on_data = [&](std::string_view bytes) { got += bytes; };
  accepted->StartReading();
  (*outcome)->Write("hello");
  RunUntil(loop, [&] { return got == "hello"; });
}

}  // namespace
}  // namespace dunlin::net
