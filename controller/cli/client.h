#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <variant>

#include "controller/cli/command.h"
#include "controller/cli/terminal.h"
#include "controller/http_client.h"
#include "protocol/base/clock.h"
#include "protocol/base/result.h"

namespace dunlin::cli {

/// Everything outside that a command touches.
struct Context {
  Common common;
  Terminal& terminal;
  const Clock& clock;
  std::function<Result<http::Response>(const controller::ClientRequest&)> send;
  /// Sleeps; false means to stop what is going on.
  std::function<bool(std::chrono::nanoseconds)> pause;
  /// What Ctrl-C prints from now on before it ends the program; empty: nothing.
  std::function<void(std::string note)> on_interrupt;
};

/// Why a request came to nothing.
struct Failure {
  ExitStatus status;
  std::string message;     // for people
  std::string document;    // the server's answer when it is JSON, for --json
  bool transient = false;  // worth another try
};

/// Who is asked, and how messages call it.
enum class Server { kController, kCollector, kAgent };

/// One exchange with `server`: `path` begins with a slash; the token goes along. Any status from
/// 200 to 299 is an answer.
std::variant<http::Response, Failure> Ask(const Context& context, Server server,
                                          std::string_view path,
                                          controller::ClientRequest request = {});

/// What a refusal of controller (problem+json) or collector (text) means.
Failure RefusalOf(Server server, const http::Response& response);

/// Prints the failure (and, with --json, the server's document) and gives the status to exit with.
ExitStatus Report(const Context& context, const Failure& failure);

/// A server's JSON document as --json prints it: one newline at its end.
std::string DocumentLine(std::string_view document);

/// "?project=web", or nothing without a project.
std::string ProjectParameter(std::string_view project);

}  // namespace dunlin::cli
