#include "protocol/config/program_options.h"

#include <unistd.h>

#include <map>

#include "protocol/base/file_system.h"
#include "protocol/base/random.h"
#include "protocol/base/text.h"
#include "tests/support/catch.h"

namespace dunlin::config {
namespace {

using namespace std::chrono_literals;
using test::HasText;

/// A program with one setting of each kind.
struct Program {
  std::string http = "127.0.0.1:3100";
  std::string data;
  bool insecure = false;
  std::uint64_t threads = 2;
  std::chrono::nanoseconds grace = 10s;
  std::uint64_t limit = 64 << 20;
  ProgramOptions options{"dunlin-test", "tries its options"};
  std::map<std::string, std::string> environment;
  std::string config_path;

  Program() {
    options.Add("http", &http, "where to answer HTTP");
    options.AddRequired("data", &data, "data folder");
    options.Add("insecure", &insecure, "listen anywhere without a token");
    options.Add("threads", &threads, "workers");
    options.Add("stop-grace", &grace, "time to stop");
    options.AddSize("memory-limit", &limit, "queue in memory");
  }
  ~Program() {
    if (!config_path.empty()) ::unlink(config_path.c_str());
  }

  void WriteConfig(std::string_view contents) {
    config_path = "/tmp/dunlin-config-test-" + ToHex(NewRandomId()) + ".toml";
    REQUIRE(WriteFileAtomically(PosixFileSystem(), config_path, contents));
    environment["DUNLIN_CONFIG"] = config_path;
  }

  ProgramOptions::Outcome Run(const std::vector<std::string>& arguments) {
    return options.Evaluate(arguments, [this](const std::string& name) -> const char* {
      auto found = environment.find(name);
      return found == environment.end() ? nullptr : found->second.c_str();
    });
  }

