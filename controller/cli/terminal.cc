#include "controller/cli/terminal.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "protocol/base/text.h"

namespace dunlin::cli {
namespace {

/// Past the end of a reader, SIGPIPE ends the program; other failures have nobody to be told.
void WriteAll(int fd, std::string_view text) {
  while (!text.empty()) {
    ssize_t n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
}

bool IsSet(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0';
}

std::string_view CodeOf(Colour colour) {
  switch (colour) {
    case Colour::kNone:
      return "";
    case Colour::kRed:
      return "\x1b[31m";
    case Colour::kGreen:
      return "\x1b[32m";
    case Colour::kYellow:
      return "\x1b[33m";
    case Colour::kBlue:
      return "\x1b[34m";
    case Colour::kDim:
      return "\x1b[2m";
    case Colour::kBold:
      return "\x1b[1m";
  }
  return "";
}

/// The length of a colour sequence (ESC [ digits and semicolons m) at the start of `text`, or 0.
std::size_t ColourSequenceLength(std::string_view text) {
  if (!text.starts_with("\x1b[")) return 0;
  std::size_t end = text.find_first_not_of("0123456789;", 2);
  if (end == std::string_view::npos || text[end] != 'm') return 0;
  return end + 1;
}

/// Characters that take a column: every byte that does not continue a UTF-8 sequence, without
/// colour sequences.
std::size_t WidthOf(std::string_view text) {
  std::size_t width = 0;
  for (std::size_t i = 0; i < text.size();) {
    if (std::size_t skip = ColourSequenceLength(text.substr(i)); skip != 0) {
      i += skip;
      continue;
    }
    if ((static_cast<unsigned char>(text[i]) & 0xC0) != 0x80) ++width;
    ++i;
  }
  return width;
}

}  // namespace

StandardTerminal::StandardTerminal() {
  const char* term = std::getenv("TERM");
  interactive_ = ::isatty(STDOUT_FILENO) == 1;
  coloured_ = interactive_ && !IsSet("NO_COLOR") && std::string_view(term ? term : "") != "dumb";
}

void StandardTerminal::Print(std::string_view text) { WriteAll(STDOUT_FILENO, text); }

void StandardTerminal::PrintError(std::string_view text) { WriteAll(STDERR_FILENO, text); }

std::string Coloured(const Terminal& terminal, Colour colour, std::string_view text) {
  if (!terminal.coloured() || colour == Colour::kNone) return std::string(text);
  return Join(CodeOf(colour), text, "\x1b[0m");
}

std::string SafeForTerminal(std::string_view line) {
  std::string safe;
  safe.reserve(line.size());
  bool has_colour = false;
  for (std::size_t i = 0; i < line.size();) {
    std::string_view rest = line.substr(i);
    if (std::size_t length = ColourSequenceLength(rest); length != 0) {
      safe += rest.substr(0, length);
      has_colour = true;
      i += length;
      continue;
    }
    std::size_t length = Utf8SequenceLength(rest);
    auto byte = static_cast<unsigned char>(line[i]);
    // U+0080 to U+009F are control characters, too.
    bool is_control = length == 0 || (byte < 0x20 && byte != '\t') || byte == 0x7F ||
                      (byte == 0xC2 && static_cast<unsigned char>(line[i + 1]) < 0xA0);
    length = std::max<std::size_t>(length, 1);
    if (!is_control) {
      safe += rest.substr(0, length);
    } else {
      for (std::size_t j = 0; j < length; ++j) {
        safe += "\\x";
        AppendHex(safe, rest.substr(j, 1));
      }
    }
    i += length;
  }
  if (has_colour) safe += "\x1b[0m";
  return safe;
}

std::string FormatTable(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], WidthOf(row[i]));
  }
  std::string out;
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      out += row[i];
      if (i + 1 < row.size()) out.append(widths[i] - WidthOf(row[i]) + 2, ' ');
    }
    while (out.ends_with(' ')) out.pop_back();
    out.push_back('\n');
  }
  return out;
}

}  // namespace dunlin::cli
