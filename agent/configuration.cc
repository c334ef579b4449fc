#include "agent/configuration.h"

#include <algorithm>
#include <utility>

#include "agent/flags.h"
#include "protocol/base/text.h"

namespace dunlin::agent {
namespace {

Error Invalid(std::string message) {
  return Error(ErrorCode::kInvalidArgument, std::move(message));
}

const Flag* FindFlag(std::string_view name) {
  auto flags = AllFlags();
  auto found = std::find_if(flags.begin(), flags.end(),
                            [name](const Flag& flag) { return flag.name == name; });
  return found == flags.end() ? nullptr : &*found;
}

/// --stop-grace is DUNLIN_STOP_GRACE.
std::string VariableName(std::string_view flag) {
  std::string name = "DUNLIN_";
  for (char c : flag.substr(2)) {
    name.push_back(c == '-' ? '_' : c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c);
  }
  return name;
}

const Flag* FindVariable(std::string_view name) {
  auto flags = AllFlags();
  auto found = std::find_if(flags.begin(), flags.end(),
                            [name](const Flag& flag) { return VariableName(flag.name) == name; });
  return found == flags.end() ? nullptr : &*found;
}

std::string FlagNames() {
  std::string names;
  for (const Flag& flag : AllFlags()) {
    if (!names.empty()) names += ' ';
    names += flag.name;
  }
  return names;
}

Result<void> ApplyEnvironment(Configuration& configuration,
                              std::span<const std::string_view> environment) {
  for (std::string_view variable : environment) {
    std::size_t equals = variable.find('=');
    if (equals == std::string_view::npos || !variable.starts_with("DUNLIN_")) continue;
    if (variable.substr(0, equals) == kTokenVariable) {
      configuration.token = Trim(variable.substr(equals + 1));
      if (configuration.token.empty()) return Invalid(Join(kTokenVariable, " is empty"));
      continue;
    }
    const Flag* flag = FindVariable(variable.substr(0, equals));
    if (flag == nullptr) continue;
    std::string_view value = variable.substr(equals + 1);
    const std::string context = Join(variable.substr(0, equals), "=", value);
    for (std::string_view part : flag->clear != nullptr ? Split(value, ',') : std::vector{value}) {
      if (auto set = flag->set(configuration, part); !set)
        return std::move(set).error().Wrap(context);
    }
  }
  return {};
}
/// What no flag can be wrong about alone.
Result<void> CheckTogether(const Configuration& c) {
  if (c.tls_cert.empty() != c.tls_key.empty()) {
    return Invalid("--tls-cert and --tls-key belong together: one of them is missing");
  }
  if (!c.collectors.empty() && !c.tls_cert.empty() && c.tls_ca.empty() && !c.insecure) {
    return Invalid(
        "--tls-cert without --tls-ca leaves the connection to the collector plain: give --tls-ca "
        "FILE with the CA that has signed the collector's certificate, or --insecure");
  }
  if (c.restart.delay > c.restart.max_delay) {
    return Invalid("--restart-delay is longer than --restart-max-delay");
  }
  return {};
}

}  // namespace

Result<ParsedArguments> ParseArguments(std::span<const std::string_view> arguments,
                                       std::span<const std::string_view> environment) {
  // These two work whatever else is given or set, but not behind the command.
  for (std::size_t i = 0; i < arguments.size() && arguments[i].starts_with("-"); ++i) {
    if (arguments[i] == "--") break;
    if (arguments[i] == "--help" || arguments[i] == "-h") return ParsedArguments(HelpRequested{});
    if (arguments[i] == "--version") return ParsedArguments(VersionRequested{});
    const Flag* flag = FindFlag(arguments[i]);
    if (flag != nullptr && !flag->value.empty()) ++i;
  }
  Configuration configuration;
  if (auto applied = ApplyEnvironment(configuration, environment); !applied) {
    return std::move(applied).error();
  }
  std::size_t next = 0;
  std::vector<const Flag*> repeated;  // those that have replaced what the environment says
  while (next < arguments.size()) {
    std::string_view argument = arguments[next];
    if (argument == "--") {
      ++next;
      break;
    }
    if (!argument.starts_with("-")) break;  // the command, without the two dashes
    ++next;
    std::size_t equals = argument.find('=');
    std::string_view name = argument.substr(0, equals);
    const Flag* flag = FindFlag(name);
    if (flag == nullptr) {
      return Invalid(
          Join("unknown flag ", name, "; there are: ", FlagNames(), " --help --version"));
    }
    std::string_view value;
    if (equals != std::string_view::npos) {
      value = argument.substr(equals + 1);
    } else if (flag->value.empty()) {
      value = "on";
    } else if (next < arguments.size()) {
      value = arguments[next++];
    } else {
      return Invalid(Join(name, " needs a value: ", name, " ", flag->value));
    }
    if (flag->clear != nullptr &&
        std::find(repeated.begin(), repeated.end(), flag) == repeated.end()) {
      flag->clear(configuration);
      repeated.push_back(flag);
    }
    if (auto set = flag->set(configuration, value); !set) {
      return std::move(set).error().Wrap(Join(name, " ", value));
    }
  }
  for (; next < arguments.size(); ++next) configuration.command.emplace_back(arguments[next]);
  if (configuration.command.empty()) {
    return Invalid("no command: dunlin-agent [flags] -- COMMAND [ARG...]");
  }
  if (configuration.command[0].empty()) return Invalid("the command's name is empty");
  if (configuration.service.empty()) {
    std::string_view command = configuration.command[0];
    std::size_t slash = command.rfind('/');
    configuration.service = slash == std::string_view::npos ? command : command.substr(slash + 1);
    if (configuration.service.empty()) configuration.service = command;
  }
  if (auto fits = CheckTogether(configuration); !fits) return std::move(fits).error();
  return ParsedArguments(std::move(configuration));
}

std::vector<std::string_view> UnknownVariables(std::span<const std::string_view> environment) {
  std::vector<std::string_view> unknown;
  for (std::string_view variable : environment) {
    std::string_view name = variable.substr(0, variable.find('='));
    if (name.starts_with("DUNLIN_") && name != kTokenVariable && FindVariable(name) == nullptr) {
      unknown.push_back(name);
    }
  }
  return unknown;
}

std::string HelpText() {
  std::string text =
      "Usage: dunlin-agent [flags] -- COMMAND [ARG...]\n\n"
      "Runs COMMAND, captures its standard output and error, ships them to a collector and ends\n"
      "with its exit code. Every flag has a variable: --stop-grace is DUNLIN_STOP_GRACE.\n\n";
  constexpr std::size_t kColumn = 34;
  for (const Flag& flag : AllFlags()) {
    std::string line = Join("  ", flag.name);
    if (!flag.value.empty()) line += Join(" ", flag.value);
    line.append(line.size() < kColumn ? kColumn - line.size() : 1, ' ');
    line += flag.meaning;
    if (!flag.fallback.empty()) line += Join(" (default ", flag.fallback, ")");
    text += line + "\n";
  }
  text +=
      "  --help, --version\n\n"
      "Exit status: the command's own, 128 + N when signal N ended it, 127 when it was not found,\n"
      "126 when it cannot be executed, 2 for a usage error.\n";
  return text;
}

Result<void> CheckListener(const Configuration& configuration) {
  if (!configuration.listen || configuration.listen->is_loopback() || configuration.insecure ||
      !configuration.token_file.empty() || !configuration.token.empty() ||
      (!configuration.tls_ca.empty() && !configuration.tls_cert.empty())) {
    return {};
  }
  return Invalid(Join("--listen ", configuration.listen->ToString(),
                      ": any address but loopback needs --token-file FILE, or --tls-ca FILE "
                      "and --tls-cert FILE (or --insecure)"));
}

}  // namespace dunlin::agent
