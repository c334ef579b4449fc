#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/result.h"

namespace dunlin::certificates {

/// From when to when a certificate holds, both seconds included (RFC 5280 section 4.1.2.5).
struct Validity {
  std::chrono::sys_seconds not_before{};
  std::chrono::sys_seconds not_after{};
  friend bool operator==(const Validity&, const Validity&) = default;
};

/// What a certificate says about its holder. Roles and URIs mean what protocol/base says
/// (certificate_role.h, agent_scope.h); here they are text.
struct Content {
  std::string common_name;
  std::string role;                       // the organizational unit; empty: none
  std::vector<std::string> dns_names;     // subject alternative names, of three kinds
  std::vector<std::string> ip_addresses;  // literals
  std::vector<std::string> uris;
  bool for_servers = false;  // extended key usage
  bool for_clients = false;
  Validity validity{};
  friend bool operator==(const Content&, const Content&) = default;
};

/// A certificate and its private key, both PEM.
struct Pair {
  std::string certificate;
  std::string key;
};

/// Reads the first certificate of a PEM text. Errors: kInvalidArgument for what is none,
/// kUnsupported for one that holds what Content cannot.
Result<Content> ReadCertificate(std::string_view pem);

}  // namespace dunlin::certificates
