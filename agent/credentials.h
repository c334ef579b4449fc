#pragma once

#include <memory>
#include <string>

#include "agent/configuration.h"
#include "protocol/base/result.h"
#include "protocol/net/tls_context.h"

namespace dunlin::agent {

/// What the agent shows and what it asks for, from the files that its configuration names.
struct Credentials {
  std::string token;          // empty: none
  std::string metrics_token;  // likewise
  /// Of the connection to the collector; null where that is plain TCP.
  std::unique_ptr<net::TlsContext> collector_tls;
  /// Of the control listener; null where it speaks plain HTTP.
  std::unique_ptr<net::TlsContext> listener_tls;
};

/// Takes the token out of `configuration` where it was given as such. Errors name the flag and the
/// file.
Result<Credentials> LoadCredentials(Configuration& configuration);

}  // namespace dunlin::agent
