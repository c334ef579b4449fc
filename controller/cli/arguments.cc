#include "controller/cli/arguments.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <tuple>

#include "controller/cli/cert_arguments.h"
#include "protocol/base/rfc3339.h"
#include "protocol/base/text.h"
#include "protocol/base/units.h"
#include "protocol/config/nearest_name.h"

namespace dunlin::cli {
namespace {

using std::chrono::nanoseconds;

constexpr std::string_view kExitStatuses =
    "Exit status: 0 done, 1 failed, 2 wrong usage, 3 cancelled or superseded, 4 controller or "
    "collector\n"
    "unreachable, 5 refused, 6 wait timed out (the deployment goes on), 7 conflict.";

constexpr const char* kRawHelp = "Lines alone, byte for byte as they were captured";

/// Texts as CLI11 collects them, before they are read.
struct Texts {
  Common common;
  DeployCommand deploy;
  StatusCommand status;
  QueryCommand query;
  LogsCommand logs;
  std::vector<std::string> env;
  std::string port, min_healthy, timeout, step, query_since, from, to, query_limit, logs_since,
      logs_limit;
  bool no_wait = false;
};

struct Parser {
  CLI::App app{"Deploys services and searches their logs.", "dunlin"};
  CLI::App* deploy = nullptr;
  CLI::App* status = nullptr;
  CLI::App* query = nullptr;
  CLI::App* logs = nullptr;
  CLI::App* doctor = nullptr;
  Texts texts;
  CertArguments cert{app, texts.common};
  bool version = false;
};

void AddCommon(CLI::App& app, Common& common) {
  app.set_help_flag("--help,-h", "Print this and exit");
  app.add_option("--controller", common.controller_url,
                 "Where the controller answers [DUNLIN_CONTROLLER; http://127.0.0.1:18880]")
      ->type_name("URL");
  app.add_option("--collector-url", common.collector_url,
                 "Where the collector answers [DUNLIN_COLLECTOR_URL; http://127.0.0.1:3100]")
      ->type_name("URL");
  app.add_option("--token-file", common.token_file,
                 "File holding the token to send [DUNLIN_TOKEN_FILE; none]")
      ->type_name("FILE");
  for (auto [flag, file, help] :
       {std::tuple("--tls-ca", &common.tls_ca, "Who has to have signed a server's certificate"),
        std::tuple("--tls-cert", &common.tls_cert, "Certificate to show to servers"),
        std::tuple("--tls-key", &common.tls_key, "Its key")}) {
    app.add_option(flag, *file, help)->type_name("FILE");
  }
  app.add_flag("--json", common.json, "Print JSON for programs");
}

void AddProject(CLI::App& app, std::string& project) {
  app.add_option("--project", project, "Project of the service")->type_name("NAME");
}

std::unique_ptr<Parser> MakeParser() {
  auto parser = std::make_unique<Parser>();
  Texts& texts = parser->texts;
  CLI::App& app = parser->app;
  app.get_formatter()->column_width(26);
  AddCommon(app, texts.common);
  app.add_flag("--version", parser->version, "Print the version and exit");
  app.footer(std::string(kExitStatuses));
  app.require_subcommand(0, 1);
  app.allow_extras();

  CLI::App& deploy = *(parser->deploy = app.add_subcommand(
                           "deploy", "Deploy a command as a new version of a service, and wait"));
  AddCommon(deploy, texts.common);
  AddProject(deploy, texts.deploy.project);
  deploy.add_option("--env", texts.env, "Environment of the process (repeat)")
      ->type_name("NAME=VALUE")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  deploy.add_option("--port", texts.port, "Where the process listens")->type_name("N");
  deploy
      .add_option("--min-healthy", texts.min_healthy, "How long it must be ready without a break")
      ->type_name("DURATION");
  deploy.add_option("--message", texts.deploy.message, "Why, for the history")->type_name("TEXT");
  deploy.add_flag("--no-wait", texts.no_wait, "Return once the deployment is accepted");
  deploy.add_option("--timeout", texts.timeout, "How long to wait at most [10m]")
      ->type_name("DURATION");
  deploy.add_option("SERVICE", texts.deploy.service, "Service, created if new")->type_name("");
  deploy.prefix_command();
  deploy.footer(
      "Then the command and its arguments, after -- or straight after SERVICE; without one the\n"
      "service's last version is deployed again. Ctrl-C ends the waiting, not the deployment.\n\n" +
      std::string(kExitStatuses));

  CLI::App& status = *(parser->status = app.add_subcommand(
                           "status", "Show all services, or the deployments of one"));
  AddCommon(status, texts.common);
  AddProject(status, texts.status.project);
  status.add_option("SERVICE", texts.status.service, "One service")->type_name("");
  status.allow_extras();

  CLI::App& query = *(parser->query = app.add_subcommand("query", "Run a LogQL query"));
  AddCommon(query, texts.common);
  query.add_option("LOGQL", texts.query.query, "Such as '{service=\"web\"} |= \"error\"'")
      ->type_name("");
  query.add_option("--since", texts.query_since, "From that long ago [1h]")->type_name("DURATION");
  query.add_option("--from", texts.from, "From this time on: RFC 3339, or a duration ago")
      ->type_name("TIME");
  query.add_option("--to", texts.to, "Until before this time [now]")->type_name("TIME");
  query.add_option("--limit", texts.query_limit, "At most so many lines [100]")->type_name("N");
  query.add_option("--step", texts.step, "Metric queries: one value each DURATION of the range")
      ->type_name("DURATION");
  query.add_flag("--forward", texts.query.forward, "Oldest lines first");
  query.add_flag("--raw", texts.query.raw, kRawHelp);
  query.footer("A metric query without --since, --from or --step gives its value at --to.");
  query.allow_extras();

  CLI::App& logs = *(parser->logs = app.add_subcommand("logs", "Show the lines of a service"));
  AddCommon(logs, texts.common);
  AddProject(logs, texts.logs.project);
  logs.add_flag("--follow,-f", texts.logs.follow, "Go on with lines as they come");
  logs.add_option("--since", texts.logs_since,
                  "From this time on: RFC 3339, or a duration ago [24h]")
      ->type_name("TIME");
  logs.add_option("--limit", texts.logs_limit, "Begin with at most so many lines [100]")
      ->type_name("N");
  logs.add_flag("--raw", texts.logs.raw, kRawHelp);
  logs.add_option("SERVICE", texts.logs.service, "Service")->type_name("");
  logs.allow_extras();

  CLI::App& doctor = *(parser->doctor = app.add_subcommand(
                           "doctor", "Show where an agent's lines are, and why they do not move"));
  AddCommon(doctor, texts.common);
  doctor
      .add_option("--agent", texts.common.agent_url,
                  "Where the agent's control listener answers [127.0.0.1:18888]")
      ->type_name("ADDR");
  doctor.add_option("--collector", texts.common.collector_url, "The same as --collector-url")
      ->type_name("URL");
  doctor.footer("Exit status: 0 nothing wrong, 1 problems found, 2 wrong usage.");
  doctor.allow_extras();
  return parser;
}

Error Usage(std::string message) { return Error(ErrorCode::kInvalidArgument, std::move(message)); }

/// Reads `text` with `parse` into `target` unless it is empty; an error names the flag.
template <typename T, typename Function>
Result<void> Read(std::string_view flag, const std::string& text, T& target, Function parse) {
  if (text.empty()) return {};
  auto value = parse(text);
  if (!value) return std::move(value).error().Wrap(flag);
  target = *std::move(value);
  return {};
}

Result<std::uint64_t> ParseLimit(std::string_view text) {
  auto number = ParseInteger<std::uint64_t>(text);
  if (!number || *number == 0) {
    return Usage(Join("\"", text, "\" is not a number of lines: give a whole number above 0"));
  }
  return *number;
}

Result<std::uint16_t> ParsePort(std::string_view text) {
  auto number = ParseInteger<std::uint16_t>(text);
  if (!number || *number == 0) return Usage(Join("\"", text, "\" is not a port: give 1 to 65535"));
  return *number;
}

/// Name and value of NAME=VALUE.
Result<std::pair<std::string, std::string>> ParseVariable(std::string_view text) {
  std::size_t equals = text.find('=');
  if (equals == 0 || equals == std::string_view::npos) {
    return Usage(Join("--env: \"", text, "\" is not NAME=VALUE"));
  }
  return std::pair(std::string(text.substr(0, equals)), std::string(text.substr(equals + 1)));
}

Result<void> Require(const std::string& value, std::string_view name) {
  if (value.empty()) return Usage(Join(name, " is missing"));
  return {};
}

Result<Command> ReadDeploy(Texts& texts, std::vector<std::string> command) {
  DeployCommand& deploy = texts.deploy;
  deploy.command = std::move(command);
  deploy.wait = !texts.no_wait;
  for (const std::string& text : texts.env) {
    auto variable = ParseVariable(text);
    if (!variable) return std::move(variable).error();
    deploy.env.push_back(*std::move(variable));
  }
  for (auto read :
       {Require(deploy.service, "SERVICE"), Read("--port", texts.port, deploy.port, ParsePort),
        Read("--min-healthy", texts.min_healthy, deploy.min_healthy, ParseDuration),
        Read("--timeout", texts.timeout, deploy.timeout, ParseDuration)}) {
    if (!read) return std::move(read).error();
  }
  return Command(std::move(deploy));
}

Result<Command> ReadQuery(Texts& texts) {
  QueryCommand& query = texts.query;
  if (!texts.query_since.empty() && !texts.from.empty()) {
    return Usage("--since and --from both say where to begin: give one");
  }
  auto ago = [](std::string_view text) -> Result<Moment> {
    auto duration = ParseDuration(text);
    if (!duration) return std::move(duration).error();
    return Moment{std::nullopt, *duration};
  };
  for (auto read :
       {Require(query.query, "LOGQL"), Read("--since", texts.query_since, query.from, ago),
        Read("--from", texts.from, query.from, ParseMoment),
        Read("--to", texts.to, query.to, ParseMoment),
        Read("--limit", texts.query_limit, query.limit, ParseLimit),
        Read("--step", texts.step, query.step, ParseDuration)}) {
    if (!read) return std::move(read).error();
  }
  if (query.step == nanoseconds(0)) return Usage("--step: must be above 0");
  return Command(std::move(query));
}

Result<Command> ReadLogs(Texts& texts) {
  LogsCommand& logs = texts.logs;
  for (auto read : {Require(logs.service, "SERVICE"),
                    Read("--since", texts.logs_since, logs.since, ParseMoment),
                    Read("--limit", texts.logs_limit, logs.limit, ParseLimit)}) {
    if (!read) return std::move(read).error();
  }
  return Command(std::move(logs));
}

Result<Command> ReadDoctor(Texts& texts) {
  Common& common = texts.common;
  for (std::string* url : {&common.agent_url, &common.collector_url}) {
    if (url->find("://") == std::string::npos) {
      *url = Join(common.tls_ca.empty() ? "http://" : "https://", *url);
    }
  }
  return Command(DoctorCommand{});
}

/// Names the first argument that nothing wanted, with what was perhaps meant.
Error Unexpected(const CLI::App& app, const std::string& argument) {
  std::vector<std::string> known;
  bool is_flag = argument.starts_with('-');
  if (is_flag) {
    for (const CLI::Option* option : app.get_options()) {
      for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
    }
  } else {
    for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
      known.push_back(command->get_name());
    }
  }
  std::string_view name = std::string_view(argument).substr(0, argument.find('='));
  std::string message = is_flag         ? Join("unknown flag ", name)
                        : known.empty() ? Join("unexpected argument \"", argument, "\"")
                                        : Join("unknown command \"", argument, "\"");
  std::string_view nearest =
      config::NearestName(name, std::vector<std::string_view>(known.begin(), known.end()));
  if (!nearest.empty()) message += Join(", did you mean ", nearest, "?");
  return Usage(std::move(message));
}

/// The command, or the part of one, that the arguments came to: "cert issue".
const CLI::App& Chosen(const CLI::App& app) {
  const CLI::App* chosen = &app;
  while (!chosen->get_subcommands().empty()) chosen = chosen->get_subcommands().front();
  return *chosen;
}

Result<Command> ReadCommand(Parser& parser, bool has_separator,
                            const std::vector<std::string>& after) {
  CLI::App& app = parser.app;
  // A word left over before any command is a mistaken command.
  if (auto left = app.remaining(); !left.empty()) return Unexpected(app, left.front());
  if (app.get_subcommands().empty()) return Usage("a command is missing");
  const CLI::App& chosen = Chosen(app);
  std::vector<std::string> left = chosen.remaining();
  bool is_deploy = &chosen == parser.deploy;
  if (!left.empty() && (!is_deploy || left.front().starts_with('-'))) {
    return Unexpected(chosen, left.front());
  }
  if (has_separator) {
    if (!is_deploy) return Usage("unexpected argument \"--\"");
    if (left.empty() && after.empty()) return Usage("a command must follow --");
    // A command that had begun before the dashes has them as its own.
    if (!left.empty()) left.push_back("--");
    left.insert(left.end(), after.begin(), after.end());
  }
  if (is_deploy) return ReadDeploy(parser.texts, std::move(left));
  if (&chosen == parser.query) return ReadQuery(parser.texts);
  if (&chosen == parser.logs) return ReadLogs(parser.texts);
  if (&chosen == parser.doctor) return ReadDoctor(parser.texts);
  if (app.get_subcommands().front()->get_name() == "cert") return parser.cert.Read();
  return Command(std::move(parser.texts.status));
}

void TakeEnvironment(Common& common, const Environment& environment) {
  for (auto [name, value] :
       {std::pair("DUNLIN_CONTROLLER", &common.controller_url),
        std::pair("DUNLIN_COLLECTOR_URL", &common.collector_url),
        std::pair("DUNLIN_TOKEN_FILE", &common.token_file),
        std::pair("DUNLIN_TLS_CA", &common.tls_ca), std::pair("DUNLIN_TLS_CERT", &common.tls_cert),
        std::pair("DUNLIN_TLS_KEY", &common.tls_key)}) {
    const char* text = environment(name);
    if (text != nullptr && *text != '\0') *value = text;
  }
}

/// Everything from the first "--" on is a command for others: "deploy web -- ls --help". (CLI11's
/// prefix commands take care of "deploy web ls --help".)
std::vector<std::string> SplitAtSeparator(std::vector<std::string>& arguments, bool& found) {
  auto separator = std::find(arguments.begin(), arguments.end(), "--");
  found = separator != arguments.end();
  if (!found) return {};
  std::vector<std::string> after(separator + 1, arguments.end());
  arguments.erase(separator, arguments.end());
  return after;
}

Finished Refuse(std::string_view message, const CLI::App& app) {
  std::string help = "dunlin";
  for (const CLI::App* part = &app; !part->get_subcommands().empty();) {
    part = part->get_subcommands().front();
    help += Join(' ', part->get_name());
  }
  help += " --help";
  return {ExitStatus::kUsage, "", Join("dunlin: ", message, "\nTry ", help, "\n")};
}

}  // namespace

