#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <string>

#include "tests/support/catch.h"

namespace dunlin::controller {

/// A port of a loopback address that accepts connections, or, not listening, refuses them, and that
/// nobody else can take meanwhile.
class Port {
 public:
  /// `number` 0 takes a free one.
  explicit Port(bool listening, const std::string& host = "127.0.0.1", std::uint16_t number = 0)
      : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(number);
    REQUIRE(::inet_pton(AF_INET, host.c_str(), &address.sin_addr) == 1);
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    socklen_t size = sizeof address;
    REQUIRE(::bind(fd_, generic, size) == 0);
    if (listening) REQUIRE(::listen(fd_, 8) == 0);
    REQUIRE(::getsockname(fd_, generic, &size) == 0);
    number_ = ntohs(address.sin_port);
  }
  ~Port() { ::close(fd_); }
  Port(const Port&) = delete;
  Port& operator=(const Port&) = delete;

  std::uint16_t number() const { return number_; }

 private:
  int fd_;
  std::uint16_t number_ = 0;
};

}  // namespace dunlin::controller
