#include "controller/api/problem.h"

#include "protocol/base/json_writer.h"
#include "protocol/base/log.h"
#include "protocol/base/text.h"

namespace dunlin::controller {

http::Response ProblemResponse(const Problem& problem, std::string_view request_id) {
  std::string body;
  JsonWriter out(body);
  out.BeginObject();
  out.Field("type", "about:blank");
  out.Field("title", http::ReasonPhrase(problem.status));
  out.Field("status", problem.status);
  out.Field("code", problem.code);
  out.Field("detail", problem.detail);
  out.Field("request_id", request_id);
  if (!problem.errors.empty()) {
    out.Key("errors");
    out.BeginArray();
    for (const FieldError& error : problem.errors) {
      out.BeginObject();
      out.Field("field", error.field);
      out.Field("code", error.code);
      out.Field("detail", error.detail);
      out.EndObject();
    }
    out.EndArray();
  }
  out.EndObject();
  http::Response response;
  response.status = problem.status;
  response.headers.Set("Content-Type", "application/problem+json");
  response.body = std::move(body);
  return response;
}

Problem ServiceNotFound(std::string_view service, std::string_view project) {
  return {404,
          "service_not_found",
          Join("there is no service ", service, " in project ", project,
               "; a deploy with a command makes it"),
          {}};
}

http::Response StorageUnavailable(const Error& error, std::string_view request_id) {
  log::Fail("the store refuses", {{"cause", error.message()}, {"request", request_id}});
  auto response = ProblemResponse({503,
                                   "storage_unavailable",
                                   "the state cannot be read or stored now: " + error.message(),
                                   {}},
                                  request_id);
  response.headers.Set("Retry-After", "5");
  return response;
}

}  // namespace dunlin::controller
