#include "controller/api/gate.h"

#include <algorithm>
#include <utility>

#include "controller/api/problem.h"
#include "controller/model/ids.h"
#include "protocol/base/file_system.h"
#include "protocol/base/text.h"

namespace dunlin::controller {
namespace {

constexpr std::size_t kMaxRequestIdBytes = 128;
constexpr std::string_view kBearer = "Bearer ";

bool IsRequestId(std::string_view text) {
  return !text.empty() && text.size() <= kMaxRequestIdBytes &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7F; });
}

/// The router's own answers are plain text; clients of this API read problems.
http::Response AsProblem(http::Response response, std::string_view request_id) {
  bool is_text = response.headers.Get("Content-Type").starts_with("text/plain");
  if (!is_text || (response.status != 404 && response.status != 405)) return response;
  std::string detail = response.body;
  while (!detail.empty() && detail.back() == '\n') detail.pop_back();
  auto problem = ProblemResponse(
      {response.status, response.status == 404 ? "not_found" : "method_not_allowed", detail, {}},
      request_id);
  if (response.headers.Has("Allow")) problem.headers.Set("Allow", response.headers.Get("Allow"));
  return problem;
}

}  // namespace

Result<std::string> ReadTokenFile(const std::string& path) {
  auto text = ReadFile(PosixFileSystem(), path);
  if (!text) return std::move(text).error();
  while (!text->empty() && (text->back() == '\n' || text->back() == '\r')) text->pop_back();
  if (text->empty()) {
    return Error(ErrorCode::kInvalidArgument, Join("the token file ", path, " is empty"));
  }
  return std::move(*text);
}

bool EqualsInConstantTime(std::string_view a, std::string_view b) {
  unsigned difference = a.size() == b.size() ? 0 : 1;
  for (std::size_t i = 0; i < a.size(); ++i) {
    char other = b.empty() ? '\0' : b[i % b.size()];
    difference |= static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(other);
  }
  return difference == 0;
}

Gate::Gate(const server::Router& router, std::string token)
    : router_(router), token_(std::move(token)) {}

bool Gate::Allowed(const http::Request& request) const {
  if (token_.empty() || request.path == "/healthz") return true;
  std::string_view given = request.headers.Get("Authorization");
  if (!given.starts_with(kBearer)) return false;
  return EqualsInConstantTime(Trim(given.substr(kBearer.size())), token_);
}

void Gate::Handle(http::Request request, server::Responder respond,
                  server::Cancelled cancelled) const {
  std::string id(request.headers.Get(kRequestIdHeader));
  if (!IsRequestId(id)) id = NewIdText("req_", SystemClock().Now());
  request.headers.Set(kRequestIdHeader, id);
  server::Responder answer = [id, respond = std::move(respond)](http::Response response) {
    response = AsProblem(std::move(response), id);
    response.headers.Set(kRequestIdHeader, id);
    respond(std::move(response));
  };
  if (!Allowed(request)) {
    auto refused = ProblemResponse(
        {401, "unauthorized", "send the controller's token as Authorization: Bearer TOKEN", {}},
        id);
    refused.headers.Set("WWW-Authenticate", "Bearer");
    return answer(std::move(refused));
  }
  router_.Route(std::move(request), std::move(answer), std::move(cancelled));
}

}  // namespace dunlin::controller
