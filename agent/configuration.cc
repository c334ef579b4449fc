#include "agent/configuration.h"

#include <algorithm>
#include <array>
#include <csignal>
#include <utility>

#include "protocol/base/text.h"

namespace dunlin::agent {
namespace {

Error Invalid(std::string message) {
  return Error(ErrorCode::kInvalidArgument, std::move(message));
}

Result<void> SetText(std::string& into, std::string_view value) {
  if (value.empty()) return Invalid("must not be empty");
  into = value;
  return {};
}

Result<void> SetBool(bool& into, std::string_view value, std::string_view yes,
                     std::string_view no) {
  if (value != yes && value != no) return Invalid(Join("must be ", yes, " or ", no));
  into = value == yes;
  return {};
}

Result<void> SetSize(std::size_t& into, std::string_view value, std::uint64_t least,
                     std::uint64_t most) {
  auto size = ParseSize(value);
  if (!size) return std::move(size).error();
  if (*size < least || *size > most) {
    return Invalid(Join("must be between ", FormatSize(least), " and ", FormatSize(most)));
  }
  into = *size;
  return {};
}

Result<void> SetDuration(std::chrono::nanoseconds& into, std::string_view value,
                         std::chrono::nanoseconds least, std::chrono::nanoseconds most) {
  auto duration = ParseDuration(value);
  if (!duration) return std::move(duration).error();
  if (*duration < least || *duration > most) {
    return Invalid(Join("must be between ", FormatDuration(least), " and ", FormatDuration(most)));
  }
  into = *duration;
  return {};
}

Result<void> SetCollectors(Configuration& c, std::string_view value) {
  c.collectors.clear();
  for (std::string_view part : Split(value, ',')) {
    auto address = net::HostPort::Parse(Trim(part));
    if (!address) return std::move(address).error();
    if (address->host.empty()) return Invalid("a collector needs a host, as in 10.0.0.5:18889");
    c.collectors.push_back(std::move(*address));
  }
  return {};
}

Result<void> AddLabel(Configuration& c, std::string_view value) {
  std::size_t equals = value.find('=');
  if (equals == std::string_view::npos) return Invalid("must be NAME=VALUE");
  std::string_view name = value.substr(0, equals);
  if (!IsValidLabelName(name)) {
    return Invalid(Join("\"", name, "\" is not a label name ([a-zA-Z_][a-zA-Z0-9_]*)"));
  }
  static constexpr std::array<std::string_view, 7> kReserved{
      "project", "service", "service_name", "deployment", "container", "output", "host"};
  if (std::find(kReserved.begin(), kReserved.end(), name) != kReserved.end()) {
    return Invalid(Join("the label ", name, " is set by the agent itself"));
  }
  c.labels.Set(name, value.substr(equals + 1));
  return {};
}

Result<void> SetListen(Configuration& c, std::string_view value) {
  if (value == "off") {
    c.listen.reset();
    return {};
  }
  auto address = net::HostPort::Parse(value);
  if (!address) return std::move(address).error();
  c.listen = std::move(*address);
  return {};
}

Result<void> SetStopSignal(Configuration& c, std::string_view value) {
  auto signal = ParseSignal(value);
  if (!signal) return Invalid("is not a signal, as in TERM or 15");
  c.stop_signal = *signal;
  return {};
}

Result<void> SetUser(Configuration& c, std::string_view value) {
  // Names are not looked up: an image without /etc/passwd is as good as any.
  auto ids = Split(value, ':');
  auto uid = ParseInteger<uid_t>(ids[0]);
  auto gid = ids.size() == 2 ? ParseInteger<gid_t>(ids[1]) : uid;
  if (ids.size() > 2 || !uid || !gid) {
    return Invalid("must be UID or UID:GID in decimal, as in 1000:1000");
  }
  c.user = Configuration::User{*uid, *gid};
  return {};
}

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;

/// One row per flag; parser, environment and --help follow from it.
struct Flag {
  std::string_view name;
  std::string_view value;  // empty: takes none (in the environment: on or off)
  std::string_view fallback;
  std::string_view meaning;
  Result<void> (*set)(Configuration&, std::string_view);
  bool repeats = false;
};

constexpr Flag kFlags[] = {
    {"--collector", "HOST:PORT[,...]", "none",
     "where logs go; several are tried in order (without one: capture and pass through only)",
     SetCollectors},
    {"--project", "NAME", "default", "project that the logs belong to",
     [](Configuration& c, std::string_view v) { return SetText(c.project, v); }},
    {"--service", "NAME", "command", "service label; the command's base name unless given",
     [](Configuration& c, std::string_view v) { return SetText(c.service, v); }},
    {"--deployment", "NAME", "none", "deployment label",
     [](Configuration& c, std::string_view v) { return SetText(c.deployment, v); }},
    {"--container", "NAME", "host name", "container label",
     [](Configuration& c, std::string_view v) { return SetText(c.container, v); }},
    {"--label", "NAME=VALUE", "", "further stream label (repeat; environment: comma-separated)",
     AddLabel, /*repeats=*/true},
    {"--listen", "ADDR|off", "127.0.0.1:18888", "control, health and metrics over HTTP", SetListen},
    {"--insecure", "", "", "listen on any address without a token",
     [](Configuration& c, std::string_view v) { return SetBool(c.insecure, v, "on", "off"); }},
    {"--token-file", "FILE", "none", "token for the collector and for the control listener",
     [](Configuration& c, std::string_view v) { return SetText(c.token_file, v); }},
    {"--memory-limit", "SIZE", "4MiB", "compressed batches held in memory",
     [](Configuration& c, std::string_view v) { return SetSize(c.memory_limit, v, 1_MiB, 4_GiB); }},
    {"--when-full", "drop-oldest|block", "drop-oldest",
     "past the memory limit: drop with a gap marker, or stop reading the process's output",
     [](Configuration& c, std::string_view v) {
       bool block = false;
       auto set = SetBool(block, v, "block", "drop-oldest");
       c.when_full = block ? shipper::WhenFull::kBlock : shipper::WhenFull::kDropOldest;
       return set;
     }},
    {"--batch-bytes", "SIZE", "128KiB", "a batch is sent at this size before compression",
     [](Configuration& c, std::string_view v) { return SetSize(c.batch_bytes, v, 4_KiB, 1_MiB); }},
    {"--batch-age", "DURATION", "1s", "a batch is sent at this age",
     [](Configuration& c, std::string_view v) {
       return SetDuration(c.batch_age, v, milliseconds(1), minutes(1));
     }},
    {"--passthrough", "on|off", "on", "copy the output to the agent's own stdout and stderr",
     [](Configuration& c, std::string_view v) { return SetBool(c.passthrough, v, "on", "off"); }},
    {"--merge-outputs", "", "", "one pipe for stdout and stderr, keeping their order",
     [](Configuration& c, std::string_view v) { return SetBool(c.merge_outputs, v, "on", "off"); }},
    {"--stop-signal", "SIGNAL", "TERM", "what the process gets when it is to stop", SetStopSignal},
    {"--stop-grace", "DURATION", "10s",
     "what the runtime waits between its stop signal and SIGKILL; the process gets most of it",
     [](Configuration& c, std::string_view v) {
       return SetDuration(c.stop_grace, v, milliseconds(0), hours(24));
     }},
    {"--user", "UID[:GID]", "the agent's", "user and group of the process, in decimal", SetUser},
};

const Flag* FindFlag(std::string_view name) {
  auto found = std::find_if(std::begin(kFlags), std::end(kFlags),
                            [name](const Flag& flag) { return flag.name == name; });
  return found == std::end(kFlags) ? nullptr : found;
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
  auto found = std::find_if(std::begin(kFlags), std::end(kFlags),
                            [name](const Flag& flag) { return VariableName(flag.name) == name; });
  return found == std::end(kFlags) ? nullptr : found;
}

std::string FlagNames() {
  std::string names;
  for (const Flag& flag : kFlags) {
    if (!names.empty()) names += ' ';
    names += flag.name;
  }
  return names;
}

Result<void> ApplyEnvironment(Configuration& configuration,
                              std::span<const std::string_view> environment) {
  for (std::string_view variable : environment) {
    std::size_t equals = variable.find('=');
    if (equals == std::string_view::npos) continue;
    const Flag* flag = FindVariable(variable.substr(0, equals));
    if (flag == nullptr) continue;
    std::string_view value = variable.substr(equals + 1);
    const std::string context = Join(variable.substr(0, equals), "=", value);
    for (std::string_view part : flag->repeats ? Split(value, ',') : std::vector{value}) {
      if (auto set = flag->set(configuration, part); !set)
        return std::move(set).error().Wrap(context);
    }
  }
  return {};
}

}  // namespace

std::optional<int> ParseSignal(std::string_view text) {
  static constexpr std::pair<std::string_view, int> kNames[] = {
      {"HUP", SIGHUP},   {"INT", SIGINT},   {"QUIT", SIGQUIT},   {"KILL", SIGKILL},
      {"USR1", SIGUSR1}, {"USR2", SIGUSR2}, {"PIPE", SIGPIPE},   {"ALRM", SIGALRM},
      {"TERM", SIGTERM}, {"CONT", SIGCONT}, {"WINCH", SIGWINCH}, {"PWR", SIGPWR}};
  if (auto number = ParseInteger<int>(text)) {
    if (*number < 1 || *number > SIGRTMAX) return std::nullopt;
    return number;
  }
  if (text.starts_with("SIG")) text.remove_prefix(3);
  for (auto [name, signal] : kNames) {
    if (name == text) return signal;
  }
  if (text.starts_with("RTMIN+")) {
    auto offset = ParseInteger<int>(text.substr(6));
    if (offset && *offset >= 0 && SIGRTMIN + *offset <= SIGRTMAX) return SIGRTMIN + *offset;
  }
  return std::nullopt;
}

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
  bool labels_given = false;
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
    if (flag->repeats && !std::exchange(labels_given, true)) configuration.labels = {};
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
  return ParsedArguments(std::move(configuration));
}

std::vector<std::string_view> UnknownVariables(std::span<const std::string_view> environment) {
  std::vector<std::string_view> unknown;
  for (std::string_view variable : environment) {
    std::string_view name = variable.substr(0, variable.find('='));
    if (name.starts_with("DUNLIN_") && FindVariable(name) == nullptr) unknown.push_back(name);
  }
  return unknown;
}

std::string HelpText() {
  std::string text =
      "Usage: dunlin-agent [flags] -- COMMAND [ARG...]\n\n"
      "Runs COMMAND, captures its standard output and error, ships them to a collector and ends\n"
      "with its exit code. Every flag has a variable: --stop-grace is DUNLIN_STOP_GRACE.\n\n";
  constexpr std::size_t kColumn = 34;
  for (const Flag& flag : kFlags) {
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
      !configuration.token_file.empty()) {
    return {};
  }
  return Invalid(Join("--listen ", configuration.listen->ToString(),
                      ": any address but loopback needs --token-file FILE (or --insecure)"));
}

}  // namespace dunlin::agent
