#pragma once

#include <algorithm>
#include <string_view>

#include "protocol/base/peer_identity.h"

/// What the holder of a certificate may do (docs/operations.md, "Certificates"): the certificate's
/// subject has an organizational unit (OU) for each role, by these names. Several are possible.
namespace dunlin::role {

inline constexpr std::string_view kAgent = "agent";          // sends logs; see AgentScope
inline constexpr std::string_view kCollector = "collector";  // is sent logs
/// Commands agents, and reads and writes whatever a collector holds.
inline constexpr std::string_view kController = "controller";
inline constexpr std::string_view kMetrics = "metrics";  // reads metrics and status

inline constexpr std::string_view kAll[] = {kAgent, kCollector, kController, kMetrics};

}  // namespace dunlin::role

namespace dunlin {

inline bool HasRole(const PeerIdentity& identity, std::string_view role) {
  return std::ranges::find(identity.organizational_units, role) !=
         identity.organizational_units.end();
}

}  // namespace dunlin
