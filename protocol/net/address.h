#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "protocol/base/result.h"

namespace dunlin::net {

/// A host, by name or literal, and a port; not yet resolved.
struct HostPort {
  std::string host;  // without brackets
  std::uint16_t port = 0;

  /// "host:port", "127.0.0.1:80", "[::1]:80", ":80" (every address). Errors: kInvalidArgument with
  /// an example.
  static Result<HostPort> Parse(std::string_view text);
  /// As Parse reads it: an IPv6 literal gets its brackets.
  std::string ToString() const;
  /// Whether this can only be reached from this machine: 127/8, ::1, localhost.
  bool is_loopback() const;

  friend bool operator==(const HostPort&, const HostPort&) = default;
};

}  // namespace dunlin::net
