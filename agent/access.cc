#include "agent/access.h"

#include <string_view>

#include "protocol/base/certificate_role.h"
#include "protocol/base/json_writer.h"
#include "protocol/base/secret.h"
#include "protocol/base/text.h"

namespace dunlin::agent {
namespace {

bool IsRead(const http::Request& request) {
  return request.method == "GET" || request.method == "HEAD";
}

std::string_view BearerToken(const http::Request& request) {
  std::string_view given = request.headers.Get("Authorization");
  constexpr std::string_view kScheme = "Bearer ";
  if (given.size() < kScheme.size() ||
      !EqualsIgnoreCase(given.substr(0, kScheme.size()), kScheme)) {
    return {};
  }
  return Trim(given.substr(kScheme.size()));
}

bool IsToken(std::string_view given, const std::string& expected) {
  return !expected.empty() && EqualInConstantTime(given, expected);
}

}  // namespace

http::Response ErrorAnswer(int status, std::string_view message) {
  std::string body;
  JsonWriter json(body);
  json.BeginObject();
  json.Field("error", message);
  json.EndObject();
  return http::Response::Json(status, std::move(body));
}

std::optional<http::Response> Access::Refusal(const http::Request& request) const {
  const bool reads = IsRead(request);
  if (reads && (request.path == "/healthz" || request.path == "/readyz")) return std::nullopt;
  // A page in somebody's browser can send requests here, too, and can not leave this field out.
  if (!reads && request.headers.Has("Origin")) {
    return ErrorAnswer(403, "requests from web pages are not taken");
  }
  switch (RoleOf(request)) {
    case Role::kController:
      return std::nullopt;
    case Role::kReader:
      if (reads) return std::nullopt;
      break;
    case Role::kMetrics:
      if (reads && (request.path == "/metrics" || request.path == "/v1/status")) {
        return std::nullopt;
      }
      return ErrorAnswer(403, "the role metrics reads /metrics and /v1/status only");
    case Role::kNobody:
      break;
  }
  if (request.identity && BearerToken(request).empty()) {
    return ErrorAnswer(403, Join("the certificate of ", request.identity->common_name,
                                 " has no organizational unit \"controller\" or \"metrics\""));
  }
  http::Response refused =
      ErrorAnswer(401, rules_.certificates ? "this needs a client certificate or a token"
                                           : "this needs the agent's token");
  refused.headers.Add("WWW-Authenticate", "Bearer");
  return refused;
}

Access::Role Access::RoleOf(const http::Request& request) const {
  std::string_view token = BearerToken(request);
  if (IsToken(token, rules_.token)) return Role::kController;
  if (request.identity) {
    if (HasRole(*request.identity, role::kController)) return Role::kController;
    if (HasRole(*request.identity, role::kMetrics)) return Role::kMetrics;
  }
  if (IsToken(token, rules_.metrics_token)) return Role::kMetrics;
  return RoleOfStranger();
}

Access::Role Access::RoleOfStranger() const {
  if (rules_.certificates) return Role::kNobody;
  const bool open = rules_.token.empty() && rules_.metrics_token.empty();
  if (open) return Role::kController;
  return rules_.only_this_machine_asks ? Role::kReader : Role::kNobody;
}

}  // namespace dunlin::agent
