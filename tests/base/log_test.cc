#include "protocol/base/log.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "protocol/base/file_system.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

namespace dunlin::log {
namespace {

std::string FieldText(std::string_view value) {
  std::string out;
  AppendField(out, "k", value);
  return out;
}

TEST_CASE("values are quoted only where logfmt needs it", "[base][log]") {
  auto [value, want] = GENERATE(table<std::string, std::string>({
      {"plain", "k=plain"},
      {"/a/b:1", "k=/a/b:1"},
      {"é", "k=é"},
      {"", "k=\"\""},
      {"two words", "k=\"two words\""},
      {"a=b", "k=\"a=b\""},
      {"say \"x\"", "k=\"say \\\"x\\\"\""},
      {"back\\slash", "k=\"back\\\\slash\""},
      {"a\nb", "k=\"a\\nb\""},
      {"\x1b[31m", "k=\"\\x1b[31m\""},
      {"\x7f", "k=\"\\x7f\""},
  }));
  CHECK(FieldText(value) == want);
}

/// What `write` sends to standard error.
template <typename Writes>
std::string Captured(Writes write) {
  testing::TempDir dir;
  std::FILE* file = std::fopen(dir.File("stderr").c_str(), "w");
  REQUIRE(file != nullptr);
  int saved = ::dup(STDERR_FILENO);
  ::dup2(::fileno(file), STDERR_FILENO);
  write();
  ::dup2(saved, STDERR_FILENO);
  ::close(saved);
  std::fclose(file);
  return *ReadFile(PosixFileSystem(), dir.File("stderr"));
}

TEST_CASE("an event is one line with time, level, program and fields", "[base][log]") {
  SetProgram("log-test");
  std::string line = Captured([] { Warn("spool full", {{"bytes", 5}, {"path", "/a b"}}); });
  SetProgram("dunlin");
  CHECK_THAT(line, test::HasText("time=20"));
  CHECK_THAT(
      line,
      test::HasText(" level=warn program=log-test event=\"spool full\" bytes=5 path=\"/a b\"\n"));
  CHECK(std::count(line.begin(), line.end(), '\n') == 1);
}

TEST_CASE("events below the level are not written", "[base][log]") {
  std::string lines = Captured([] {
    Debug("one");
    SetLevel(Level::kError);
    Warn("two");
    Fail("three");
    SetLevel(Level::kDebug);
    Debug("four");
    SetLevel(Level::kInfo);
  });
  CHECK(lines.find("event=one") == std::string::npos);
  CHECK(lines.find("event=two") == std::string::npos);
  CHECK_THAT(lines, test::HasText("level=error program=dunlin event=three"));
  CHECK_THAT(lines, test::HasText("event=four"));
}

}  // namespace
}  // namespace dunlin::log
