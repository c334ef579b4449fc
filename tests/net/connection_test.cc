#include "protocol/net/connection.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/catch.h"
#include "tests/support/loop_runner.h"

namespace dunlin::net {
namespace {

using namespace std::chrono_literals;
using testing::RunUntil;

/// Two ends of one connection over loopback.
struct Pair {
  explicit Pair(Loop& l) : loop(l) {
    auto listener =
        Listener::Listen(loop, {"127.0.0.1", 0},
                         [this](std::unique_ptr<Connection> end) { server = std::move(end); });
    REQUIRE(listener);
    auto connector = Connector::Connect(loop, (*listener)->local_address(), 10s,
                                        [this](Result<std::unique_ptr<Connection>> result) {
                                          REQUIRE(result);
                                          client = std::move(*result);
                                        });
    RunUntil(loop, [&] { return client && server; });
  }

  Loop& loop;
  std::unique_ptr<Connection> client;
  std::unique_ptr<Connection> server;
};

/// Reads one end, and remembers what came and how it ended.
struct Reader {
  explicit Reader(Connection& end) {
    end.on_data = [this](std::string_view bytes) { text += bytes; };
    end.on_close = [this](std::optional<Error> why) {
      ++closes;
      reason = std::move(why);
    };
    end.StartReading();
  }
  std::string text;
  int closes = 0;
  std::optional<Error> reason;
};

/// Bytes that show a loss, a repetition or a swap.
std::string Pattern(std::size_t size) {
  std::string bytes(size, '\0');
  std::uint32_t state = 1;
  for (char& byte : bytes) {
    state = state * 1664525 + 1013904223;
    byte = static_cast<char>(state >> 24);
  }
  return bytes;
}

TEST_CASE("bytes arrive both ways, in order and unchanged", "[net][connection]") {
  Loop loop;
  Pair pair(loop);
  Reader server(*pair.server);
  Reader client(*pair.client);
  std::string up = Pattern(5'000'000);
  for (std::size_t at = 0; at < up.size();) {
    std::size_t size = std::min<std::size_t>(1 + at % 70'000, up.size() - at);
    pair.client->Write(up.substr(at, size));
    at += size;
  }
  pair.server->Write("down");
  RunUntil(loop, [&] { return server.text.size() >= up.size() && client.text.size() >= 4; });
  CHECK(server.text == up);
  CHECK(client.text == "down");
  CHECK(pair.client->pending_write_bytes() == 0);
}

TEST_CASE("one read takes as much as the loop was told, whatever is there", "[net][connection]") {
  Loop loop(1000);
  Pair pair(loop);
  std::string text;
  std::size_t most = 0;
  pair.server->on_data = [&](std::string_view bytes) {
    text += bytes;
    most = std::max(most, bytes.size());
  };
  pair.server->StartReading();
  const std::string sent = Pattern(100'000);
  pair.client->Write(sent);
  RunUntil(loop, [&] { return text.size() >= sent.size(); });
  CHECK(text == sent);
  CHECK(most <= 1000);
}

TEST_CASE("peers are named as addresses", "[net][connection]") {
  Loop loop;
  Pair pair(loop);
  CHECK(pair.client->peer().starts_with("127.0.0.1:"));
  CHECK(pair.server->peer().starts_with("127.0.0.1:"));
  CHECK(pair.client->peer() != pair.server->peer());
}

TEST_CASE("nothing is read before reading starts or while it is stopped", "[net][connection]") {
  Loop loop;
  Pair pair(loop);
  std::string got;
  pair.server->on_data = [&](std::string_view bytes) {
    got += bytes;
    pair.server->StopReading();
  };
  pair.client->Write("one");
  for (int i = 0; i < 20; ++i) loop.RunOnce();
  CHECK(got.empty());
  pair.server->StartReading();
  RunUntil(loop, [&] { return got == "one"; });
  pair.client->Write("two");
  for (int i = 0; i < 20; ++i) loop.RunOnce();
  CHECK(got == "one");
  pair.server->StartReading();
  RunUntil(loop, [&] { return got == "onetwo"; });
}

TEST_CASE("what the peer does not read is counted as pending, then drained", "[net][connection]") {
  Loop loop;
  Pair pair(loop);
  constexpr std::size_t kMuch = 32 << 20;
  int drained = 0;
  pair.client->on_drained = [&] { ++drained; };
  pair.client->Write(std::string(kMuch / 2, 'a'));
  pair.client->Write(std::string(kMuch / 2, 'b'));
  CHECK(drained == 0);  // never during Write
  for (int i = 0; i < 200; ++i) loop.RunOnce();
  CHECK(pair.client->pending_write_bytes() > kMuch / 2);
  CHECK(pair.client->pending_write_bytes() < kMuch);
  CHECK(drained == 0);
  std::size_t got = 0;
  pair.server->on_data = [&](std::string_view bytes) { got += bytes.size(); };
  pair.server->StartReading();
  RunUntil(loop, [&] { return got == kMuch && drained == 1; });
  CHECK(pair.client->pending_write_bytes() == 0);
}

TEST_CASE("many small writes travel in few reads", "[net][connection]") {
  Loop loop;
  Pair pair(loop);
  int reads = 0;
  std::string got;
  pair.server->on_data = [&](std::string_view bytes) {
    ++reads;
    got += bytes;
  };
  pair.server->StartReading();
  for (int i = 0; i < 1000; ++i) pair.client->Write("0123456789");
  RunUntil(loop, [&] { return got.size() == 10'000; });
  CHECK(reads <= 3);
}

TEST_CASE("a write from the drained callback goes out", "[net][connection]") {
  Loop loop;
  Pair pair(loop);
  Reader server(*pair.server);
  int rounds = 0;
  pair.client->on_drained = [&] {
    if (++rounds < 5) pair.client->Write("x");
  };
  pair.client->Write("x");
  RunUntil(loop, [&] { return server.text == "xxxxx" && rounds == 5; });
}

TEST_CASE("the peer's orderly end closes without a reason, once", "[net][connection]") {
  Loop loop;
  Pair pair(loop);
  Reader server(*pair.server);
  pair.client->Write("last words");
  RunUntil(loop, [&] { return server.text == "last words"; });
  pair.client.reset();
  RunUntil(loop, [&] { return server.closes > 0; });
  CHECK_FALSE(server.reason);
  pair.server->Write("nobody");
  pair.server->StartReading();
  pair.server->CloseAfterWrites(0ms);
  for (int i = 0; i < 20; ++i) loop.RunOnce();
  CHECK(server.closes == 1);
}

TEST_CASE("a peer that drops unread bytes is an error with its address", "[net][connection]") {
  Loop loop;
  Pair pair(loop);
  Reader server(*pair.server);
  pair.server->Write("never read");
  for (int i = 0; i < 20; ++i) loop.RunOnce();
  pair.client.reset();  // with bytes unread the kernel answers with a reset
  RunUntil(loop, [&] { return server.closes > 0; });
  REQUIRE(server.reason);
  CHECK(server.reason->code() == ErrorCode::kUnavailable);
  CHECK(server.reason->message().find("127.0.0.1:") != std::string::npos);
}

TEST_CASE("a failed write is reported once, through on_close", "[net][connection]") {
  Loop loop;
  Pair pair(loop);
  int closes = 0;
  std::optional<Error> reason;
  pair.server->on_close = [&](std::optional<Error> why) {
    ++closes;
    reason = std::move(why);
  };
  pair.server->Write("unread");
  for (int i = 0; i < 20; ++i) loop.RunOnce();
  pair.client.reset();
  // Not reading, so only writes can tell.
  RunUntil(loop, [&] {
    pair.server->Write("x");
    return closes > 0;
  });
  CHECK(reason);
  CHECK(pair.server->pending_write_bytes() == 0);
  for (int i = 0; i < 20; ++i) loop.RunOnce();
  CHECK(closes == 1);
}

TEST_CASE("what a peer said before it closed on us is still read", "[net][connection]") {
  Loop loop;
  Pair pair(loop);
  // The server answers and closes with our bytes unread, while we go on writing.
  pair.client->Write("unread");
  for (int i = 0; i < 20; ++i) loop.RunOnce();
  pair.server->Write("go away");
  pair.server.reset();
  std::string got;
  int closes = 0;
  pair.client->on_data = [&](std::string_view bytes) { got += bytes; };
  pair.client->on_close = [&](const std::optional<Error>&) { ++closes; };
  pair.client->StartReading();
  pair.client->Write("more");
  pair.client->Write("and more");
  RunUntil(loop, [&] { return closes == 1; });
  CHECK(got == "go away");
}

TEST_CASE("closing after writes delivers everything, to a peer that still sends too",
          "[net][connection]") {
  Loop loop;
  Pair pair(loop);
  Reader server(*pair.server);
  int closes = 0;
  std::optional<Error> reason;
  bool data_after_close = false;
  pair.client->on_data = [&](std::string_view) { data_after_close = true; };
  pair.client->on_close = [&](std::optional<Error> why) {
    ++closes;
    reason = std::move(why);
  };
  pair.server->Write(std::string(1 << 20, 's'));
  pair.client->Write(Pattern(3'000'000));
  pair.client->CloseAfterWrites(10s);
  pair.client->Write("too late");
  CHECK(closes == 0);
  RunUntil(loop, [&] { return server.closes == 1; });
  CHECK(server.text == Pattern(3'000'000));
  CHECK_FALSE(server.reason);
  pair.server.reset();
  RunUntil(loop, [&] { return closes == 1; });
  CHECK_FALSE(reason);
  CHECK_FALSE(data_after_close);
}

TEST_CASE("a peer that never closes is left after the linger", "[net][connection]") {
  Loop loop;
  Pair pair(loop);
  Reader client(*pair.client);
  SECTION("having taken everything") {
    pair.client->Write("x");
    pair.client->CloseAfterWrites(20ms);
    RunUntil(loop, [&] { return client.closes == 1; });
    CHECK_FALSE(client.reason);
  }
  SECTION("not having taken everything") {
    pair.client->Write(std::string(32 << 20, 'x'));
    pair.client->CloseAfterWrites(20ms);
    RunUntil(loop, [&] { return client.closes == 1; });
    REQUIRE(client.reason);
    CHECK(client.reason->code() == ErrorCode::kTimeout);
  }
  SECTION("without any patience") {
    pair.client->CloseAfterWrites(0ms);
    CHECK(client.closes == 0);  // never during the call
    RunUntil(loop, [&] { return client.closes == 1; });
  }
}

TEST_CASE("closing twice is closing once", "[net][connection]") {
  Loop loop;
  Pair pair(loop);
  Reader client(*pair.client);
  Reader server(*pair.server);
  pair.client->CloseAfterWrites(5s);
  pair.client->CloseAfterWrites(0ms);
  RunUntil(loop, [&] { return server.closes == 1; });
  pair.server->CloseAfterWrites(5s);
  RunUntil(loop, [&] { return client.closes == 1; });
}

TEST_CASE("a peer that has finished sending may still be written to", "[net][connection]") {
  Loop loop;
  Pair pair(loop);
  int ended = 0;
  Reader server(*pair.server);
  pair.server->on_end = [&] { ++ended; };
  pair.client->CloseAfterWrites(10s);
  RunUntil(loop, [&] { return ended == 1; });
  CHECK(server.closes == 0);
  pair.server->Write("late answer");
  pair.server->CloseAfterWrites(10s);
  RunUntil(loop, [&] { return server.closes == 1; });
  CHECK_FALSE(server.reason);
  CHECK(ended == 1);
}

TEST_CASE("a connection may be destroyed by any of its callbacks", "[net][connection]") {
  Loop loop;
  Pair pair(loop);
  auto owned = std::make_shared<int>(7);  // gone with the callback if that went too early
  int seen = 0;
  auto destroy = [&, owned](auto&&...) {
    pair.client.reset();
    seen += *owned;
  };
  SECTION("data") {
    pair.client->on_data = destroy;
    pair.client->StartReading();
    pair.server->Write("x");
  }
  SECTION("end") {
    pair.client->on_end = destroy;
    pair.client->StartReading();
    pair.server.reset();
  }
  SECTION("close") {
    pair.client->on_close = destroy;
    pair.client->StartReading();
    pair.server.reset();
  }
  SECTION("close by our own hand") {
    pair.client->on_close = destroy;
    pair.client->CloseAfterWrites(0ms);
  }
  SECTION("drained") {
    pair.client->on_drained = destroy;
    pair.client->Write("x");
  }
  SECTION("drained while closing") {
    pair.client->on_drained = destroy;
    pair.client->Write("x");
    pair.client->CloseAfterWrites(10s);
  }
  RunUntil(loop, [&] { return seen != 0; });
  for (int i = 0; i < 20; ++i) loop.RunOnce();
  CHECK(seen == 7);
}

TEST_CASE("destroyed with a write in flight, nothing is called and the loop closes clean",
          "[net][connection]") {
  bool called = false;
  {
    Loop loop;
    Pair pair(loop);
    auto call = [&](auto&&...) { called = true; };
    pair.client->on_data = call;
    pair.client->on_close = call;
    pair.client->on_drained = call;
    pair.client->StartReading();
    pair.client->Write(std::string(32 << 20, 'x'));
    loop.RunOnce();
    pair.client->Write(std::string(1 << 20, 'y'));
    SECTION("dropped") {}
    SECTION("dropped while closing") { pair.client->CloseAfterWrites(10s); }
    pair.server->Write("x");
    pair.client.reset();
    for (int i = 0; i < 20; ++i) loop.RunOnce();
  }
  CHECK_FALSE(called);
}

TEST_CASE("a data callback may be replaced while it runs", "[net][connection]") {
  Loop loop;
  Pair pair(loop);
  std::string first;
  std::string second;
  pair.server->on_data = [&](std::string_view bytes) {
    first += bytes;
    pair.server->on_data = [&](std::string_view more) { second += more; };
  };
  pair.server->StartReading();
  pair.client->Write("1");
  RunUntil(loop, [&] { return first == "1"; });
  pair.client->Write("2");
  RunUntil(loop, [&] { return second == "2"; });
  CHECK(first == "1");
}

}  // namespace
}  // namespace dunlin::net
