#include "controller/cli/arguments.h"

#include <map>

#include "protocol/base/text.h"
#include "tests/support/catch.h"

namespace dunlin::cli {
namespace {

using namespace std::chrono_literals;
using test::HasText;

std::variant<Invocation, Finished> Parse(const std::vector<std::string>& arguments,
                                         const std::map<std::string, std::string>& set = {}) {
  return ParseArguments(arguments, [&](const std::string& name) -> const char* {
    auto found = set.find(name);
    return found == set.end() ? nullptr : found->second.c_str();
  });
}

template <typename T>
T Understood(const std::vector<std::string>& arguments) {
  auto parsed = Parse(arguments);
  auto* invocation = std::get_if<Invocation>(&parsed);
  if (invocation == nullptr) FAIL(std::get<Finished>(parsed).standard_error);
  auto* command = std::get_if<T>(&invocation->command);
  REQUIRE(command != nullptr);
  return *command;
}

std::string Refusal(const std::vector<std::string>& arguments) {
  auto parsed = Parse(arguments);
  auto* finished = std::get_if<Finished>(&parsed);
  REQUIRE(finished != nullptr);
  CHECK(finished->status == ExitStatus::kUsage);
  CHECK(finished->standard_output.empty());
  return finished->standard_error;
}

using Words = std::vector<std::string>;

}  // namespace

TEST_CASE("deploy takes everything it offers", "[cli]") {
  auto deploy =
      Understood<DeployCommand>({"deploy", "web",       "--project",     "shop",  "--env",
                                 "A=1",    "--env",     "B=x=y",         "--env", "C=",
                                 "--port", "8080",      "--min-healthy", "2s",    "--message",
                                 "first",  "--no-wait", "--timeout=3m",  "--",    "sh",
                                 "-c",     "exit 0",    "--port",        "9"});
  CHECK(deploy.service == "web");
  CHECK(deploy.project == "shop");
  CHECK(deploy.command == Words{"sh", "-c", "exit 0", "--port", "9"});
  CHECK(deploy.env ==
        std::vector<std::pair<std::string, std::string>>{{"A", "1"}, {"B", "x=y"}, {"C", ""}});
  CHECK(deploy.port == 8080);
  CHECK(deploy.min_healthy == 2s);
  CHECK(deploy.message == "first");
  CHECK_FALSE(deploy.wait);
  CHECK(deploy.timeout == 3min);
}

TEST_CASE("deploy without a command deploys again, and waits", "[cli]") {
  auto deploy = Understood<DeployCommand>({"deploy", "web"});
  CHECK(deploy.command.empty());
  CHECK(deploy.wait);
  CHECK_FALSE(deploy.port);
}

TEST_CASE("the command of deploy may follow the service without dashes, and keeps its flags",
          "[cli]") {
  CHECK(Understood<DeployCommand>({"deploy", "web", "ls", "--help", "--", "-l"}).command ==
        Words{"ls", "--help", "--", "-l"});
  CHECK(Understood<DeployCommand>({"deploy", "--port", "1", "web", "sh", "--port", "2"}).port == 1);
}

TEST_CASE("query takes a range, a limit and a direction", "[cli]") {
  auto query =
      Understood<QueryCommand>({"query", "{a=\"b\"}", "--from", "2026-01-31T12:00:00Z", "--to",
                                "5m", "--limit", "7", "--forward", "--step", "30s"});
  CHECK(query.query == "{a=\"b\"}");
  REQUIRE(query.from);
  CHECK(query.from->at == LogTimeOf(1769860800'000000000));
  REQUIRE(query.to);
  CHECK(query.to->ago == 5min);
  CHECK(query.limit == 7);
  CHECK(query.forward);
  CHECK(query.step == 30s);
  CHECK(Understood<QueryCommand>({"query", "x", "--since", "2h"}).from->ago == 2h);
}

TEST_CASE("logs and status name a service", "[cli]") {
  auto logs = Understood<LogsCommand>({"logs", "-f", "web", "--since", "1h", "--limit", "5"});
  CHECK(logs.service == "web");
  CHECK(logs.follow);
  CHECK(logs.since.ago == 1h);
  CHECK(logs.limit == 5);
  CHECK(Understood<StatusCommand>({"status"}).service.empty());
  CHECK(Understood<StatusCommand>({"status", "web", "--project=shop"}).project == "shop");
}

TEST_CASE("common flags stand before or after the command, and beat the environment", "[cli]") {
  std::map<std::string, std::string> environment = {{"DUNLIN_CONTROLLER", "http://e:1"},
                                                    {"DUNLIN_COLLECTOR_URL", "http://e:2"},
                                                    {"DUNLIN_TOKEN_FILE", ""}};
  auto arguments = GENERATE(Words{"--controller", "http://f:1", "--json", "status"},
                            Words{"status", "--json", "--controller=http://f:1"});
  auto parsed = Parse(arguments, environment);
  REQUIRE(std::holds_alternative<Invocation>(parsed));
  const Common& common = std::get<Invocation>(parsed).common;
  CHECK(common.controller_url == "http://f:1");
  CHECK(common.collector_url == "http://e:2");
  CHECK(common.token_file.empty());
  CHECK(common.json);
}

TEST_CASE("a wrong command line is refused by name, with what was perhaps meant", "[cli]") {
  auto [arguments, message] = GENERATE(table<Words, std::string>({
      {Words{}, "a command is missing"},
      {{"depoly", "web"}, "unknown command \"depoly\", did you mean deploy?"},
      {{"--jsno", "status"}, "unknown flag --jsno, did you mean --json?"},
      {Words{"deploy"}, "SERVICE is missing"},
      {{"deploy", "web", "--prot", "80"}, "unknown flag --prot, did you mean --port?"},
      {{"deploy", "web", "--port"}, "--port needs a value"},
      {{"deploy", "--port=1", "--port=2", "web"}, "--port is given more than once"},
      {{"deploy", "web", "--port", "0"}, "--port: \"0\" is not a port"},
      {{"deploy", "web", "--port", "65536"}, "--port: \"65536\" is not a port"},
      {{"deploy", "web", "--env", "A"}, "--env: \"A\" is not NAME=VALUE"},
      {{"deploy", "web", "--env", "=x"}, "--env: \"=x\" is not NAME=VALUE"},
      {{"deploy", "web", "--min-healthy", "5"}, "--min-healthy: \"5\" is not a duration"},
      {{"deploy", "web", "--"}, "a command must follow --"},
      {{"deploy", "--", "web"}, "SERVICE is missing"},
      {{"status", "web", "--", "x"}, "unexpected argument \"--\""},
      {{"status", "web", "more"}, "unexpected argument \"more\""},
      {Words{"query"}, "LOGQL is missing"},
      {{"query", "{}", "--limit", "0"}, "--limit: \"0\" is not a number of lines"},
      {{"query", "{}", "--limit", "-1"}, "--limit: \"-1\" is not a number of lines"},
      {{"query", "{}", "--since", "x"}, "--since: \"x\" is not a duration"},
      {{"query", "{}", "--from", "yesterday"}, "--from: \"yesterday\" is not a time"},
      {{"query", "{}", "--since", "1h", "--from", "2h"}, "--since and --from"},
      {{"query", "{}", "--step", "0"}, "--step: must be above 0"},
      {{"query", "{a=\"b\"}", "|=", "x"}, "unexpected argument \"|=\""},
      {{"logs", "--folow", "web"}, "unknown flag --folow, did you mean --follow?"},
  }));
  CAPTURE(arguments);
  CHECK_THAT(Refusal(arguments), HasText(message) && HasText("--help"));
}

TEST_CASE("help is there for the program and each command, and says how it exits", "[cli]") {
  auto arguments =
      GENERATE(Words{"--help"}, Words{"-h"}, Words{"deploy", "--help"}, Words{"status", "--help"},
               Words{"query", "--help"}, Words{"logs", "--help"});
  CAPTURE(arguments);
  auto parsed = Parse(arguments);
  REQUIRE(std::holds_alternative<Finished>(parsed));
  const Finished& finished = std::get<Finished>(parsed);
  CHECK(finished.status == ExitStatus::kOk);
  CHECK(finished.standard_error.empty());
  CHECK_THAT(finished.standard_output, HasText("--controller URL") && HasText("--json"));
}

TEST_CASE("the version is one line", "[cli]") {
  auto parsed = Parse({"--version"});
  REQUIRE(std::holds_alternative<Finished>(parsed));
  CHECK(std::get<Finished>(parsed).standard_output == "dunlin 0.1.0\n");
}

TEST_CASE("moments are times, numbers as in Loki's API, or durations ago", "[cli]") {
  CHECK(ParseMoment("2026-01-31T12:00:00.5Z")->at == LogTimeOf(1769860800'500000000));
  CHECK(ParseMoment("1769860800")->at == LogTimeOf(1769860800'000000000));
  CHECK(ParseMoment("1769860800000000001")->at == LogTimeOf(1769860800'000000001));
  CHECK(ParseMoment("90m")->ago == 90min);
  CHECK(ParseMoment("0")->ago == 0s);
  CHECK_FALSE(ParseMoment(""));
  CHECK_FALSE(ParseMoment("-5m"));
}

TEST_CASE("cert takes everything it offers", "[cli][cert]") {
  auto init = Understood<CertInitCommand>(
      {"cert", "init", "--dir", "d", "--name", "my CA", "--valid", "20y", "--force"});
  CHECK(init.folder == "d");
  CHECK(init.name == "my CA");
  CHECK(init.valid == 24h * 365 * 20);
  CHECK(init.force);

  auto issue = Understood<CertIssueCommand>(
      {"cert", "issue", "agent", "web", "--host", "a", "--host", "::1", "--project", "shop",
       "--service", "web", "--container", "*", "--valid", "90d", "--dir=d", "--force"});
  CHECK(issue.role == "agent");
  CHECK(issue.name == "web");
  CHECK(issue.hosts == Words{"a", "::1"});
  CHECK(issue.project == "shop");
  CHECK(issue.service == "web");
  CHECK(issue.container == "*");
  CHECK(issue.valid == 24h * 90);
  CHECK(issue.force);
  CHECK(Understood<CertIssueCommand>({"cert", "issue", "metrics", "p"}).folder == "certs");

  auto renew = Understood<CertRenewCommand>({"cert", "renew", "a", "ca", "--new-key", "--force"});
  CHECK(renew.names == Words{"a", "ca"});
  CHECK(renew.new_key);
  CHECK(renew.force);
  CHECK_FALSE(renew.valid);
  renew =
      Understood<CertRenewCommand>({"cert", "renew", "--all", "--within", "30d", "--valid", "1y"});
  CHECK(renew.names.empty());
  CHECK(renew.within == 24h * 30);
  CHECK(renew.valid == 24h * 365);
}

TEST_CASE("cert says what is wrong with its command line", "[cli][cert]") {
  auto [arguments, wanted] = GENERATE(table<Words, std::string>(
      {{{"cert"}, "cert needs one of init, issue, renew\nTry dunlin cert --help"},
       {{"cert", "isue"}, "unknown command \"isue\", did you mean issue?"},
       {{"cert", "init", "--dri", "x"}, "unknown flag --dri, did you mean --dir?"},
       {{"cert", "init", "x"}, "unexpected argument \"x\""},
       {{"cert", "init", "--valid", "soon"}, "--valid"},
       {{"cert", "init", "--valid", "1s"}, "--valid: 1s is less than a minute"},
       {{"cert", "issue"}, "ROLE is missing"},
       {{"cert", "issue", "robot", "x"}, "\"robot\" is not one of agent"},
       {{"cert", "issue", "agent"}, "NAME is missing\nTry dunlin cert issue --help"},
       {{"cert", "issue", "agent", "../x"}, "NAME: \"../x\""},
       {{"cert", "issue", "agent", "ca"}, "ca is the CA's own"},
       {{"cert", "issue", "agent", "a", "--project", ""}, "--project"},
       {{"cert", "issue", "collector", "a", "--project", "b"}, "are for agents"},
       {{"cert", "issue", "metrics", "a", "--host", "b"}, "--host: a metrics certificate"},
       {{"cert", "renew"}, "give either a NAME or --all"},
       {{"cert", "renew", "a", "--all"}, "give either a NAME or --all"}}));
  CHECK_THAT(Refusal(arguments), HasText(wanted));
}

}  // namespace dunlin::cli
