#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "protocol/base/peer_identity.h"
#include "protocol/base/result.h"

namespace dunlin {

/// Which agents a certificate speaks for. It says so in subject alternative names of the kind URI,
/// each one scope, any of which will do:
///
///     dunlin:PROJECT/SERVICE              every container of a service
///     dunlin:PROJECT/SERVICE/CONTAINER    this one
///
/// Each part is percent-encoded (RFC 3986 section 2.1), or * for any name at all. An agent's
/// certificate without such a name speaks for nobody.
struct AgentScope {
  /// Nothing: any.
  std::optional<std::string> project{};
  std::optional<std::string> service{};
  std::optional<std::string> container{};

  std::string ToUri() const;
  /// Errors: kInvalidArgument with what is wrong with `uri`.
  static Result<AgentScope> Parse(std::string_view uri);

  bool Covers(std::string_view of_project, std::string_view of_service,
              std::string_view of_container) const;

  friend bool operator==(const AgentScope&, const AgentScope&) = default;
};

/// Whether one of the certificate's scopes covers this agent. Names that are no scopes are other
/// people's and count for nothing.
bool SpeaksFor(const PeerIdentity& identity, std::string_view project, std::string_view service,
               std::string_view container);

}  // namespace dunlin
