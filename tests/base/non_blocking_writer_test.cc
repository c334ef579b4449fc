#include "protocol/base/non_blocking_writer.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <string>

#include "protocol/base/log.h"
#include "tests/support/catch.h"

namespace dunlin {
namespace {

/// Two connected descriptors of which the second is written.
class Ends {
 public:
  explicit Ends(bool socket) {
    REQUIRE((socket ? socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds_.data())
                    : pipe2(fds_.data(), O_CLOEXEC)) == 0);
    fcntl(fds_[0], F_SETFL, O_NONBLOCK);
  }
  ~Ends() {
    CloseReader();
    close(fds_[1]);
  }
  Ends(const Ends&) = delete;
  Ends& operator=(const Ends&) = delete;

  int writer() const { return fds_[1]; }
  void CloseReader() {
    if (fds_[0] >= 0) close(fds_[0]);
    fds_[0] = -1;
  }
  std::string Read() const {
    std::string all;
    std::array<char, 65536> buffer;
    for (ssize_t got; (got = read(fds_[0], buffer.data(), buffer.size())) > 0;) {
      all.append(buffer.data(), static_cast<std::size_t>(got));
    }
    return all;
  }

 private:
  std::array<int, 2> fds_{-1, -1};
};

TEST_CASE("a full pipe or socket takes what fits and changes no flags", "[base][writer]") {
  const bool socket = GENERATE(false, true);
  const bool non_blocking = GENERATE(false, true);
  CAPTURE(socket, non_blocking);
  Ends ends(socket);
  if (non_blocking) fcntl(ends.writer(), F_SETFL, O_NONBLOCK);
  const int flags = fcntl(ends.writer(), F_GETFL);
  const std::string text(4 << 20, 'x');
  NonBlockingWriter writer(ends.writer());
  auto first = writer.Write(text);
  REQUIRE(first);
  CHECK(*first > 0);
  CHECK(*first < text.size());
  auto second = writer.Write(text);
  REQUIRE(second);
  CHECK(*second == 0);
  CHECK(ends.Read().size() == *first);
  CHECK(writer.Write("again").value() == 5);
  CHECK(fcntl(ends.writer(), F_GETFL) == flags);
}

TEST_CASE("a reader that has gone is an error", "[base][writer]") {
  signal(SIGPIPE, SIG_IGN);
  Ends ends(GENERATE(false, true));
  ends.CloseReader();
  CHECK_FALSE(NonBlockingWriter(ends.writer()).Write("x"));
}

TEST_CASE("a log line never waits for a reader, and is whole when it comes", "[base][log]") {
  Ends ends(/*socket=*/false);
  const int before = log::Descriptor();
  log::SetDescriptor(ends.writer());
  for (int i = 0; i < 5000; ++i) log::Warn("somebody should read this", {{"i", i}});
  log::SetDescriptor(before);
  const std::string text = ends.Read();
  CHECK(text.size() > 30'000);
  CHECK(text.ends_with('\n'));
  CHECK(text.find("i=0\n") != std::string::npos);
}

}  // namespace
}  // namespace dunlin
