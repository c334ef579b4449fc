#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "protocol/http/message.h"

namespace dunlin::api {

/// What the HTTP port asks for; one of them is enough. With neither, everybody may do everything.
struct Access {
  /// "Authorization: Bearer TOKEN", or Basic with the token as password, which is what data sources
  /// of Grafana can send. Empty: there is none.
  std::string_view token;
  /// Client certificates, by their role: a controller may do everything, and metrics reads metrics.
  bool certificates = false;
};

/// What to answer instead of serving the request: 401 to somebody unknown, 403 to a role that may
/// not; or nothing. /healthz, /readyz and /ready are open: whoever watches over the process has no
/// secrets.
std::optional<http::Response> Refusal(const http::Request& request, const Access& access);

}  // namespace dunlin::api
