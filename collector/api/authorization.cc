#include "collector/api/authorization.h"

#include "protocol/base/base64.h"
#include "protocol/base/secret.h"
#include "protocol/base/text.h"

namespace dunlin::api {

bool IsAuthorized(const http::Request& request, std::string_view token) {
  if (token.empty()) return true;
  if (request.path == "/healthz" || request.path == "/readyz" || request.path == "/ready") {
    return true;
  }
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

http::Response Unauthorized() {
  http::Response response = http::Response::Text(
      401, "this collector asks for its token: Authorization: Bearer TOKEN (--token-file)\n");
  response.headers.Set("WWW-Authenticate", "Bearer");
  return response;
}

}  // namespace dunlin::api
