#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>

#include "protocol/net/descriptor.h"
#include "tests/support/catch.h"

namespace dunlin::net {

/// A port where nobody listens: bound, so that nobody else gets it, but not listening.
struct ClosedPort {
  ClosedPort() : socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    socklen_t size = sizeof address;
    getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port = ntohs(address.sin_port);
  }
  Descriptor socket;
  std::uint16_t port;
};

/// A port whose connections are neither taken nor refused: its queue is full.
struct FullPort : ClosedPort {
  FullPort() {
    REQUIRE(listen(socket.get(), 0) == 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    for (auto& one : waiting) {
      one = Descriptor(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
      [[maybe_unused]] int status =
          connect(one.get(), reinterpret_cast<sockaddr*>(&address), sizeof address);
    }
  }
  Descriptor waiting[4];
};

}  // namespace dunlin::net
