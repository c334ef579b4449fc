#include "controller/cli/deploy_body.h"

#include <algorithm>

#include "protocol/base/json_writer.h"
#include "protocol/base/units.h"

namespace dunlin::cli {

std::string DeployBody(const DeployCommand& command) {
  std::string body;
  JsonWriter json(body);
  json.BeginObject();
  if (!command.command.empty()) {
    json.Key("command");
    json.BeginArray();
    for (const std::string& argument : command.command) json.String(argument);
    json.EndArray();
  }
  if (!command.env.empty()) {
    json.Key("env");
    json.BeginObject();
    // JSON leaves open what a repeated name means: the last one counts, as in a shell.
    for (std::size_t i = 0; i < command.env.size(); ++i) {
      const auto& [name, value] = command.env[i];
      bool again =
          std::any_of(command.env.begin() + static_cast<std::ptrdiff_t>(i) + 1, command.env.end(),
                      [&](const auto& later) { return later.first == name; });
      if (!again) json.Field(name, std::string_view(value));
    }
    json.EndObject();
  }
  if (command.port) json.Field("port", unsigned{*command.port});
  if (command.min_healthy) {
    json.Key("readiness");
    json.BeginObject();
    json.Field("min_healthy", std::string_view(FormatDuration(*command.min_healthy)));
    json.EndObject();
  }
  if (!command.message.empty()) json.Field("message", std::string_view(command.message));
  json.EndObject();
  return body;
}

}  // namespace dunlin::cli
