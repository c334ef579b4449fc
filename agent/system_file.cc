#include "agent/system_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "protocol/base/text.h"
#include "protocol/net/descriptor.h"

namespace dunlin::agent {

std::optional<std::string> ReadSystemFile(const std::string& path, std::size_t limit) {
  // Not to wait should it be a FIFO.
  net::Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file) return std::nullopt;
  std::string text;
  char buffer[4096];
  while (text.size() < limit) {
    ssize_t got = read(file.get(), buffer, std::min(sizeof buffer, limit - text.size()));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::nullopt;
    if (got == 0) break;
    text.append(buffer, static_cast<std::size_t>(got));
  }
  return text;
}

std::optional<std::uint64_t> NumberIn(std::string_view text) {
  std::string_view line = TakeLine(text);
  auto number = ParseInteger<std::uint64_t>(TakeWord(line));
  if (!TakeWord(line).empty()) return std::nullopt;
  return number;
}

std::optional<std::uint64_t> NumberOf(std::string_view key, std::string_view text) {
  while (!text.empty()) {
    std::string_view line = TakeLine(text);
    if (TakeWord(line) == key) return NumberIn(line);
  }
  return std::nullopt;
}

std::string_view TakeLine(std::string_view& text) {
  std::string_view line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(text.size(), line.size() + 1));
  return line;
}

std::string_view TakeWord(std::string_view& line) {
  line.remove_prefix(std::min(line.size(), line.find_first_not_of(" \t")));
  std::string_view word = line.substr(0, line.find_first_of(" \t"));
  line.remove_prefix(word.size());
  return word;
}

}  // namespace dunlin::agent
