#include "agent/passthrough.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <string>

#include "protocol/net/descriptor.h"
#include "tests/support/catch.h"
#include "tests/support/loop_runner.h"

namespace dunlin::agent {
namespace {

using testing::RunUntil;

struct Ends {
  net::Descriptor read;
  net::Descriptor write;
};

Ends MakeEnds(bool socket, bool non_blocking) {
  std::array<int, 2> fds{};
  if (socket) {
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()) == 0);
  } else {
    REQUIRE(pipe2(fds.data(), O_CLOEXEC) == 0);
  }
  fcntl(fds[0], F_SETFL, O_NONBLOCK);
  if (non_blocking) fcntl(fds[1], F_SETFL, O_NONBLOCK);
  return {net::Descriptor(fds[0]), net::Descriptor(fds[1])};
}

/// What is there to read now.
std::string ReadAll(const net::Descriptor& fd) {
  std::string all;
  std::array<char, 65536> buffer;
  ssize_t got = 0;
  while ((got = read(fd.get(), buffer.data(), buffer.size())) > 0) {
    all.append(buffer.data(), static_cast<std::size_t>(got));
  }
  return all;
}

std::string Numbers(int from, int to) {
  std::string text;
  for (int i = from; i < to; ++i) text += std::to_string(i) + "\n";
  return text;
}

TEST_CASE("bytes are copied as they are, for every kind of descriptor", "[agent][passthrough]") {
  const bool socket = GENERATE(false, true);
  const bool non_blocking = GENERATE(false, true);
  CAPTURE(socket, non_blocking);
  net::Loop loop;
  auto ends = MakeEnds(socket, non_blocking);
  Passthrough passthrough(loop, ends.write.get());
  const std::string text = std::string("\0\xFF\r\n", 4) + "no newline";
  passthrough.Write(text);
  CHECK(ReadAll(ends.read) == text);
  CHECK(passthrough.idle());
}

TEST_CASE("a reader that takes its time gets everything that the backlog holds",
          "[agent][passthrough]") {
  const bool socket = GENERATE(false, true);
  const bool non_blocking = GENERATE(false, true);
  CAPTURE(socket, non_blocking);
  net::Loop loop;
  auto ends = MakeEnds(socket, non_blocking);
  Passthrough passthrough(loop, ends.write.get(), 1 << 20);
  bool idle = false;
  passthrough.on_idle = [&] { idle = true; };
  const std::string text = Numbers(0, 100'000);
  passthrough.Write(text);  // far more than a pipe takes, and it returns
  CHECK_FALSE(passthrough.idle());
  std::string got;
  RunUntil(loop, [&] {
    got += ReadAll(ends.read);
    return idle;
  });
  got += ReadAll(ends.read);
  CHECK(got == text);
  CHECK(passthrough.dropped_bytes() == 0);
}

TEST_CASE("a reader that has stopped costs whole lines, counted", "[agent][passthrough]") {
  net::Loop loop;
  auto ends = MakeEnds(/*socket=*/false, /*non_blocking=*/true);
  Passthrough passthrough(loop, ends.write.get(), 4096);
  std::string written;
  for (int i = 0; i < 20'000; i += 3) {
    // Chunks that end in the middle of a line.
    std::string text = Numbers(i, i + 3);
    passthrough.Write(text.substr(0, text.size() / 2));
    passthrough.Write(text.substr(text.size() / 2));
    written += text;
  }
  CHECK(passthrough.dropped_bytes() > 0);
  std::string got;
  RunUntil(loop, [&] {
    got += ReadAll(ends.read);
    return passthrough.idle();
  });
  passthrough.Write("the end\n");
  got += ReadAll(ends.read);
  CHECK(got.size() + passthrough.dropped_bytes() == written.size() + 8);
  // Every line that came through is one that was written, in order.
  std::size_t from = 0;
  int last = -1;
  while (from < got.size()) {
    std::size_t end = got.find('\n', from);
    REQUIRE(end != std::string::npos);
    std::string line = got.substr(from, end - from);
    from = end + 1;
    if (line == "the end") break;
    CHECK(std::stoi(line) > last);
    last = std::stoi(line);
    CHECK(std::to_string(last) == line);
  }
}

TEST_CASE("a reader that has gone turns the passthrough off", "[agent][passthrough]") {
  net::Loop loop;
  auto ends = MakeEnds(/*socket=*/GENERATE(false, true), /*non_blocking=*/true);
  ends.read.Reset();
  Passthrough passthrough(loop, ends.write.get());
  CHECK(passthrough.enabled());
  passthrough.Write("lost\n");
  CHECK_FALSE(passthrough.enabled());
  CHECK(passthrough.idle());
  CHECK(passthrough.dropped_bytes() == 5);
}

TEST_CASE("a full device turns the passthrough off", "[agent][passthrough]") {
  net::Loop loop;
  net::Descriptor full(open("/dev/full", O_WRONLY | O_CLOEXEC));
  REQUIRE(full);
  Passthrough passthrough(loop, full.get());
  passthrough.Write("lost\n");
  CHECK_FALSE(passthrough.enabled());
}

}  // namespace
}  // namespace dunlin::agent
