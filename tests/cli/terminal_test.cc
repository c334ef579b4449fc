#include "controller/cli/terminal.h"

#include "tests/cli/fake_terminal.h"
#include "tests/support/catch.h"

namespace dunlin::cli {

TEST_CASE("control bytes are spelled out, text and colours stay", "[cli][terminal]") {
  auto [line, shown] = GENERATE(table<std::string, std::string>({
      {"plain \tword", "plain \tword"},
      {"gr\xC3\xBC\xC3\x9F", "gr\xC3\xBC\xC3\x9F"},
      {"a\rb", "a\\x0db"},
      {std::string("a\0b", 3), "a\\x00b"},
      {"\x1b[2J", "\\x1b[2J"},
      {"\x1b]0;title\x07", "\\x1b]0;title\\x07"},
      {"\x1b[31mred\x1b[0m", "\x1b[31mred\x1b[0m\x1b[0m"},
      {"\x1b[3", "\\x1b[3"},
      {"\xC2\x9B"
       "31m",
       "\\xc2\\x9b"
       "31m"},
      {"\xFF", "\\xff"},
      {"\x7F", "\\x7f"},
  }));
  CHECK(SafeForTerminal(line) == shown);
}

TEST_CASE("a table's columns fit their widest cell, in characters", "[cli][terminal]") {
  CHECK(FormatTable({{"NAME", "STATUS"}, {"b\xC3\xBC", "x"}, {"longer", ""}}) ==
        "NAME    STATUS\nb\xC3\xBC      x\nlonger\n");
  CHECK(FormatTable({{"\x1b[31mab\x1b[0m", "c"}, {"abc", "d"}}) ==
        "\x1b[31mab\x1b[0m   c\nabc  d\n");
  CHECK(FormatTable({}).empty());
}

TEST_CASE("colours come only where they are wanted", "[cli][terminal]") {
  test::FakeTerminal terminal;
  CHECK(Coloured(terminal, Colour::kRed, "x") == "x");
  terminal.wants_colours = true;
  CHECK(Coloured(terminal, Colour::kRed, "x") == "\x1b[31mx\x1b[0m");
  CHECK(Coloured(terminal, Colour::kNone, "x") == "x");
}

}  // namespace dunlin::cli
