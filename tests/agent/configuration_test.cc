#include "agent/configuration.h"

#include <csignal>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "agent/signal_name.h"
#include "tests/support/catch.h"

namespace dunlin::agent {
namespace {

using namespace std::chrono_literals;
using Words = std::vector<std::string_view>;

Configuration Parse(const Words& arguments, const Words& environment = {}) {
  auto parsed = ParseArguments(arguments, environment);
  if (!parsed) FAIL(parsed.error().message());
  REQUIRE(std::holds_alternative<Configuration>(*parsed));
  return std::get<Configuration>(*parsed);
}

std::string Refusal(const Words& arguments, const Words& environment = {}) {
  auto parsed = ParseArguments(arguments, environment);
  REQUIRE_FALSE(parsed);
  CHECK(parsed.error().code() == ErrorCode::kInvalidArgument);
  return parsed.error().message();
}

TEST_CASE("a command alone gets the defaults", "[agent][configuration]") {
  auto c = Parse({"--", "/usr/bin/python3", "-m", "http.server"});
  CHECK(c.command == std::vector<std::string>{"/usr/bin/python3", "-m", "http.server"});
  CHECK(c.service == "python3");
  CHECK(c.project == "default");
  CHECK(c.deployment == "none");
  CHECK(c.collectors.empty());
  CHECK(c.listen == net::HostPort{"127.0.0.1", 18888});
  CHECK(c.memory_limit == 4_MiB);
  CHECK(c.batch_bytes == 128_KiB);
  CHECK(c.batch_age == 1s);
  CHECK(c.max_connection_age == 10min);
  CHECK(c.passthrough);
  CHECK_FALSE(c.merge_outputs);
  CHECK(c.stop_signal == SIGTERM);
  CHECK(c.stop_grace == 10s);
  CHECK(c.when_full == shipper::WhenFull::kDropOldest);
}

TEST_CASE("the two dashes may be left out, and the command's own flags are its own",
          "[agent][configuration]") {
  auto c = Parse({"--project", "p", "sleep", "--help", "--bogus"});
  CHECK(c.command == std::vector<std::string>{"sleep", "--help", "--bogus"});
}

TEST_CASE("flags take their value behind them or behind an equals sign", "[agent][configuration]") {
  auto c = Parse({"--collector",
                  "10.0.0.1:18889, [::1]:7",
                  "--memory-limit=16MiB",
                  "--when-full",
                  "block",
                  "--batch-age=10ms",
                  "--max-connection-age=90s",
                  "--passthrough=off",
                  "--merge-outputs",
                  "--stop-signal",
                  "SIGQUIT",
                  "--stop-grace",
                  "1m30s",
                  "--listen",
                  "off",
                  "--service",
                  "web",
                  "--deployment",
                  "7",
                  "--container",
                  "c-1",
                  "--",
                  "x"});
  CHECK(c.collectors == std::vector<net::HostPort>{{"10.0.0.1", 18889}, {"::1", 7}});
  CHECK(c.memory_limit == 16_MiB);
  CHECK(c.when_full == shipper::WhenFull::kBlock);
  CHECK(c.batch_age == 10ms);
  CHECK(c.max_connection_age == 90s);
  CHECK_FALSE(c.passthrough);
  CHECK(c.merge_outputs);
  CHECK(c.stop_signal == SIGQUIT);
  CHECK(c.stop_grace == 90s);
  CHECK_FALSE(c.listen);
  CHECK(c.service == "web");
  CHECK(c.deployment == "7");
  CHECK(c.container == "c-1");
}

TEST_CASE("labels add up, and a flag replaces those of the environment", "[agent][configuration]") {
  CHECK(Parse({"--label", "a=1", "--label", "b=x=y", "--", "x"}).labels ==
        LabelSet{{"a", "1"}, {"b", "x=y"}});
  CHECK(Parse({"--", "x"}, {"DUNLIN_LABEL=a=1,b=2"}).labels == LabelSet{{"a", "1"}, {"b", "2"}});
  CHECK(Parse({"--label=c=3", "--", "x"}, {"DUNLIN_LABEL=a=1"}).labels == LabelSet{{"c", "3"}});
}

TEST_CASE("every flag has a variable, and the flag beats it", "[agent][configuration]") {
  const Words environment{"DUNLIN_STOP_GRACE=3s", "DUNLIN_MERGE_OUTPUTS=on", "PATH=/bin",
                          "DUNLIN_PROJECT=env"};
  auto c = Parse({"--project", "flag", "--", "x"}, environment);
  CHECK(c.stop_grace == 3s);
  CHECK(c.merge_outputs);
  CHECK(c.project == "flag");
}

TEST_CASE("what cannot be right is refused with the flag and the reason",
          "[agent][configuration]") {
  auto [arguments, words] = GENERATE(table<Words, std::vector<std::string>>({
      {{"--bogus", "--", "x"}, {"unknown flag --bogus", "--collector"}},
      {{"--spool-sync", "sometimes", "--", "x"}, {"--spool-sync sometimes", "interval"}},
      {{"-v", "--", "x"}, {"unknown flag -v"}},
      {{}, {"no command", "COMMAND"}},
      {{"--project", "p"}, {"no command"}},
      {{"--"}, {"no command"}},
      {{"--", ""}, {"empty"}},
      {{"--project"}, {"--project", "needs a value"}},
      {{"--project", "", "--", "x"}, {"--project", "empty"}},
      {{"--memory-limit", "12", "--", "x"}, {"--memory-limit 12", "1MiB"}},
      {{"--memory-limit", "lots", "--", "x"}, {"--memory-limit lots"}},
      {{"--when-full", "panic", "--", "x"}, {"--when-full panic", "drop-oldest"}},
      {{"--batch-age", "0s", "--", "x"}, {"--batch-age"}},
      {{"--max-connection-age", "8d", "--", "x"}, {"--max-connection-age"}},
      {{"--stop-grace", "5", "--", "x"}, {"--stop-grace 5"}},
      {{"--stop-signal", "BOOM", "--", "x"}, {"--stop-signal BOOM"}},
      {{"--label", "noequals", "--", "x"}, {"--label", "NAME=VALUE"}},
      {{"--label", "0x=1", "--", "x"}, {"label name"}},
      {{"--label", "service=1", "--", "x"}, {"service", "agent itself"}},
      {{"--collector", "nowhere", "--", "x"}, {"--collector nowhere"}},
      {{"--collector", ":18889", "--", "x"}, {"--collector", "host"}},
      {{"--listen", "18888", "--", "x"}, {"--listen 18888"}},
      {{"--passthrough", "maybe", "--", "x"}, {"on or off"}},
  }));
  std::string message = Refusal(arguments);
  CAPTURE(message);
  for (const std::string& word : words) CHECK(message.find(word) != std::string::npos);
}

TEST_CASE("a variable that cannot be right is refused by its name", "[agent][configuration]") {
  CHECK(Refusal({"--", "x"}, {"DUNLIN_STOP_GRACE=soon"}).find("DUNLIN_STOP_GRACE=soon") !=
        std::string::npos);
}

TEST_CASE("variables of other programs are known as such, not errors", "[agent][configuration]") {
  const Words environment{"DUNLIN_SPOOLS=/x", "HOME=/", "DUNLIN_PROJECT=p"};
  Parse({"--", "x"}, environment);
  CHECK(UnknownVariables(environment) == Words{"DUNLIN_SPOOLS"});
  CHECK(UnknownVariables(Words{"DUNLIN_TOKEN=abc"}).empty());
}

TEST_CASE("help and version work whatever else is given", "[agent][configuration]") {
  auto help = ParseArguments(Words{"--bogus", "--help"}, Words{"DUNLIN_STOP_GRACE=bad"});
  REQUIRE(help);
  CHECK(std::holds_alternative<HelpRequested>(*help));
  auto version = ParseArguments(Words{"--version"}, Words{});
  REQUIRE(version);
  CHECK(std::holds_alternative<VersionRequested>(*version));
  CHECK(HelpText().find("--stop-grace DURATION") != std::string::npos);
}

TEST_CASE("a user is a number, with a group of the same number unless given",
          "[agent][configuration]") {
  CHECK(Parse({"--user", "65534", "--", "x"}).user == Configuration::User{65534, 65534});
  CHECK(Parse({"--user=1000:100", "--", "x"}).user == Configuration::User{1000, 100});
  for (std::string_view bad : {"nobody", "", "1:", ":1", "1:2:3", "-1"}) {
    CHECK(Refusal({"--user", bad, "--", "x"}).find("--user") != std::string::npos);
  }
}

TEST_CASE("signals by name and number", "[agent][configuration]") {
  CHECK(ParseSignal("TERM") == SIGTERM);
  CHECK(ParseSignal("SIGUSR1") == SIGUSR1);
  CHECK(ParseSignal("9") == SIGKILL);
  CHECK(ParseSignal("RTMIN+3") == SIGRTMIN + 3);
  CHECK_FALSE(ParseSignal("0"));
  CHECK_FALSE(ParseSignal("65"));
  CHECK_FALSE(ParseSignal("term"));
  CHECK_FALSE(ParseSignal("RTMIN+99"));
}

TEST_CASE("a listener that others reach needs a token or an explicit word",
          "[agent][configuration]") {
  CHECK(CheckListener(Parse({"--", "x"})));
  CHECK(CheckListener(Parse({"--listen", "[::1]:1", "--", "x"})));
  CHECK(CheckListener(Parse({"--listen", "off", "--", "x"})));
  CHECK(CheckListener(Parse({"--listen", "0.0.0.0:1", "--token-file", "/t", "--", "x"})));
  CHECK(CheckListener(Parse({"--listen", "0.0.0.0:1", "--", "x"}, {"DUNLIN_TOKEN=abc"})));
  CHECK(CheckListener(Parse({"--listen", "0.0.0.0:1", "--insecure", "--", "x"})));
  auto refused = CheckListener(Parse({"--listen", "0.0.0.0:1", "--", "x"}));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message().find("--token-file") != std::string::npos);
}

TEST_CASE("how the process is stopped and started again", "[agent][configuration]") {
  auto c = Parse({"--stop-mode", "leader", "--wait-for-all=off", "--parent-death", "SIGHUP",
                  "--rewrite-signal", "TERM=QUIT", "--rewrite-signal", "WINCH=none",
                  "--remap-exit=143=0", "--restart", "on-failure", "--restart-delay", "1s",
                  "--restart-limit", "0", "--stdin", "pipe", "x"});
  CHECK(c.stop_mode == StopMode::kLeader);
  CHECK_FALSE(c.wait_for_all);
  CHECK(c.parent_death == SIGHUP);
  CHECK(c.signal_rewrites ==
        std::vector<SignalRewrite>{{SIGTERM, SIGQUIT}, {SIGWINCH, std::nullopt}});
  CHECK(c.exit_remaps == std::vector<ExitRemap>{{143, 0}});
  CHECK(c.restart.policy == Restart::kOnFailure);
  CHECK(c.restart.delay == 1s);
  CHECK(c.restart.limit == 0);
  CHECK(c.standard_input == StandardInput::kPipe);
}

TEST_CASE("hooks, probes and the rate limit", "[agent][configuration]") {
  auto c =
      Parse({"--pre-start", "/bin/migrate --to 'version 2'", "--ready",
             "http://127.0.0.1:80/healthz", "--live", "exec:/bin/check", "--live-action", "restart",
             "--ready-failures", "2", "--live-interval", "5s", "--rate-limit", "1MiB/s", "x"});
  CHECK(c.pre_start == std::vector<std::string>{"/bin/migrate", "--to", "version 2"});
  CHECK(c.post_stop.empty());
  CHECK(c.ready.target == ProbeTarget(HttpTarget{{"127.0.0.1", 80}, "/healthz"}));
  CHECK(c.ready.interval == 1s);
  CHECK(c.ready.failures == 2);
  CHECK(c.live.target == ProbeTarget(ExecTarget{{"/bin/check"}}));
  CHECK_FALSE(c.live.failures);
  CHECK(c.live.interval == 5s);
  CHECK(c.live_action == LiveAction::kRestart);
  CHECK(c.rate_limit == 1_MiB);
}

TEST_CASE("lists of the environment are replaced by flags, each on its own",
          "[agent][configuration]") {
  const Words environment{"DUNLIN_REMAP_EXIT=143=0,137=1", "DUNLIN_REWRITE_SIGNAL=TERM=QUIT"};
  auto c = Parse({"--remap-exit", "1=2", "x"}, environment);
  CHECK(c.exit_remaps == std::vector<ExitRemap>{{1, 2}});
  CHECK(c.signal_rewrites == std::vector<SignalRewrite>{{SIGTERM, SIGQUIT}});
}

TEST_CASE("a certificate without a CA is for the control listener, or asked for by name",
          "[agent][configuration]") {
  const Words files{"--tls-cert", "c.pem", "--tls-key", "k.pem"};
  auto with = [&](Words more) {
    more.insert(more.end(), files.begin(), files.end());
    more.push_back("x");
    return more;
  };
  CHECK(Parse(with({})).tls_ca.empty());
  CHECK(Parse(with({"--collector", "10.0.0.1:18889", "--insecure"})).tls_ca.empty());
  CHECK(Parse(with({"--collector", "10.0.0.1:18889", "--tls-ca", "ca.pem"})).tls_ca == "ca.pem");
}

TEST_CASE("supervision flags that cannot be right are refused with what would be",
          "[agent][configuration]") {
  auto [arguments, says] = GENERATE(table<Words, std::string>({
      {{"--stop-mode", "tree", "x"}, "group, leader"},
      {{"--rewrite-signal", "TERM", "x"}, "TERM=QUIT"},
      {{"--rewrite-signal", "TERM=NOPE", "x"}, "not a signal"},
      {{"--remap-exit", "143", "x"}, "143=0"},
      {{"--remap-exit", "256=0", "x"}, "0 to 255"},
      {{"--restart", "sometimes", "x"}, "never, on-failure, always"},
      {{"--restart-delay", "2m", "x"}, "--restart-max-delay"},
      {{"--pre-start", " ", "x"}, "command"},
      {{"--ready", "ftp://x", "x"}, "exec:COMMAND"},
      {{"--ready", "tcp://", "x"}, "no port"},
      {{"--live", "log:(", "x"}, "a ( has no )"},
      {{"--live-failures", "0", "x"}, "1 to 1000"},
      {{"--rate-limit", "1MiB", "x"}, "1MiB/s"},
      {{"--tls-cert", "c.pem", "x"}, "--tls-key"},
      {{"--collector", "10.0.0.1:18889", "--tls-cert", "c.pem", "--tls-key", "k.pem", "x"},
       "--tls-ca"},
  }));
  CAPTURE(arguments[0], arguments[1]);
  const std::string refusal = Refusal(arguments);
  CAPTURE(refusal);
  CHECK(refusal.find(says) != std::string::npos);
}

}  // namespace
}  // namespace dunlin::agent
