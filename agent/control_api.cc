#include "agent/control_api.h"

#include <utility>

#include "agent/flat_object.h"
#include "agent/readiness.h"
#include "agent/signal_name.h"
#include "agent/status_document.h"
#include "protocol/base/json_writer.h"
#include "protocol/base/log.h"
#include "protocol/base/text.h"
#include "protocol/base/units.h"
#include "protocol/wire/exposition.h"

namespace dunlin::agent {
namespace {

constexpr std::size_t kDefaultTailLines = 100;
constexpr std::size_t kMaxTailLines = 10000;

// What one client can make the agent hold: a request this large, and the next one's beginning.
constexpr http::ParserLimits kRequestLimits = {.header_bytes = 8_KiB, .body_bytes = 16_KiB};
constexpr std::size_t kMaxConnections = 64;
constexpr std::size_t kMaxUnsentBytes = 512_KiB;  // answers that nobody reads
constexpr std::chrono::seconds kReadTimeout{10};
constexpr std::chrono::seconds kIdleTimeout{75};  // longer than a scraper's usual minute
constexpr std::chrono::seconds kWriteTimeout{10};

int StatusOf(const Error& error) {
  switch (error.code()) {
    case ErrorCode::kInvalidArgument:
      return 400;
    case ErrorCode::kExhausted:
      return 503;
    case ErrorCode::kNotFound:
    case ErrorCode::kAlreadyExists:
    case ErrorCode::kUnavailable:
    case ErrorCode::kCorruption:
    case ErrorCode::kIo:
    case ErrorCode::kTimeout:
    case ErrorCode::kCancelled:
    case ErrorCode::kPermissionDenied:
    case ErrorCode::kUnsupported:
      return 409;
  }
  return 409;
}

/// What a command is told, from its body or its query: its id and its one parameter.
struct CommandText {
  std::optional<std::string> id;
  std::optional<std::string> value;
};

Error Invalid(std::string message) {
  return Error(ErrorCode::kInvalidArgument, std::move(message));
}

Result<CommandText> ReadCommand(const http::Request& request, std::string_view parameter) {
  CommandText text;
  auto take = [&](std::string_view key, std::string value) -> Result<void> {
    const bool is_id = key == "id";
    if (!is_id && (parameter.empty() || key != parameter)) {
      return Invalid(parameter.empty()
                         ? Join("unknown field \"", key, "\"; there is: id")
                         : Join("unknown field \"", key, "\"; there are: id, ", parameter));
    }
    auto& into = is_id ? text.id : text.value;
    if (into && *into != value) return Invalid(Join(key, " is given twice, and not alike"));
    into = std::move(value);
    return {};
  };
  // The query, and a body that is a form.
  for (const auto& [key, value] : request.Params()) {
    if (auto taken = take(key, value); !taken) return std::move(taken).error();
  }
  const bool is_form =
      request.headers.Get("Content-Type").starts_with("application/x-www-form-urlencoded");
  if (!is_form && !Trim(request.body).empty()) {
    auto fields = ParseFlatObject(request.body);
    if (!fields) return std::move(fields).error();
    for (auto& [key, value] : *fields) {
      if (auto taken = take(key, std::move(value)); !taken) return std::move(taken).error();
    }
  }
  if (request.headers.Has("Idempotency-Key")) {
    auto taken = take("id", std::string(request.headers.Get("Idempotency-Key")));
    if (!taken) return std::move(taken).error();
  }
  if (text.id && !CommandMemory::IsId(*text.id)) {
    return Invalid(
        Join("an id is 1 to ", CommandMemory::kMaxIdBytes, " printable characters without spaces"));
  }
  return text;
}

/// "5s", or a bare number of seconds.
Result<std::optional<std::chrono::nanoseconds>> ReadGrace(const std::optional<std::string>& value) {
  if (!value || value->empty()) return std::optional<std::chrono::nanoseconds>();
  std::string text = *value;
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
      access_(options_.access),
      retry_timer_(loop, [this] { Listen(); }) {
  AddRoutes();
  AddCommands();
}

void ControlApi::Start() { Listen(); }

std::optional<net::HostPort> ControlApi::local_address() const {
  if (!server_) return std::nullopt;
  return server_->local_address();
}

void ControlApi::Listen() {
  server::HttpServerOptions limits;
  limits.limits = kRequestLimits;
  limits.max_connections = kMaxConnections;
  limits.make_room = true;
  limits.read_timeout = kReadTimeout;
  limits.idle_timeout = kIdleTimeout;
  limits.write_timeout = kWriteTimeout;
  limits.tls = options_.tls;
  auto server = server::HttpServer::Listen(
      loop_, options_.address, limits,
      [this](http::Request request, const server::Responder& respond, server::Cancelled cancelled) {
        Answer(std::move(request), respond, std::move(cancelled));
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
    return http::Response::Text(503, Join("not ready: ", WhyNotReady(snapshot), "\n"));
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
}

void ControlApi::AddCommands() {
  AddCommand("/v1/stop", "grace", [this](const std::optional<std::string>& value) -> Result<void> {
    auto grace = ReadGrace(value);
    if (!grace) return std::move(grace).error();
    return hooks_.stop(*grace);
  });
  AddCommand("/v1/start", "", [this](const std::optional<std::string>&) { return hooks_.start(); });
  AddCommand("/v1/restart", "",
             [this](const std::optional<std::string>&) { return hooks_.restart(); });
  AddCommand("/v1/signal", "signal",
             [this](const std::optional<std::string>& value) -> Result<void> {
               auto signal = ParseSignal(value.value_or(""));
               if (!signal) return Invalid("signal must be a name or a number, as in HUP or 1");
               return hooks_.signal(*signal);
             });
  AddCommand("/v1/command", "line",
             [this](const std::optional<std::string>& value) -> Result<void> {
               if (!value) return Invalid("line is missing");
               return hooks_.command(*value);
             });
  AddCommand("/v1/drain", "", [this](const std::optional<std::string>&) { return hooks_.drain(); });
}

void ControlApi::AddCommand(std::string_view path, std::string_view parameter, Perform perform) {
  router_.OnLoop("POST", path,
                 [this, parameter, perform = std::move(perform)](const http::Request& request,
                                                                 const server::Cancelled&) {
                   return Carry(request, parameter, perform);
                 });
}

/// Carries a command out, unless it was before: then its answer is given again.
http::Response ControlApi::Carry(const http::Request& request, std::string_view parameter,
                                 const Perform& perform) {
  auto text = ReadCommand(request, parameter);
  if (!text) return ErrorAnswer(400, text.error().message());
  const std::string identity = Join(request.path, "\n", text->value.value_or(""));
  if (text->id) {
    switch (commands_.Look(*text->id, identity)) {
      case CommandMemory::Seen::kNever:
        break;
      case CommandMemory::Seen::kSame:
        return commands_.answer(*text->id);
      case CommandMemory::Seen::kOther:
        return ErrorAnswer(409, Join("the id ", *text->id, " was given to another command"));
    }
  }
  if (auto done = perform(text->value); !done) {
    return ErrorAnswer(StatusOf(done.error()), done.error().message());
  }
  http::Response answer = http::Response::Json(202, StatusDocument(hooks_.snapshot()));
  if (text->id) commands_.Remember(*text->id, identity, answer);
  return answer;
}

void ControlApi::Answer(http::Request request, const server::Responder& respond,
                        server::Cancelled cancelled) {
  const bool health = request.path == "/healthz" || request.path == "/readyz";
  if (!health && server_->unsent_bytes() > kMaxUnsentBytes) {
    http::Response busy = ErrorAnswer(503, "too many answers wait for somebody to read them");
    busy.headers.Add("Retry-After", "1");
    return respond(std::move(busy));
  }
  if (auto refusal = access_.Refusal(request)) return respond(std::move(*refusal));
  router_.Route(std::move(request), respond, std::move(cancelled));
}

http::Response ControlApi::Tail(const http::Request& request) const {
  std::size_t count = kDefaultTailLines;
  if (const std::string n(request.Params().Get("n")); !n.empty()) {
    auto number = ParseInteger<std::size_t>(std::string_view(n));
    if (!number || *number == 0 || *number > kMaxTailLines) {
      return ErrorAnswer(400, Join("n must be a number from 1 to ", kMaxTailLines));
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
