#include "collector/api/authorization.h"

#include "protocol/base/base64.h"
#include "protocol/base/certificate_role.h"
#include "protocol/base/secret.h"
#include "protocol/base/text.h"

namespace dunlin::api {
namespace {

bool HasToken(const http::Request& request, std::string_view token) {
  if (token.empty()) return false;
  std::string_view value = Trim(request.headers.Get("Authorization"));
  std::size_t space = value.find(' ');
  if (space == std::string_view::npos) return false;
  std::string_view scheme = value.substr(0, space);
  std::string_view credentials = Trim(value.substr(space + 1));
  if (EqualsIgnoreCase(scheme, "bearer")) return EqualInConstantTime(credentials, token);
  if (!EqualsIgnoreCase(scheme, "basic")) return false;
  auto pair = ParseBase64(credentials);
  if (!pair) return false;
  std::size_t colon = pair->find(':');
  if (colon == std::string::npos) return false;
  return EqualInConstantTime(std::string_view(*pair).substr(colon + 1), token);
}

bool ReadsMetrics(const http::Request& request) {
  return (request.method == "GET" || request.method == "HEAD") &&
         (request.path == "/metrics" || request.path == "/metrics/agents");
}

http::Response Unauthorized(const Access& access) {
  std::string text;
  if (access.token.empty()) {
    text = "this collector asks for a client certificate (--tls-client-ca)\n";
  } else {
    text = "this collector asks for its token: Authorization: Bearer TOKEN (--token-file)";
    text += access.certificates ? ", or for a client certificate (--tls-client-ca)\n" : "\n";
  }
  http::Response response = http::Response::Text(401, std::move(text));
  // RFC 9110 section 15.5.2: an answer 401 has at least one challenge.
  response.headers.Set("WWW-Authenticate", "Bearer");
  return response;
}

}  // namespace

std::optional<http::Response> Refusal(const http::Request& request, const Access& access) {
  if (access.token.empty() && !access.certificates) return std::nullopt;
  if (request.path == "/healthz" || request.path == "/readyz" || request.path == "/ready") {
    return std::nullopt;
  }
  if (HasToken(request, access.token)) return std::nullopt;
  if (!access.certificates || !request.identity) return Unauthorized(access);
  if (HasRole(*request.identity, role::kController)) return std::nullopt;
  if (!HasRole(*request.identity, role::kMetrics)) {
    return http::Response::Text(
        403, Join("the certificate of ", request.identity->common_name,
                  " has no organizational unit \"controller\" or \"metrics\"\n"));
  }
  if (ReadsMetrics(request)) return std::nullopt;
  return http::Response::Text(403, "the role metrics reads /metrics and /metrics/agents only\n");
}

}  // namespace dunlin::api
