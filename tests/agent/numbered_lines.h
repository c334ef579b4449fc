#pragma once

#include <cstddef>
#include <string>

namespace dunlin::testing {

inline constexpr std::size_t kNumberedLineBytes = 100;  // the newline included

/// As many bytes of a text of which every line says which one it is: whatever is lost, doubled or
/// misplaced shows.
inline std::string NumberedLines(std::size_t bytes) {
  std::string text;
  text.reserve(bytes + kNumberedLineBytes);
  for (std::size_t line = 0; text.size() < bytes; ++line) {
    const std::string number = std::to_string(line);
    text.append(20 - number.size(), '0').append(number);
    text.append(kNumberedLineBytes - 21, static_cast<char>('a' + line % 26)).push_back('\n');
  }
  text.resize(bytes);
  return text;
}

}  // namespace dunlin::testing
