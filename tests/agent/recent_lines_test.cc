#include "agent/recent_lines.h"

#include <algorithm>
#include <array>
#include <random>
#include <string>
#include <utility>
#include <vector>

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

/// All whole lines of one output, or what is left of them.
std::vector<std::string> Of(Output output, const Lines& lines) {
  std::vector<std::string> texts;
  for (const auto& line : lines) {
    if (line.output == output) texts.push_back(line.text);
  }
  return texts;
}

bool EndsWith(const std::vector<std::string>& all, const std::vector<std::string>& end) {
  return end.size() <= all.size() && std::equal(end.rbegin(), end.rend(), all.rbegin());
}

TEST_CASE("the last lines are those that were written, however often memory was filled",
          "[agent][tail]") {
  constexpr std::size_t kLimit = 1024;
  RecentLines recent(kLimit);
  std::mt19937 random(1);
  auto below = [&random](std::size_t limit) { return random() % limit; };
  std::array<std::vector<std::string>, shipper::kOutputs> written;
  std::array<std::string, shipper::kOutputs> unfinished;
  for (int i = 0; i < 5000; ++i) {
    const std::size_t output = below(8) == 0 ? 1 : 0;
    std::string chunk;
    for (std::size_t size = 1 + below(below(4) == 0 ? 230 : 40); chunk.size() < size;) {
      chunk += static_cast<char>('a' + below(26));
      if (below(12) == 0) chunk += '\n';
    }
    recent.Add(shipper::OutputAt(output), chunk);
    for (char byte : chunk) {
      if (byte == '\n') {
        written[output].push_back(std::exchange(unfinished[output], {}));
      } else {
        unfinished[output] += byte;
      }
    }
    const Lines lines = recent.Tail(10'000);
    std::size_t bytes = 0;
    for (const auto& line : lines) bytes += line.text.size();
    REQUIRE(bytes <= kLimit);
    for (std::size_t j = 0; j < shipper::kOutputs; ++j) {
      auto all = written[j];
      const std::vector<std::string> shown = Of(shipper::OutputAt(j), lines);
      const bool end_shown = EndsWith(all, shown);
      all.push_back(unfinished[j]);
      // An unfinished line is shown unless its beginning is gone.
      REQUIRE((end_shown || EndsWith(all, shown)));
    }
  }
  CHECK_FALSE(recent.Tail(10'000).empty());
}

TEST_CASE("outputs that take turns byte by byte cost no more memory than others", "[agent][tail]") {
  RecentLines recent(1024);
  for (int i = 0; i < 5000; ++i) {
    recent.Add(Output::kStdout, "\n");
    recent.Add(Output::kStderr, "\n");
  }
  CHECK(recent.Tail(10'000).size() == 64);
}

}  // namespace
}  // namespace dunlin::agent
