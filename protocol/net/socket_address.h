#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/net/address.h"

/// For this folder only: addresses as the kernel takes them.
namespace dunlin::net {

/// An IPv4 or IPv6 address with its port.
struct SocketAddress {
  sockaddr_storage storage{};

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  socklen_t size() const;
  int family() const { return storage.ss_family; }
  /// An IPv4 address mapped into IPv6 comes out as IPv4.
  HostPort ToHostPort() const;

  /// Copies an address of either family; nothing for any other.
  static std::optional<SocketAddress> From(const sockaddr* address, std::uint16_t port);
  /// "127.0.0.1", "::1", "fe80::1%eth0"; nothing for anything else.
  static std::optional<SocketAddress> FromLiteral(std::string_view host, std::uint16_t port);
};

/// The name that means this machine whatever a resolver says (RFC 6761 section 6.3).
bool IsLocalhost(std::string_view host);

}  // namespace dunlin::net
