#pragma once

#include <string>
#include <string_view>

#include "protocol/base/file_system.h"
#include "protocol/base/text.h"
#include "tests/support/catch.h"

/// The page of a format (docs/wire-format.md) shows an example in bytes; so that page, golden file
/// and code can be compared. DUNLIN_SOURCE_DIR is the project's folder.
namespace dunlin::testing {

/// A file of this project.
inline std::string ReadSource(const std::string& path) {
  auto contents = ReadFile(PosixFileSystem(), DUNLIN_SOURCE_DIR "/" + path);
  REQUIRE(contents);
  return *contents;
}

/// The bytes of the page's block that starts with ```hex `name`: two digits each, up to a ';'.
inline std::string HexBlock(std::string_view page, const std::string& name) {
  std::size_t begin = page.find("```hex " + name + "\n");
  REQUIRE(begin != std::string_view::npos);
  page.remove_prefix(page.find('\n', begin));
  page = page.substr(0, page.find("```"));
  std::string digits;
  for (std::string_view line : Split(page, '\n')) {
    for (char c : line.substr(0, line.find(';'))) {
      if (c != ' ') digits.push_back(c);
    }
  }
  auto bytes = ParseHex(digits);
  REQUIRE(bytes);
  return *bytes;
}

/// To compare, so that a difference can be read.
inline std::string Hex(std::string_view bytes) {
  std::string hex;
  AppendHex(hex, bytes);
  return hex;
}

}  // namespace dunlin::testing
