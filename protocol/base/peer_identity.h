#pragma once

#include <string>
#include <vector>

namespace dunlin {

/// Who the other end of a connection is, by the certificate that its handshake proved. Texts are
/// bytes as the certificate holds them.
struct PeerIdentity {
  std::string common_name;
  std::vector<std::string> organizational_units;
  std::vector<std::string> names;   // subject alternative names: host names and addresses
  std::vector<std::string> uris{};  // likewise

  friend bool operator==(const PeerIdentity&, const PeerIdentity&) = default;
};

}  // namespace dunlin
