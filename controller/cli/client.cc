#include "controller/cli/client.h"

#include <simdjson.h>

#include "controller/cli/json_fields.h"
#include "protocol/base/file_system.h"
#include "protocol/base/text.h"

namespace dunlin::cli {
namespace {

constexpr std::size_t kMaxTokenBytes = 4096;

std::string_view NameOf(Server server) {
  switch (server) {
    case Server::kController:
      return "controller";
    case Server::kCollector:
      return "collector";
    case Server::kAgent:
      return "agent";
  }
  return "server";
}

std::string_view FlagOf(Server server) {
  switch (server) {
    case Server::kController:
      return "--controller";
    case Server::kCollector:
      return "--collector-url";
    case Server::kAgent:
      return "--agent";
  }
  return "";
}

const std::string& UrlOf(Server server, const Common& common) {
  switch (server) {
    case Server::kController:
      return common.controller_url;
    case Server::kCollector:
      return common.collector_url;
    case Server::kAgent:
      return common.agent_url;
  }
  return common.controller_url;
}

Failure UnreachableFailure(Server server, const Error& error) {
  if (error.code() == ErrorCode::kInvalidArgument) {
    return {ExitStatus::kUsage, error.message(), "", false};
  }
  std::string_view flag = FlagOf(server);
  return {ExitStatus::kUnreachable,
          Join("the ", NameOf(server), " does not answer: ", error.message(), "\n  Is dunlin-",
               NameOf(server), " running there? ", flag, " names another place."),
          "", true};
}

Result<std::string> ReadToken(const std::string& path) {
  auto contents = ReadFile(PosixFileSystem(), path);
  if (!contents) return std::move(contents).error().Wrap("cannot read the token");
  std::string_view token = *contents;
  while (token.ends_with('\n') || token.ends_with('\r')) token.remove_suffix(1);
  token = Trim(token);
  if (token.empty() || token.size() > kMaxTokenBytes ||
      token.find_first_of("\r\n \t") != std::string_view::npos) {
    return Error(ErrorCode::kInvalidArgument, Join(path, " does not hold one token"));
  }
  return std::string(token);
}

ExitStatus StatusOf(int code) {
  switch (code) {
    case 400:
    case 413:
    case 415:
    case 422:
      return ExitStatus::kUsage;
    case 401:
    case 403:
      return ExitStatus::kRefused;
    case 409:
      return ExitStatus::kConflict;
    default:
      return ExitStatus::kFailed;
  }
}

}  // namespace

Failure RefusalOf(Server server, const http::Response& response) {
  Failure failure{StatusOf(response.status), "", "", response.status == 503};
  simdjson::dom::parser parser;
  simdjson::dom::element problem;
  bool is_json =
      parser.parse(response.body.data(), response.body.size()).get(problem) == simdjson::SUCCESS &&
      problem.is_object();
  std::string detail;
  std::string fields;
  if (is_json) {
    failure.document = response.body;
    detail = TextOf(problem, "detail");
    if (detail.empty()) detail = TextOf(problem, "message");
    if (detail.empty()) detail = TextOf(problem, "title");
    for (simdjson::dom::element item : ItemsOf(problem, "errors")) {
      std::string field = TextOf(item, "field");
      std::string error = Join(field, field.empty() ? "" : ": ", TextOf(item, "detail"));
      if (error != detail) fields += "\n  " + error;
    }
    if (std::string code = TextOf(problem, "code"); !code.empty()) detail += Join(" (", code, ")");
  } else {
    constexpr std::size_t kMaxShown = 1000;
    for (std::string_view line :
         Split(std::string_view(response.body).substr(0, kMaxShown), '\n')) {
      if (!Trim(line).empty()) detail += Join(detail.empty() ? "" : "\n  ", SafeForTerminal(line));
    }
  }
  if (detail.empty()) detail = http::ReasonPhrase(response.status);
  failure.message =
      Join("the ", NameOf(server), " answered ", response.status, ": ", detail, fields);
  if (failure.status == ExitStatus::kRefused) {
    failure.message += "\n  --token-file gives a token to send.";
  }
  return failure;
}

std::variant<http::Response, Failure> Ask(const Context& context, Server server,
                                          std::string_view path,
                                          controller::ClientRequest request) {
  const Common& common = context.common;
  std::string_view base = UrlOf(server, common);
  while (base.ends_with('/')) base.remove_suffix(1);
  request.url = Join(base, path);
  request.tls = {common.tls_ca, common.tls_cert, common.tls_key};
  request.headers.emplace_back("Accept", "application/json");
  request.headers.emplace_back("User-Agent", "dunlin/" DUNLIN_VERSION);
  if (!common.token_file.empty()) {
    auto token = ReadToken(common.token_file);
    if (!token) return Failure{ExitStatus::kUsage, token.error().message(), "", false};
    request.headers.emplace_back("Authorization", "Bearer " + *token);
  }
  auto response = context.send(request);
  if (!response) return UnreachableFailure(server, response.error());
  if (response->status < 200 || response->status > 299) return RefusalOf(server, *response);
  return *std::move(response);
}

ExitStatus Report(const Context& context, const Failure& failure) {
  if (context.common.json && !failure.document.empty()) {
    context.terminal.Print(DocumentLine(failure.document));
  }
  context.terminal.PrintError(Join("dunlin: ", failure.message, "\n"));
  return failure.status;
}

std::string DocumentLine(std::string_view document) {
  while (document.ends_with('\n') || document.ends_with('\r')) document.remove_suffix(1);
  return Join(document, "\n");
}

std::string ProjectParameter(std::string_view project) {
  return project.empty() ? "" : Join("?project=", http::EncodePercent(project));
}

}  // namespace dunlin::cli
