#include "protocol/net/address.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>

#include <cstring>

#include "protocol/base/text.h"
#include "protocol/net/socket_address.h"

namespace dunlin::net {
namespace {

Error NotAnAddress(std::string_view text, std::string_view cause) {
  return Error(ErrorCode::kInvalidArgument,
               Join("cannot read address \"", text, "\": ", cause,
                    "; expected HOST:PORT, such as 127.0.0.1:3100, [::1]:3100 or :3100"));
}

bool IsHostCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '-' || c == '_';
}

bool IsMappedIpv4(const in6_addr& address) { return IN6_IS_ADDR_V4MAPPED(&address); }

}  // namespace

Result<HostPort> HostPort::Parse(std::string_view text) {
  std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return NotAnAddress(text, "no port");
  std::string_view host = text.substr(0, colon);
  auto parsed = ParseInteger<std::uint16_t>(text.substr(colon + 1));
  if (!parsed) return NotAnAddress(text, "the port is not a number from 0 to 65535");

  if (host.starts_with('[')) {
    if (!host.ends_with(']')) return NotAnAddress(text, "a bracket is not closed");
    host = host.substr(1, host.size() - 2);
    auto literal = SocketAddress::FromLiteral(host, *parsed);
    if (!literal || literal->family() != AF_INET6) {
      return NotAnAddress(text, "what is in brackets is not an IPv6 address");
    }
    return HostPort{std::string(host), *parsed};
  }
  if (host.find(':') != std::string_view::npos) {
    return NotAnAddress(text, "an IPv6 address needs brackets");
  }
  for (char c : host) {
    if (!IsHostCharacter(c)) return NotAnAddress(text, "the host has a character no host has");
  }
  return HostPort{std::string(host), *parsed};
}

std::string HostPort::ToString() const {
  if (host.find(':') != std::string::npos) return Join('[', host, "]:", port);
  return Join(host, ':', port);
}

bool HostPort::is_loopback() const {
  if (IsLocalhost(host)) return true;
  auto literal = SocketAddress::FromLiteral(host, port);
  if (!literal) return false;
  // A mapped address reaches what the IPv4 address in it reaches.
  auto plain = SocketAddress::FromLiteral(literal->ToHostPort().host, port);
  if (!plain) return false;
  if (plain->family() == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(plain->storage);
    return ntohl(v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
  }
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(plain->storage);
  return IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr);
}

socklen_t SocketAddress::size() const {
  return family() == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
}

HostPort SocketAddress::ToHostPort() const {
  char text[INET6_ADDRSTRLEN] = "";
  if (family() == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(storage);
    inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
    return {text, ntohs(v4.sin_port)};
  }
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(storage);
  if (IsMappedIpv4(v6.sin6_addr)) {
    inet_ntop(AF_INET, &v6.sin6_addr.s6_addr[12], text, sizeof text);
    return {text, ntohs(v6.sin6_port)};
  }
  inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
  std::string host = text;
  if (v6.sin6_scope_id != 0) {
    host.push_back('%');
    AppendInteger(host, v6.sin6_scope_id);
  }
  return {std::move(host), ntohs(v6.sin6_port)};
}

std::optional<SocketAddress> SocketAddress::From(const sockaddr* address, std::uint16_t port) {
  SocketAddress out;
  if (address->sa_family == AF_INET) {
    std::memcpy(&out.storage, address, sizeof(sockaddr_in));
    reinterpret_cast<sockaddr_in&>(out.storage).sin_port = htons(port);
    return out;
  }
  if (address->sa_family == AF_INET6) {
    std::memcpy(&out.storage, address, sizeof(sockaddr_in6));
    reinterpret_cast<sockaddr_in6&>(out.storage).sin6_port = htons(port);
    return out;
  }
  return std::nullopt;
}

std::optional<SocketAddress> SocketAddress::FromLiteral(std::string_view host, std::uint16_t port) {
  SocketAddress out;
  auto& v4 = reinterpret_cast<sockaddr_in&>(out.storage);
  if (inet_pton(AF_INET, std::string(host).c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    return out;
  }
  out = SocketAddress();
  auto& v6 = reinterpret_cast<sockaddr_in6&>(out.storage);
  std::string_view address = host;
  // RFC 4007 section 11: the zone names the link of a link-local address.
  if (std::size_t percent = host.find('%'); percent != std::string_view::npos) {
    address = host.substr(0, percent);
    std::string zone(host.substr(percent + 1));
    v6.sin6_scope_id = ParseInteger<std::uint32_t>(zone).value_or(if_nametoindex(zone.c_str()));
    if (v6.sin6_scope_id == 0) return std::nullopt;
  }
  if (inet_pton(AF_INET6, std::string(address).c_str(), &v6.sin6_addr) != 1) return std::nullopt;
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  return out;
}

bool IsLocalhost(std::string_view host) {
  if (host.ends_with('.')) host.remove_suffix(1);
  return EqualsIgnoreCase(host, "localhost");
}

}  // namespace dunlin::net
