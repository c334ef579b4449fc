#include "agent/recent_lines.h"

#include <string>

#include "tests/support/catch.h"

namespace dunlin::agent {
namespace {

using Lines = std::vector<RecentLines::Line>;
using wire::Output;

TEST_CASE("the last lines, oldest first, whatever the chunks", "[agent][tail]") {
  RecentLines recent;
  recent.Add(Output::kStdout, "one\ntw");
  recent.Add(Output::kStderr, "err");
  recent.Add(Output::kStdout, "o\nthree\n");
  recent.Add(Output::kStderr, "or\n");
  CHECK(recent.Tail(10) == Lines{{Output::kStdout, "one"},
                                 {Output::kStdout, "two"},
                                 {Output::kStdout, "three"},
                                 {Output::kStderr, "error"}});
  CHECK(recent.Tail(1) == Lines{{Output::kStderr, "error"}});
  CHECK(RecentLines().Tail(5).empty());
}

TEST_CASE("an unfinished line is shown at the end", "[agent][tail]") {
  RecentLines recent;
  recent.Add(Output::kStdout, "done\nprompt> ");
  CHECK(recent.Tail(10) == Lines{{Output::kStdout, "done"}, {Output::kStdout, "prompt> "}});
}

TEST_CASE("what does not fit is forgotten in whole lines", "[agent][tail]") {
  RecentLines recent(64);
  SECTION("a chunk larger than its share shows its end") {
    recent.Add(Output::kStdout, "a line that is much too long\nb\nc\n");
    CHECK(recent.Tail(10) == Lines{{Output::kStdout, "b"}, {Output::kStdout, "c"}});
  }
  SECTION("a line whose beginning is gone is not shown") {
    recent.Add(Output::kStdout, "begin ");
    for (int i = 0; i < 8; ++i) recent.Add(Output::kStderr, "0123456789\n");
    recent.Add(Output::kStdout, "end\nnext\n");
    for (const auto& line : recent.Tail(100)) {
      CHECK(line.text != "end");
      CHECK(line.text != "begin end");
    }
    CHECK(recent.Tail(1) == Lines{{Output::kStdout, "next"}});
  }
  SECTION("memory is bounded") {
    for (int i = 0; i < 1000; ++i) recent.Add(Output::kStdout, "0123456789\n");
    CHECK(recent.Tail(1000).size() <= 6);
    CHECK(recent.Tail(1000).size() >= 4);
  }
}

}  // namespace
}  // namespace dunlin::agent
