#include "agent/probe_pattern.h"

#include <regex.h>

#include <random>
#include <string>

#include "agent/probe_line_matcher.h"
#include "tests/support/catch.h"

namespace dunlin::agent {
namespace {

unsigned LinesFound(const std::string& pattern, const std::string& output) {
  CAPTURE(pattern);
  auto compiled = LinePattern::Compile(pattern);
  if (!compiled) FAIL(compiled.error().message());
  LineMatcher matcher(*compiled);
  return matcher.Feed(output);
}

bool Found(const std::string& pattern, const std::string& line) {
  return LinesFound(pattern, line + "\n") == 1;
}

TEST_CASE("a pattern is found anywhere in a line", "[agent][probe]") {
  auto [pattern, line, want] = GENERATE(table<std::string, std::string, bool>({
      {"ready", "server ready.", true},
      {"ready", "server read", false},
      {"^ready", "ready", true},
      {"^ready", "not ready", false},
      {"ready$", "now ready", true},
      {"ready$", "ready now", false},
      {"^$", "", true},
      {"^$", "a", false},
      {"a*", "", true},
      {"a*", "b", true},
      {"$", "b", true},
      {"^", "b", true},
      {"$^", "", true},
      {"a.c", "xabcx", true},
      {"a.c", "ac", false},
      {"colou?r", "the color", true},
      {"ab+c", "ac", false},
      {"ab+c", "abbbc", true},
      {"ab*c", "ac", true},
      {"one|two|three", "a two b", true},
      {"^(one|two)$", "two ", false},
      {"()", "", true},
      {"(|x)y", "y", true},
      {"(?:ab){2}c", "ababc", true},
      {"(ab){2}c", "abc", false},
      {"x{2,3}y", "xy", false},
      {"^x{2,3}y", "xxxxy", false},
      {"^x{2,3}y", "xxxy", true},
      {"^x{2,}$", "x", false},
      {"^x{2,}$", "xxxxxx", true},
      {"^x{0}y", "y", true},
      {"port [0-9]+", "port 8080", true},
      {"[^a-z]", "abc", false},
      {"[^a-z]", "ab1c", true},
      {"[]a]x", "]x", true},
      {"[a-]x", "-x", true},
      {"[[:upper:]_]{3}", "ab_CD", true},
      {"[[:digit:]]", "none", false},
      {"[\\d.]+ms", "took 1.5ms", true},
      {"\\d\\d:\\d\\d", "at 10:42", true},
      {"\\w+\\s\\W", "name =", true},
      {"a\\.b", "axb", false},
      {"\\[ok\\]", "all [ok]", true},
      {"{\"level\":\"fatal\"}", "{\"level\":\"fatal\"}", true},
      {"a{x", "a{x", true},
      {"(?i)Fatal [Ee]rr", "FATAL ERR", true},
      {"(?i)[^a]b", "AB", false},
      {"fatal", "FATAL", false},
      {"é+t", "ééét", true},
      {"^é?t", "\xC3t", false},
      {"^..$", "é", true},
      {"\\ttab", "a\ttab", true},
  }));
  CAPTURE(line);
  CHECK(Found(pattern, line) == want);
}

TEST_CASE("a pattern that cannot be read is refused with its fault", "[agent][probe]") {
  auto [pattern, fault] = GENERATE(table<std::string, std::string>({
      {"(a", "a ( has no )"},
      {"a)", "a ) has no ("},
      {"[a", "a [ has no ]"},
      {"[", "a [ has no ]"},
      {"[b-a]", "from a lower character to a higher one"},
      {"[\\d-z]", "from a lower character to a higher one"},
      {"[[:word:]]", "no such class"},
      {"[[:digit", "no such class"},
      {"[é]", "(é|ü)"},
      {"*a", "nothing stands before the *"},
      {"a|+", "nothing stands before the +"},
      {"a**", "a repetition follows a repetition"},
      {"a+?", "a repetition follows a repetition"},
      {"a{3,2}", "ends below its start"},
      {"a{256}", "beyond 255"},
      {"a\\", "ends with a backslash"},
      {"(a)\\1", "\\1 has no meaning here"},
      {"\\bword", "\\b has no meaning here (at byte 2)"},
      {"(?=a)", "only (?:"},
      {"((a{1,100}){1,100}){1,100}", "too large"},
      {std::string(100, '(') + std::string(100, ')'), "nest more than 64 deep"},
  }));
  CAPTURE(pattern);
  auto compiled = LinePattern::Compile(pattern);
  REQUIRE_FALSE(compiled);
  CHECK(compiled.error().code() == ErrorCode::kInvalidArgument);
  CHECK_THAT(compiled.error().message(), test::HasText(fault));
}

TEST_CASE("lines are told apart however they are cut into chunks", "[agent][probe]") {
  const std::string output = "one fatal\nfatal fatal\n\nmore\nfatal";
  auto pattern = LinePattern::Compile("fatal|^$");
  REQUIRE(pattern);
  const std::size_t size = GENERATE(1u, 2u, 3u, 7u, 100u);
  LineMatcher matcher(*pattern);
  unsigned lines = 0;
  for (std::size_t at = 0; at < output.size(); at += size) {
    lines += matcher.Feed(std::string_view(output).substr(at, size));
  }
  // The last one counts before its end.
  CHECK(lines == 4);
  CHECK(matcher.Feed("fatal\nx") == 0);
  CHECK(matcher.Feed(" fatal") == 1);
}

TEST_CASE("another process begins another line", "[agent][probe]") {
  auto pattern = LinePattern::Compile("^up$");
  REQUIRE(pattern);
  LineMatcher matcher(*pattern);
  CHECK(matcher.Feed("cut sho") == 0);
  matcher.Reset();
  CHECK(matcher.Feed("up\n") == 1);
}

TEST_CASE("only the beginning of a very long line is looked at", "[agent][probe]") {
  const std::string filling(kMaxMatchedBytes - 3, 'x');
  CHECK(LinesFound("end", filling + "end\n") == 1);
  CHECK(LinesFound("end", filling + "xend\nend\n") == 1);
  CHECK(LinesFound("x$", filling + "xxxx\n") == 0);
}

TEST_CASE("a pattern with more states than may be kept is followed all the same",
          "[agent][probe]") {
  // Whether the nineteenth byte from the end is an a: that needs 2^19 states to remember.
  auto pattern = LinePattern::Compile("a[ab]{18}$");
  REQUIRE(pattern);
  LineMatcher matcher(*pattern);
  std::mt19937 random(7);
  unsigned want = 0;
  unsigned got = 0;
  for (int i = 0; i < 100; ++i) {
    std::string line;
    for (int j = 0; j < 200; ++j) line.push_back("ab"[random() % 2]);
    want += line[line.size() - 19] == 'a' ? 1 : 0;
    got += matcher.Feed(line + "\n");
  }
  CHECK(want > 20);
  CHECK(got == want);
  CHECK(matcher.known_states() <= 128);
}

/// A random expression in the part of the language that is the C library's, too.
std::string RandomPattern(std::mt19937& random, int depth) {
  std::string text;
  const auto pieces = 1 + random() % 3;
  for (unsigned i = 0; i < pieces; ++i) {
    switch (random() % (depth > 0 ? 8 : 6)) {
      case 0:
      case 1:
      case 2:
        text.push_back("abc"[random() % 3]);
        break;
      case 3:
        text += ".";
        break;
      case 4:
        text += "[a-b]";
        break;
      case 5:
        text += "[^b]";
        break;
      default:
        text += "(" + RandomPattern(random, depth - 1);
        if (random() % 2 == 0) text += "|" + RandomPattern(random, depth - 1);
        text += ")";
        break;
    }
    switch (random() % 8) {
      case 0:
        text += "*";
        break;
      case 1:
        text += "+";
        break;
      case 2:
        text += "?";
        break;
      case 3:
        text += "{1,3}";
        break;
      case 4:
        text += "{2}";
        break;
      default:
        break;
    }
  }
  return text;
}

TEST_CASE("random patterns are found where the C library finds them", "[agent][probe]") {
  std::mt19937 random(42);
  int found = 0;
  for (int i = 0; i < 400; ++i) {
    std::string pattern = RandomPattern(random, 2);
    if (random() % 4 == 0) pattern = "^" + pattern;
    if (random() % 4 == 0) pattern += "$";
    CAPTURE(pattern);
    regex_t theirs;
    REQUIRE(regcomp(&theirs, pattern.c_str(), REG_EXTENDED | REG_NOSUB) == 0);
    auto ours = LinePattern::Compile(pattern);
    if (!ours) FAIL(ours.error().message());
    LineMatcher matcher(*ours);
    for (int j = 0; j < 30; ++j) {
      std::string line;
      for (auto size = random() % 12; size > 0; --size) line.push_back("abcd"[random() % 4]);
      CAPTURE(line);
      const bool want = regexec(&theirs, line.c_str(), 0, nullptr, 0) == 0;
      found += want ? 1 : 0;
      REQUIRE((matcher.Feed(line + "\n") == 1) == want);
    }
    regfree(&theirs);
  }
  // Neither always nor never.
  CHECK(found > 1000);
  CHECK(found < 11000);
}

}  // namespace
}  // namespace dunlin::agent
