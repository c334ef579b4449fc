#include "protocol/config/config_file.h"

#include "tests/support/catch.h"

namespace dunlin::config {

TEST_CASE("a configuration file gives its keys in order with their places", "[config]") {
  auto settings = ParseConfigFile("d.toml",
                                  "# ports\nhttp = \"[::1]:80\"\n\nthreads = 4\n"
                                  "insecure = true\n");
  REQUIRE(settings);
  REQUIRE(settings->size() == 3);
  CHECK((*settings)[0].key == "http");
  CHECK((*settings)[0].text == "[::1]:80");
  CHECK((*settings)[0].kind == FileSetting::Kind::kString);
  CHECK((*settings)[0].where == "d.toml:2");
  CHECK((*settings)[1].text == "4");
  CHECK((*settings)[1].kind == FileSetting::Kind::kInteger);
  CHECK((*settings)[2].text == "true");
  CHECK((*settings)[2].kind == FileSetting::Kind::kBool);
  CHECK((*settings)[2].where == "d.toml:5");
}

TEST_CASE("an empty configuration file has no settings", "[config]") {
  auto settings = ParseConfigFile("d.toml", "");
  REQUIRE(settings);
  CHECK(settings->empty());
}

TEST_CASE("a malformed configuration file is refused with its place", "[config]") {
  auto [contents, place] = GENERATE(
      table<std::string, std::string>({{"http = ", "d.toml:1: not TOML"},
                                       {"data = \"x\"\nhttp = 127.0.0.1:80", "d.toml:2: not TOML"},
                                       {"http = 1\nhttp = 2\n", "d.toml:2: not TOML"},
                                       {"http = \"\xFF\"", "d.toml:1: not TOML"}}));
  CAPTURE(contents);
  auto settings = ParseConfigFile("d.toml", contents);
  REQUIRE_FALSE(settings);
  CHECK(settings.error().code() == ErrorCode::kInvalidArgument);
  CHECK_THAT(settings.error().message(), Catch::Matchers::StartsWith(place));
}

TEST_CASE("values that no flag could have are refused by name", "[config]") {
  auto [contents, message] = GENERATE(table<std::string, std::string>({
      {"ratio = 0.5", "d.toml:1: ratio is a number with decimals"},
      {"data = [\"a\", \"b\"]", "d.toml:1: data is an array"},
      {"\n[http]\nport = 1", "d.toml:2: http is a table"},
      {"since = 2026-01-01", "d.toml:1: since is a date or time"},
  }));
  CAPTURE(contents);
  auto settings = ParseConfigFile("d.toml", contents);
  REQUIRE_FALSE(settings);
  CHECK_THAT(settings.error().message(), Catch::Matchers::StartsWith(message));
}

}  // namespace dunlin::config