  /// Runs and expects a usage error; answers what it says.
  std::string Refusal(const std::vector<std::string>& arguments) {
    auto outcome = Run(arguments);
    CHECK(outcome.exit_status == 2);
    CHECK(outcome.standard_output.empty());
    return outcome.standard_error;
  }
};

}  // namespace

TEST_CASE("defaults stand when nothing is given", "[config]") {
  Program program;
  auto outcome = program.Run({"--data", "/d"});
  CHECK_FALSE(outcome.exit_status);
  CHECK(outcome.standard_error.empty());
  CHECK(program.http == "127.0.0.1:3100");
  CHECK(program.data == "/d");
  CHECK_FALSE(program.insecure);
  CHECK(program.threads == 2);
  CHECK(program.grace == 10s);
  CHECK(program.limit == 64 << 20);
}

TEST_CASE("flags of every kind are read", "[config]") {
  Program program;
  auto outcome = program.Run({"--data=/d", "--http", "[::1]:80", "--insecure", "--threads", "8",
                              "--stop-grace=1m30s", "--memory-limit", "4MiB"});
  CAPTURE(outcome.standard_error);
  CHECK_FALSE(outcome.exit_status);
  CHECK(program.http == "[::1]:80");
  CHECK(program.insecure);
  CHECK(program.threads == 8);
  CHECK(program.grace == 90s);
  CHECK(program.limit == 4 << 20);
}

TEST_CASE("a switch can be turned off", "[config]") {
  Program program;
  program.insecure = true;
  CHECK_FALSE(program.Run({"--data=/d", "--insecure=off"}).exit_status);
  CHECK_FALSE(program.insecure);
}

TEST_CASE("a flag beats the environment, which beats the file, which beats the default",
          "[config]") {
  Program program;
  program.WriteConfig(
      "http = \"file\"\nthreads = 3\nstop-grace = \"3s\"\ndata = \"/file\"\nmemory-limit = 1024\n");
  program.environment["DUNLIN_HTTP"] = "environment";
  program.environment["DUNLIN_THREADS"] = "4";
  auto outcome = program.Run({"--http", "flag"});
  CAPTURE(outcome.standard_error);
  CHECK_FALSE(outcome.exit_status);
  CHECK(program.http == "flag");
  CHECK(program.threads == 4);
  CHECK(program.grace == 3s);
  CHECK(program.data == "/file");
  CHECK(program.limit == 1024);
}

TEST_CASE("an empty variable is the same as none", "[config]") {
  Program program;
  program.environment["DUNLIN_THREADS"] = "";
  CHECK_FALSE(program.Run({"--data=/d"}).exit_status);
  CHECK(program.threads == 2);
}

TEST_CASE("the flag --config beats DUNLIN_CONFIG", "[config]") {
  Program program;
  program.WriteConfig("data = \"/file\"\n");
  program.environment["DUNLIN_CONFIG"] = "/nonexistent/dunlin.toml";
  CHECK_FALSE(program.Run({"--config", program.config_path}).exit_status);
  CHECK(program.data == "/file");
}

TEST_CASE("a missing required setting is named with all its forms", "[config]") {
  Program program;
  CHECK_THAT(program.Refusal({}),
             HasText("--data is required (or DUNLIN_DATA, or data in the configuration file)"));
}

TEST_CASE("an unknown flag is named, with the nearest one", "[config]") {
  Program program;
  CHECK_THAT(program.Refusal({"--htpp", "x"}),
             HasText("unknown flag --htpp, did you mean --http?"));
  CHECK_THAT(program.Refusal({"--treads=4"}),
             HasText("unknown flag --treads, did you mean --threads?"));
  CHECK_THAT(program.Refusal({"--quite-another"}), HasText("unknown flag --quite-another\n"));
  CHECK_THAT(program.Refusal({"-x"}), HasText("unknown flag -x\n"));
  CHECK_THAT(program.Refusal({"serve"}), HasText("unexpected argument \"serve\""));
}

TEST_CASE("a bad value is refused naming the flag, the variable or the place in the file",
          "[config]") {
  Program program;
  CHECK_THAT(program.Refusal({"--data=/d", "--threads", "many"}),
             HasText("--threads: \"many\" is not a number"));
  CHECK_THAT(program.Refusal({"--data=/d", "--threads=-1"}),
             HasText("--threads: \"-1\" is not a number"));
  CHECK_THAT(program.Refusal({"--data=/d", "--stop-grace", "10"}),
             HasText("--stop-grace: \"10\" is not a duration"));
  CHECK_THAT(program.Refusal({"--data=/d", "--memory-limit=lots"}),
             HasText("--memory-limit: \"lots\" is not a size"));
  CHECK_THAT(program.Refusal({"--data=/d", "--insecure=maybe"}), HasText("--insecure"));
  CHECK_THAT(program.Refusal({"--data=/d", "--threads"}), HasText("--threads needs a value"));
  CHECK_THAT(program.Refusal({"--data=/d", "--threads=1", "--threads=2"}),
             HasText("--threads is given more than once"));
  program.environment["DUNLIN_STOP_GRACE"] = "soon";
  CHECK_THAT(program.Refusal({"--data=/d"}), HasText("DUNLIN_STOP_GRACE: \"soon\""));
}

TEST_CASE("mistakes in the file are refused with line and key", "[config]") {
  auto [contents, message] = GENERATE(table<std::string, std::string>({
      {"data = \"/d\"\nretenton = \"1d\"", ":2: unknown key retenton\n"},
      {"data = \"/d\"\nhtpp = \"x\"", ":2: unknown key htpp, did you mean http?"},
      {"data = \"/d\"\nconfig = \"other.toml\"", ":2: unknown key config"},
      {"data = 5", ":1: data: 5 is not a string"},
      {"data = \"/d\"\nthreads = \"4\"", ":2: threads: 4 is not a whole number without quotes"},
      {"data = \"/d\"\nthreads = -4", ":2: threads: \"-4\" is not a number"},
      {"data = \"/d\"\nstop-grace = 10", ":2: stop-grace: 10 is not a duration in quotes"},
      {"data = \"/d\"\ninsecure = \"on\"", ":2: insecure: on is not true or false"},
      {"data = ", ":1: not TOML"},
  }));
  CAPTURE(contents);
  Program program;
  program.WriteConfig(contents);
  CHECK_THAT(program.Refusal({}), HasText(program.config_path + message));
}

TEST_CASE("every mistake is reported at once", "[config]") {
  Program program;
  std::string said = program.Refusal({"--threads=x", "--stop-grace=y"});
  CHECK_THAT(said, HasText("--data") && HasText("--threads") && HasText("--stop-grace"));
}

TEST_CASE("an unreadable file is refused by name", "[config]") {
  Program program;
  CHECK_THAT(program.Refusal({"--data=/d", "--config", "/nonexistent/dunlin.toml"}),
             HasText("cannot read the configuration file") && HasText("/nonexistent/dunlin.toml"));
  CHECK_THAT(program.Refusal({"--data=/d", "--config", "/"}),
             HasText("cannot read the configuration file"));
}

TEST_CASE("the flag --help lists every flag with its default and variable, whatever else is given",
          "[config]") {
  Program program;
  auto outcome = program.Run({"--help", "--threads", "x"});
  CHECK(outcome.exit_status == 0);
  CHECK(outcome.standard_error.empty());
  CHECK_THAT(outcome.standard_output,
             HasText("dunlin-test: tries its options") && HasText("--http TEXT") &&
                 HasText("127.0.0.1:3100; DUNLIN_HTTP]") && HasText("--data TEXT") &&
                 HasText("[required; DUNLIN_DATA]") && HasText("[default: off; DUNLIN_INSECURE]") &&
                 HasText("--threads NUMBER") && HasText("--stop-grace DURATION") &&
                 HasText("[default: 10s; DUNLIN_STOP_GRACE]") && HasText("--memory-limit SIZE") &&
                 HasText("[default: 64MiB; DUNLIN_MEMORY_LIMIT]") && HasText("DUNLIN_CONFIG") &&
                 HasText("--version"));
}

TEST_CASE("the flag --version prints one line and needs no other flag", "[config]") {
  Program program;
  auto outcome = program.Run({"--version"});
  CHECK(outcome.exit_status == 0);
  CHECK(outcome.standard_output == "dunlin-test 0.1.0\n");
}

}  // namespace dunlin::config