Result<Moment> ParseMoment(std::string_view text) {
  if (auto number = ParseInteger<std::int64_t>(text); number && *number > 0) {
    // As Loki's API reads them.
    bool seconds = text.size() <= 10;
    return Moment{LogTimeOf(seconds ? *number * 1'000'000'000 : *number), {}};
  }
  if (auto time = ParseRfc3339(text)) return Moment{*time, {}};
  if (auto ago = ParseDuration(text)) return Moment{std::nullopt, *ago};
  return Usage(Join("\"", text,
                    "\" is not a time such as 2026-01-31T12:00:00Z, nor how long ago,"
                    " as in 15m"));
}

std::variant<Invocation, Finished> ParseArguments(const std::vector<std::string>& arguments,
                                                  const Environment& environment) {
  auto parser = MakeParser();
  CLI::App& app = parser->app;
  TakeEnvironment(parser->texts.common, environment);
  std::vector<std::string> before = arguments;
  bool has_separator = false;
  std::vector<std::string> after = SplitAtSeparator(before, has_separator);
  try {
    // CLI11 takes its arguments from the back.
    app.parse(std::vector<std::string>(before.rbegin(), before.rend()));
  } catch (const CLI::CallForHelp&) {
    return Finished{ExitStatus::kOk, app.help(), ""};
  } catch (const CLI::ArgumentMismatch& error) {
    std::string_view what = error.what();
    bool repeated = what.find("missing") == std::string_view::npos;
    return Refuse(Join(what.substr(0, what.find(':')),
                       repeated ? " is given more than once" : " needs a value"),
                  app);
  } catch (const CLI::Error& error) {
    return Refuse(error.what(), app);
  }
  if (parser->version) return Finished{ExitStatus::kOk, "dunlin " DUNLIN_VERSION "\n", ""};
  auto command = ReadCommand(*parser, has_separator, after);
  if (!command) return Refuse(command.error().message(), app);
  if (parser->texts.common.tls_cert.empty() != parser->texts.common.tls_key.empty()) {
    return Refuse("--tls-cert and --tls-key come together", app);
  }
  return Invocation{std::move(parser->texts.common), *std::move(command)};
}

}  // namespace dunlin::cli
