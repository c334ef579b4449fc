#include "collector/flags.h"

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "protocol/base/text.h"
#include "tests/support/catch.h"

namespace dunlin::collector {
namespace {

using namespace std::chrono_literals;

/// The flags after parsing `arguments`, without any environment.
void Parse(Flags& flags, const std::vector<std::string>& arguments) {
  config::ProgramOptions program("dunlin-collector", "");
  flags.Declare(program);
  auto outcome = program.Evaluate(arguments, [](const std::string&) { return nullptr; });
  CAPTURE(outcome.standard_error);
  REQUIRE_FALSE(outcome.exit_status);
}

TEST_CASE("a data folder is all a collector needs", "[collector][flags]") {
  Flags flags;
  Parse(flags, {"--data", "/d"});
  auto options = flags.Options();
  REQUIRE(options);
  CHECK(options->data_dir == "/d");
  CHECK(options->http == net::HostPort{"127.0.0.1", 3100});
  CHECK(options->ingest == net::HostPort{"127.0.0.1", 18889});
  CHECK(options->retention == 30 * 24h);
  CHECK(options->max_entries == 5000);
  CHECK_FALSE(options->insecure);
}

TEST_CASE("flags become options", "[collector][flags]") {
  Flags flags;
  Parse(flags,
        {"--data=/d", "--http=[::1]:1", "--ingest=:2", "--retention=0", "--retention-size=1GiB",
         "--retention-free=5MiB", "--min-free=4MiB", "--token-file=/t", "--tls-cert=/c",
         "--tls-key=/k", "--tls-client-ca=/a", "--insecure", "--max-agents=6", "--max-entries=7",
         "--query-timeout=5s", "--log-level=debug"});
  auto options = flags.Options();
  REQUIRE(options);
  CHECK(options->http == net::HostPort{"::1", 1});
  CHECK(options->ingest.port == 2);
  CHECK(options->retention == 0s);
  CHECK(options->retention_bytes == 1_GiB);
  CHECK(options->retention_free_bytes == 5_MiB);
  CHECK(options->min_free_bytes == 4_MiB);
  CHECK(options->token_file == "/t");
  CHECK(options->tls_cert == "/c");
  CHECK(options->tls_key == "/k");
  CHECK(options->tls_client_ca == "/a");
  CHECK(options->insecure);
  CHECK(options->max_agents == 6);
  CHECK(options->max_entries == 7);
  CHECK(options->query_timeout == 5s);
  auto level = flags.LogLevel();
  REQUIRE(level);
  CHECK(*level == log::Level::kDebug);
}

TEST_CASE("a wrong value names its flag", "[collector][flags]") {
  auto flag = GENERATE(as<std::string>{}, "--http=nowhere", "--ingest=1.2.3.4", "--max-agents=0",
                       "--max-entries=0", "--query-timeout=0", "--retention-free=256MiB");
  CAPTURE(flag);
  Flags flags;
  Parse(flags, {"--data=/d", flag});
  auto options = flags.Options();
  REQUIRE_FALSE(options);
  CHECK(options.error().code() == ErrorCode::kInvalidArgument);
  CHECK_THAT(options.error().message(),
             Catch::Matchers::StartsWith(flag.substr(0, flag.find('='))));
}

TEST_CASE("TLS flags that lack another are refused by name", "[collector][flags]") {
  auto [flag, missing] =
      GENERATE(table<std::string, std::string>({{"--tls-cert=/c", "--tls-key"},
                                                {"--tls-key=/k", "--tls-cert"},
                                                {"--tls-client-ca=/a", "--tls-cert"}}));
  CAPTURE(flag);
  Flags flags;
  Parse(flags, {"--data=/d", flag});
  auto options = flags.Options();
  REQUIRE_FALSE(options);
  CHECK_THAT(options.error().message(), Catch::Matchers::Contains(missing));
}

TEST_CASE("an unknown log level is refused", "[collector][flags]") {
  Flags flags;
  Parse(flags, {"--data=/d", "--log-level=loud"});
  CHECK_FALSE(flags.LogLevel());
}

TEST_CASE("every flag is documented", "[collector][flags]") {
  Flags flags;
  config::ProgramOptions program("dunlin-collector", "");
  flags.Declare(program);
  auto outcome = program.Evaluate({"--help"}, [](const std::string&) { return nullptr; });
  std::ifstream file(DUNLIN_DOCS "/operations.md");
  std::stringstream document;
  document << file.rdbuf();
  std::size_t found = 0;
  std::istringstream help(outcome.standard_output);
  for (std::string word; help >> word;) {
    if (!word.starts_with("--") || word.size() < 3) continue;
    std::string name = word.substr(0, word.find_first_of(",=:.;", 2));
    CHECK_THAT(document.str(), Catch::Matchers::Contains(Join("`", name)));
    ++found;
  }
  CHECK(found >= 11);
}

}  // namespace
}  // namespace dunlin::collector
