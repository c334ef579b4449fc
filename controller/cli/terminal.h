#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace dunlin::cli {

/// Where a command writes. Text for people goes to standard output, too, plain when that is not a
/// terminal; what went wrong and progress notes go to standard error.
class Terminal {
 public:
  virtual ~Terminal() = default;
  virtual void Print(std::string_view text) = 0;
  virtual void PrintError(std::string_view text) = 0;
  /// Whether standard output is a terminal that a person looks at.
  virtual bool interactive() const = 0;
  /// Whether to colour it (NO_COLOR and TERM=dumb say no).
  virtual bool coloured() const = 0;
};

/// Standard output and error of this process, unbuffered beyond one call.
class StandardTerminal final : public Terminal {
 public:
  StandardTerminal();
  void Print(std::string_view text) override;
  void PrintError(std::string_view text) override;
  bool interactive() const override { return interactive_; }
  bool coloured() const override { return coloured_; }

 private:
  bool interactive_;
  bool coloured_;
};

enum class Colour { kNone, kRed, kGreen, kYellow, kBlue, kDim, kBold };

/// `text` in that colour when `terminal` wants colours, else as it is.
std::string Coloured(const Terminal& terminal, Colour colour, std::string_view text);

/// `line` as it may be shown on a terminal: control bytes, which could move the cursor or worse,
/// are spelled \xNN; tabs and colour sequences stay (and colours end with the line).
std::string SafeForTerminal(std::string_view line);

/// Rows in columns, two spaces apart, the last not padded. The first row is the header. Widths
/// count characters, not bytes.
std::string FormatTable(const std::vector<std::vector<std::string>>& rows);

}  // namespace dunlin::cli
