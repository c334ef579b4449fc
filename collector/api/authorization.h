#pragma once

#include <string>
#include <string_view>

#include "protocol/http/message.h"

namespace dunlin::api {

/// Whether a request may pass when `token` is asked for: "Authorization: Bearer TOKEN", or Basic
/// with the token as password, which is what data sources of Grafana can send. An empty token lets
/// everybody pass. /healthz, /readyz and /ready are open: whoever watches over the process has no
/// secrets.
bool IsAuthorized(const http::Request& request, std::string_view token);

/// 401 with what to send.
http::Response Unauthorized();

}  // namespace dunlin::api
