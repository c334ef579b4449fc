#pragma once

#include <string>

#include "controller/cli/terminal.h"

namespace dunlin::test {

/// Remembers what was printed.
struct FakeTerminal final : cli::Terminal {
  void Print(std::string_view text) override { out += text; }
  void PrintError(std::string_view text) override { error += text; }
  bool interactive() const override { return is_interactive; }
  bool coloured() const override { return wants_colours; }

  std::string out;
  std::string error;
  bool is_interactive = false;
  bool wants_colours = false;
};

}  // namespace dunlin::test
