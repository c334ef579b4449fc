#include "collector/ingest/level.h"

#include <string>

#include "tests/support/catch.h"

namespace dunlin::ingest {
namespace {

TEST_CASE("the level a line states about itself", "[ingest][level]") {
  auto [line, want] = GENERATE(table<std::string, std::string>({
      {R"({"time":1,"level":"warn","msg":"an error was avoided"})", "warn"},
      {R"({"msg":"info about it","severity": "ERROR"})", "error"},
      {R"({"level":30,"pid":1,"msg":"x"})", "info"},
      {R"({"level":50,"msg":"x"})", "error"},
      {"ts=1 level=debug msg=\"no error\"", "debug"},
      {"lvl=dbug t=1", "debug"},
      {"severity: critical, all is lost", "critical"},
      {"2026-11-20 10:00:00,123 INFO dfs.DataNode: an error packet", "info"},
      {"[Sun Dec 04 04:47:44 2005] [error] mod_jk child", "error"},
      {"[WARNING] low space", "warn"},
      {"E0312 12:00:00.000000 1 main.go:1] it broke", "error"},
      {"I0312 12:00:00.000000 1 main.go:1] an error message", "info"},
      {"TRACE entering", "trace"},
      {"emergency stop", "fatal"},
      {"Informational message", "info"},
      {"panic: runtime", "fatal"},
      {"ALERT db down", "critical"},
      {"java.lang.NullPointerException: x", "error"},
      {"TypeError: undefined is not a function", "error"},
      {"err_code=0 all is well", "unknown"},
      {"x86info was run", "unknown"},
      {"level=high the flag's own scale", "unknown"},
      {"GET /x 200", "unknown"},
      {"", "unknown"},
  }));
  CAPTURE(line);
  CHECK(LevelName(DetectLevel(line)) == want);
}

TEST_CASE("a level is looked for in the beginning of a line only", "[ingest][level]") {
  std::string line(kLevelWindow - 5, ' ');
  CHECK(DetectLevel(line + "error") == Level::kError);
  CHECK(DetectLevel(" " + line + "error") == Level::kUnknown);
  // "info" is all that the window shows of a longer word.
  CHECK(DetectLevel(" " + line + "infomercial") == Level::kUnknown);
}

TEST_CASE("any bytes have a level", "[ingest][level]") {
  std::string all;
  for (int c = 0; c < 256; ++c) all.push_back(static_cast<char>(c));
  CHECK(DetectLevel(all) == Level::kUnknown);
  CHECK(DetectLevel(std::string("\0\0error\0", 8)) == Level::kError);
}

TEST_CASE("labels state a level under several names", "[ingest][level]") {
  CHECK(LevelOfLabels({{"level", "WARN"}}) == Level::kWarn);
  CHECK(LevelOfLabels({{"severity_text", "fatal"}}) == Level::kFatal);
  CHECK(LevelOfLabels({{"lvl", "debug"}, {"level", "error"}}) == Level::kError);
  CHECK(LevelOfLabels({{"app", "error"}}) == Level::kUnknown);
}

}  // namespace
}  // namespace dunlin::ingest
