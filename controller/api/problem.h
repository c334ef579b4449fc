#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "controller/model/spec.h"
#include "protocol/base/result.h"
#include "protocol/http/message.h"

namespace dunlin::controller {

/// An answer that says what is wrong, as application/problem+json (RFC 9457): a code for programs,
/// a sentence for people, the request's id for whoever looks into the logs.
struct Problem {
  int status = 500;
  std::string code;  // service_not_found, invalid_spec, ...
  std::string detail;
  std::vector<FieldError> errors;
};

http::Response ProblemResponse(const Problem& problem, std::string_view request_id);

/// 404 service_not_found.
Problem ServiceNotFound(std::string_view service, std::string_view project);

/// 503 storage_unavailable with Retry-After: whatever the store said, nothing was changed.
http::Response StorageUnavailable(const Error& error, std::string_view request_id);

/// The header with the request's id, set by the gate before any handler runs.
inline constexpr std::string_view kRequestIdHeader = "X-Request-Id";

}  // namespace dunlin::controller
