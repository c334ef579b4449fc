#include "agent/control_api.h"

#include <utility>

#include "agent/flat_object.h"
#include "agent/status_document.h"
#include "protocol/base/json_writer.h"
#include "protocol/base/log.h"
#include "protocol/base/secret.h"
#include "protocol/base/text.h"
#include "protocol/base/units.h"
#include "protocol/wire/exposition.h"

namespace dunlin::agent {
namespace {

constexpr std::size_t kDefaultTailLines = 100;
constexpr std::size_t kMaxTailLines = 10000;

http::Response ErrorResponse(int status, std::string_view message) {
  std::string body;
  JsonWriter json(body);
  json.BeginObject();
  json.Field("error", message);
  json.EndObject();
  return http::Response::Json(status, std::move(body));
}

/// {"grace": "5s"} or {"grace": 5} in the body, or ?grace=5s; nothing given: nothing.
Result<std::optional<std::chrono::nanoseconds>> ReadGrace(const http::Request& request) {
  std::string text(request.Params().Get("grace"));
  if (text.empty() && !Trim(request.body).empty() &&
      !request.headers.Get("Content-Type").starts_with("application/x-www-form-urlencoded")) {
    auto fields = ParseFlatObject(request.body);
    if (!fields) return std::move(fields).error();
    for (auto& [key, value] : *fields) {
      if (key == "grace") text = value;
    }
  }
  if (text.empty()) return std::optional<std::chrono::nanoseconds>();
  // A bare number is seconds.
  if (text.find_first_not_of("0123456789.") == std::string::npos) text.push_back('s');
  auto grace = ParseDuration(text);
  if (!grace) return std::move(grace).error().Wrap("grace");
  return std::optional<std::chrono::nanoseconds>(*grace);
}

}  // namespace

ControlApi::ControlApi(net::Loop& loop, ControlOptions options, Hooks hooks)
    : loop_(loop),
      options_(std::move(options)),
      hooks_(std::move(hooks)),
      retry_timer_(loop, [this] { Listen(); }) {
  AddRoutes();
}

void ControlApi::Start() { Listen(); }

std::optional<net::HostPort> ControlApi::local_address() const {
  if (!server_) return std::nullopt;
  return server_->local_address();
}

void ControlApi::Listen() {
  server::HttpServerOptions limits;
  limits.limits = {.header_bytes = 16_KiB, .body_bytes = 64_KiB};
  limits.max_connections = 64;
  auto server = server::HttpServer::Listen(
      loop_, options_.address, limits,
      [this](http::Request request, server::Responder respond, server::Cancelled cancelled) {
        if (!Allowed(request)) {
          http::Response refused = ErrorResponse(401, "this needs the agent's token");
          refused.headers.Add("WWW-Authenticate", "Bearer");
          respond(std::move(refused));
          return;
        }
        router_.Route(std::move(request), std::move(respond), std::move(cancelled));
      });
  if (server) {
    server_ = std::move(*server);
    if (std::exchange(reported_, false)) {
      log::Info("the control listener is up", {{"address", options_.address.ToString()}});
    }
    return;
  }
  if (!std::exchange(reported_, true)) {
    log::Warn("no control listener; the process runs on and the address is tried again",
              {{"cause", server.error().message()}, {"cure", "--listen ADDR or --listen off"}});
  }
  retry_timer_.Start(options_.retry);
}

void ControlApi::AddRoutes() {
  router_.OnLoop("GET", "/healthz", [](const http::Request&, const server::Cancelled&) {
    return http::Response::Text(200, "ok\n");
  });
  router_.OnLoop("GET", "/readyz", [this](const http::Request&, const server::Cancelled&) {
    Snapshot snapshot = hooks_.snapshot();
    if (snapshot.ready) return http::Response::Text(200, "ready\n");
    return http::Response::Text(503, Join("not ready: the process is ", snapshot.state, "\n"));
  });
  router_.OnLoop("GET", "/metrics", [this](const http::Request&, const server::Cancelled&) {
    http::Response response;
    response.headers.Add("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
    wire::AppendExposition(response.body, hooks_.metrics());
    return response;
  });
  router_.OnLoop("GET", "/v1/status", [this](const http::Request&, const server::Cancelled&) {
    return http::Response::Json(200, StatusDocument(hooks_.snapshot()));
  });
  router_.OnLoop(
      "GET", "/v1/logs/tail",
      [this](const http::Request& request, const server::Cancelled&) { return Tail(request); });
  router_.OnLoop(
      "POST", "/v1/stop",
      [this](const http::Request& request, const server::Cancelled&) { return Stop(request); });
}

bool ControlApi::Allowed(const http::Request& request) const {
  if (options_.token.empty()) return true;
  if (request.path == "/healthz" || request.path == "/readyz") return true;
  const bool reads = request.method == "GET" || request.method == "HEAD";
  if (reads && options_.address.is_loopback()) return true;
  std::string_view given = request.headers.Get("Authorization");
  constexpr std::string_view kScheme = "Bearer ";
  if (given.size() < kScheme.size() ||
      !EqualsIgnoreCase(given.substr(0, kScheme.size()), kScheme)) {
    return false;
  }
  return EqualInConstantTime(Trim(given.substr(kScheme.size())), options_.token);
}

http::Response ControlApi::Stop(const http::Request& request) {
  auto grace = ReadGrace(request);
  if (!grace) return ErrorResponse(400, grace.error().message());
  hooks_.stop(*grace);
  return http::Response::Json(202, StatusDocument(hooks_.snapshot()));
}

http::Response ControlApi::Tail(const http::Request& request) const {
  std::size_t count = kDefaultTailLines;
  if (const std::string n(request.Params().Get("n")); !n.empty()) {
    auto number = ParseInteger<std::size_t>(std::string_view(n));
    if (!number || *number == 0 || *number > kMaxTailLines) {
      return ErrorResponse(400, Join("n must be a number from 1 to ", kMaxTailLines));
    }
    count = *number;
  }
  std::string body;
  JsonWriter json(body);
  json.BeginObject();
  json.Key("lines");
  json.BeginArray();
  for (const RecentLines::Line& line : hooks_.recent_lines->Tail(count)) {
    json.BeginObject();
    json.Field("output", wire::OutputName(line.output));
    json.Field("line", line.text);
    json.EndObject();
  }
  json.EndArray();
  json.EndObject();
  return http::Response::Json(200, std::move(body));
}

}  // namespace dunlin::agent
